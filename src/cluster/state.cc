#include "cluster/state.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/state_apply.h"
#include "cluster/wire.h"

namespace millrace::cluster {
namespace {

using namespace wire;  // NOLINT: a page of put_ and get_ calls

constexpr std::uint32_t kStateMagic = 0x4d525354;  // "MRST"
constexpr std::uint8_t kStateVersion = 2;          // 1 had no levels and no clean_until

void put_incarnation(ByteWriter& out, Incarnation number, const IncarnationState& incarnation) {
  put_number(out, number);
  out.u8(static_cast<std::uint8_t>(incarnation.phase));
  out.u8(static_cast<std::uint8_t>(incarnation.wal_kind));
  put_number(out, incarnation.floor);
  out.u8(incarnation.seal_slot ? 1 : 0);
  if (incarnation.seal_slot) put_number(out, *incarnation.seal_slot);
}
void get_incarnation(ByteReader& in, BrokerState& broker) {
  const auto number = get_number<Incarnation>(in);
  IncarnationState incarnation;
  const std::uint8_t phase = in.u8(), kind = in.u8();
  if (phase > 2 || kind > 1) in.set_bad();
  incarnation.phase = static_cast<IncarnationPhase>(phase);
  incarnation.wal_kind = static_cast<WalKind>(kind);
  incarnation.floor = get_number<SlotNumber>(in);
  if (in.u8() == 1) incarnation.seal_slot = get_number<SlotNumber>(in);
  if (phase == 2 && !incarnation.seal_slot) in.set_bad();
  broker.incarnations.emplace(number, incarnation);
}

void put_broker(ByteWriter& out, const BrokerState& broker) {
  out.zigzag(broker.id);
  put_string(out, broker.host);
  out.be(broker.port);
  put_string(out, broker.rack);
  out.u8(broker.draining ? 1 : 0);
  put_number(out, broker.current);
  out.uvarint(broker.incarnations.size());
  for (const auto& [number, incarnation] : broker.incarnations) put_incarnation(out, number, incarnation);
}
BrokerState get_broker(ByteReader& in) {
  BrokerState broker;
  broker.id = in.zigzag32();
  broker.host = get_string(in);
  broker.port = in.be<std::uint16_t>();
  broker.rack = get_string(in);
  broker.draining = in.u8() == 1;
  broker.current = get_number<Incarnation>(in);
  const std::uint64_t count = in.uvarint64();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) get_incarnation(in, broker);
  return broker;
}

// Objects are named by their place in the snapshot's list of objects.
using KeyNumbers = std::unordered_map<std::string_view, std::uint64_t>;

void put_partition_state(ByteWriter& out, const PartitionState& p, const KeyNumbers& keys) {
  out.u8(p.leader_broker ? 1 : 0);
  if (p.leader_broker) out.zigzag(*p.leader_broker);
  out.zigzag(p.last_leader);
  put_number(out, p.leader_incarnation);
  out.zigzag(p.leader_epoch);
  out.zigzag(p.base_offset);
  out.zigzag(p.end_offset);
  out.zigzag(p.log_start_offset);
  out.zigzag(p.clean_until);
  put_list(out, p.epochs, [](ByteWriter& o, const EpochStart& epoch) {
    o.zigzag(epoch.epoch);
    o.zigzag(epoch.start_offset);
  });
  put_list(out, p.past, [](ByteWriter& o, const PastLeadership& past) {
    o.zigzag(past.broker_id);
    put_number(o, past.incarnation);
    o.zigzag(past.end_offset);
    put_number(o, past.last_slot);
  });
  out.uvarint(p.extents.size());
  for (const auto& [base, held] : p.extents) {
    out.uvarint(keys.at(held.key));
    out.zigzag(base);
    out.zigzag(held.extent.end_offset);
    out.uvarint(held.extent.position);
    out.uvarint(held.extent.size_bytes);
    out.zigzag(held.extent.max_timestamp_ms);
  }
  out.u8(p.state ? 1 : 0);
  if (!p.state) return;
  out.uvarint(keys.at(p.state_key));
  out.zigzag(p.state->end_offset);
  out.uvarint(p.state->position);
  out.uvarint(p.state->size_bytes);
}

class StateReader {
 public:
  StateReader(ByteReader& in, std::uint8_t version, std::vector<std::string> keys, std::vector<ObjectState*> objects)
      : in_(in), version_(version), keys_(std::move(keys)), objects_(std::move(objects)) {}

  PartitionState partition(const PartitionId& id) {
    PartitionState p;
    if (in_.u8() == 1) p.leader_broker = in_.zigzag32();
    p.last_leader = in_.zigzag32();
    p.leader_incarnation = get_number<Incarnation>(in_);
    p.leader_epoch = in_.zigzag32();
    p.base_offset = in_.zigzag64();
    p.end_offset = in_.zigzag64();
    p.log_start_offset = in_.zigzag64();
    if (version_ >= 2) p.clean_until = in_.zigzag64();
    p.epochs = get_list<EpochStart>(in_, [](ByteReader& i) {
      EpochStart epoch;
      epoch.epoch = i.zigzag32();
      epoch.start_offset = i.zigzag64();
      return epoch;
    });
    p.past = get_list<PastLeadership>(in_, [](ByteReader& i) {
      PastLeadership past;
      past.broker_id = i.zigzag32();
      past.incarnation = get_number<Incarnation>(i);
      past.end_offset = i.zigzag64();
      past.last_slot = get_number<SlotNumber>(i);
      return past;
    });
    const std::uint64_t count = in_.uvarint64();
    for (std::uint64_t i = 0; i < count && in_.ok(); ++i) {
      PartitionState::ObjectExtent held;
      held.key = reference();
      held.extent.partition = id;
      held.extent.base_offset = in_.zigzag64();
      held.extent.end_offset = in_.zigzag64();
      held.extent.position = in_.uvarint64();
      held.extent.size_bytes = in_.uvarint64();
      held.extent.max_timestamp_ms = in_.zigzag64();
      p.extents.emplace_hint(p.extents.end(), held.extent.base_offset, std::move(held));
    }
    if (in_.u8() == 1) {
      p.state_key = reference();
      p.state.emplace();
      p.state->partition = id;
      p.state->end_offset = in_.zigzag64();
      p.state->position = in_.uvarint64();
      p.state->size_bytes = in_.uvarint64();
    }
    return p;
  }

 private:
  std::string reference() {
    const std::uint64_t number = in_.uvarint64();
    if (number >= keys_.size()) {
      in_.set_bad();
      return {};
    }
    ++objects_[number]->live_references;
    return keys_[number];
  }

  ByteReader& in_;
  const std::uint8_t version_;
  std::vector<std::string> keys_;
  std::vector<ObjectState*> objects_;
};

}  // namespace

Result<void> MetadataState::apply(LogSeq seq, std::span<const Record> records) {
  MetadataApplier applier(*this, seq);
  TRY_VOID(applier.apply(records));
  applied_ = seq;
  return {};
}

Result<void> MetadataState::check(LogSeq seq, std::span<const Record> records) {
  MetadataApplier applier(*this, seq);
  Result<void> verdict = applier.apply(records);
  applier.roll_back();
  return verdict;
}

std::vector<Result<void>> MetadataState::check_batches(LogSeq seq, std::span<const std::vector<Record>> batches) {
  MetadataApplier applier(*this, seq);
  std::vector<Result<void>> verdicts;
  verdicts.reserve(batches.size());
  for (const auto& batch : batches) verdicts.push_back(applier.apply(batch));
  applier.roll_back();
  return verdicts;
}

const TopicState* MetadataState::topic(const Uuid& id) const {
  const auto found = topics_.find(id);
  return found == topics_.end() ? nullptr : &found->second;
}

const TopicState* MetadataState::topic_by_name(std::string_view name) const {
  const auto found = topic_ids_.find(name);
  return found == topic_ids_.end() ? nullptr : topic(found->second);
}

const PartitionState* MetadataState::partition(const PartitionId& id) const {
  const TopicState* found = topic(id.topic_id);
  if (!found || id.partition < 0 || static_cast<std::size_t>(id.partition) >= found->partitions.size()) return nullptr;
  return &found->partitions[static_cast<std::size_t>(id.partition)];
}

std::string MetadataState::serialize() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.be(kStateMagic);
  out.u8(kStateVersion);
  put_number(out, applied_);
  out.uvarint(controller_epoch_);
  out.zigzag(controller_id_);
  out.zigzag(next_producer_id_);
  put_number(out, orphan_floor_);
  out.uvarint(moves_.size());
  for (const auto& [id, to] : moves_) {
    put_partition(out, id);
    out.zigzag(to);
  }
  out.uvarint(brokers_.size());
  for (const auto& [id, broker] : brokers_) put_broker(out, broker);

  std::vector<std::string_view> keys;
  keys.reserve(objects_.size());
  for (const auto& [key, object] : objects_) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  KeyNumbers numbers;
  numbers.reserve(keys.size());
  out.uvarint(keys.size());
  for (const auto key : keys) {
    const ObjectState& object = objects_.find(std::string(key))->second;
    numbers.emplace(key, numbers.size());
    put_string(out, key);
    put_number(out, object.birth);
    out.uvarint(object.size_bytes);
    out.uvarint(object.level);
  }

  out.uvarint(topic_ids_.size());
  for (const auto& [name, id] : topic_ids_) {
    const TopicState& topic = topics_.find(id)->second;
    put_string(out, name);
    put_uuid(out, id);
    put_configs(out, topic.configs);
    out.zigzag(topic.created_ms);
    out.uvarint(topic.partitions.size());
    for (const auto& partition : topic.partitions) put_partition_state(out, partition, numbers);
  }
  return bytes;
}

Result<MetadataState> MetadataState::deserialize(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.be<std::uint32_t>() != kStateMagic) return fail(Code::kCorrupt, "metadata snapshot has no magic number");
  const std::uint8_t version = in.u8();
  if (version > kStateVersion) {
    return fail(Code::kUnsupported,
                fmt::format("metadata snapshot has format version {}; upgrade this Millrace", version));
  }
  MetadataState state;
  state.applied_ = get_number<LogSeq>(in);
  state.controller_epoch_ = in.uvarint64();
  state.controller_id_ = in.zigzag32();
  state.next_producer_id_ = in.zigzag64();
  state.orphan_floor_ = get_number<LogSeq>(in);
  state.takeovers_ = state.applied_.value();  // whoever skipped entries by this snapshot looks again
  for (std::uint64_t left = in.uvarint64(); left > 0 && in.ok(); --left) {
    const PartitionId id = get_partition(in);
    state.moves_.emplace(id, in.zigzag32());
  }
  for (std::uint64_t left = in.uvarint64(); left > 0 && in.ok(); --left) {
    BrokerState broker = get_broker(in);
    state.brokers_.emplace(broker.id, std::move(broker));
  }
  std::vector<std::string> keys;
  std::vector<ObjectState*> objects;
  for (std::uint64_t left = in.uvarint64(); left > 0 && in.ok(); --left) {
    std::string key = get_string(in);
    ObjectState object;
    object.birth = get_number<LogSeq>(in);
    object.size_bytes = in.uvarint64();
    if (version >= 2) object.level = in.uvarint32();
    objects.push_back(&state.objects_.emplace(key, object).first->second);
    keys.push_back(std::move(key));
  }
  StateReader reader(in, version, std::move(keys), std::move(objects));
  for (std::uint64_t left = in.uvarint64(); left > 0 && in.ok(); --left) {
    TopicState topic;
    topic.name = get_string(in);
    topic.id = get_uuid(in);
    topic.configs = get_configs(in);
    topic.created_ms = in.zigzag64();
    const std::uint64_t partitions = in.uvarint64();
    for (std::uint64_t i = 0; i < partitions && in.ok(); ++i) {
      const PartitionId id{topic.id, static_cast<std::int32_t>(i)};
      topic.partitions.push_back(reader.partition(id));
      if (!topic.partitions.back().leader_broker) state.leaderless_.insert(id);
    }
    state.topic_ids_.emplace(topic.name, topic.id);
    state.topics_.emplace(topic.id, std::move(topic));
  }
  if (version == 0 || !in.ok() || !in.at_end())
    return fail(Code::kCorrupt, "metadata snapshot is truncated or malformed");
  return state;
}

}  // namespace millrace::cluster
