// The part of EngineImpl that takes over from this broker's previous incarnations (rules 2, 3, 12, 13, 17).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "storage/engine_impl.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kRecordsPerCommit = 10'000;

BatchHeader header_of(const SlotGroup& group, const SlotBatch& batch) {
  BatchHeader head;
  head.base_offset = batch.base_offset;
  head.size = batch.size;
  head.leader_epoch = group.leader_epoch;
  head.crc = batch.crc;
  head.attributes = batch.attributes;
  head.last_offset_delta = static_cast<std::int32_t>(batch.last_offset_delta);
  head.max_timestamp = batch.max_timestamp_ms;
  head.producer_id = batch.producer_id;
  head.producer_epoch = batch.producer_epoch;
  head.base_sequence = batch.base_sequence;
  return head;
}

// Whether another broker's WAL may hold batches of the incarnation that led the partition last.
bool led_by_another(const cluster::MetadataState& state, std::int32_t broker_id, Incarnation last_leader) {
  for (const auto& [id, broker] : state.brokers()) {
    if (id != broker_id && broker.incarnations.contains(last_leader)) return true;
  }
  return false;
}

}  // namespace

Task<Result<std::vector<EngineImpl::Recovered>>> EngineImpl::recover_predecessors() {
  auto& cluster = parts_.cluster;
  std::vector<std::pair<Incarnation, cluster::IncarnationState>> work;
  if (const auto broker = cluster.state().brokers().find(cluster.broker_id());
      broker != cluster.state().brokers().end()) {
    for (const auto& [incarnation, state] : broker->second.incarnations) {
      if (incarnation != cluster.incarnation()) work.emplace_back(incarnation, state);
    }
  }
  std::vector<Recovered> all;  // ascending: an incarnation is a log number
  for (const auto& [incarnation, state] : work) {
    RecoveryContext context{
        executor_, clock_, parts_.random, parts_.store, cluster.incarnation(), options_.put_unknown_deadline};
    CO_TRY(RecoveredWal wal, co_await recover_wal(context, cluster.broker_id(), incarnation, state));
    all.push_back({incarnation, std::move(wal)});
    if (state.phase == cluster::IncarnationPhase::kRecovered) continue;
    // The Seal was written or read back (rule 3): now its end may be told.
    std::vector<cluster::Record> records;
    CO_TRY_VOID(commit_ends(all.back(), records));
    auto committed = co_await cluster.commit(std::move(records));
    if (!committed) co_return fail(std::move(committed).error().with("committing the recovery of the WAL"));
  }
  co_return all;
}

// Rule 12: of the partitions that it leads now, the end of the current epoch's batches below the seal. (What lies below
// the floor is in objects, which the state machine looks at.)
Result<void> EngineImpl::commit_ends(const Recovered& recovered, std::vector<cluster::Record>& out) const {
  const auto& state = parts_.cluster.state();
  std::map<PartitionId, std::int64_t> ends;
  for (const auto& slot : recovered.wal.slots) {
    for (const auto& group : slot.groups) {
      const auto* partition = state.partition(group.partition);
      if (!partition || partition->leader_broker != parts_.cluster.broker_id() ||
          partition->leader_incarnation != recovered.incarnation || partition->leader_epoch != group.leader_epoch ||
          group.batches.empty()) {
        continue;
      }
      const auto& last = group.batches.back();
      auto& end = ends[group.partition];
      end = std::max(end, last.base_offset + last.last_offset_delta + 1);
    }
  }
  // Batches that DeleteRecords overtook are in no object: the checkpoint still knows that they were there.
  for (const auto& [name, topic_id] : state.topic_ids()) {
    const auto* topic = state.topic(topic_id);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto& partition = topic->partitions[i];
      if (partition.leader_broker != parts_.cluster.broker_id() ||
          partition.leader_incarnation != recovered.incarnation || !partition.state) {
        continue;
      }
      auto& end = ends[PartitionId{topic_id, static_cast<std::int32_t>(i)}];
      end = std::max(end, partition.state->end_offset);
    }
  }
  cluster::RecoveredRecord record{
      parts_.cluster.broker_id(), recovered.incarnation, recovered.wal.from, recovered.wal.seal, {}};
  for (const auto& [id, end] : ends) record.ends.push_back({id, end});
  out.emplace_back(std::move(record));
  return {};
}

// Rule 13: partitions that nobody leads, with the next epoch, from where the last one ended. Those of another broker
// wait for it: this one has not read its WAL.
Task<Result<void>> EngineImpl::take_leadership() {
  auto& cluster = parts_.cluster;
  std::vector<cluster::Record> records;
  for (const auto& [name, topic_id] : cluster.state().topic_ids()) {
    const auto* topic = cluster.state().topic(topic_id);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto& partition = topic->partitions[i];
      if (partition.leader_broker) continue;
      if (led_by_another(cluster.state(), cluster.broker_id(), partition.leader_incarnation)) continue;
      records.emplace_back(cluster::AssignLeaderRecord{{topic_id, static_cast<std::int32_t>(i)},
                                                       cluster.broker_id(),
                                                       cluster.incarnation(),
                                                       partition.leader_epoch + 1,
                                                       partition.end_offset});
    }
  }
  for (std::size_t from = 0; from < records.size(); from += kRecordsPerCommit) {
    const auto begin = records.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = records.begin() + static_cast<std::ptrdiff_t>(std::min(from + kRecordsPerCommit, records.size()));
    std::vector<cluster::Record> some(std::make_move_iterator(begin), std::make_move_iterator(end));
    auto committed = co_await cluster.commit(std::move(some));
    if (!committed) co_return fail(std::move(committed).error().with("taking over partitions"));
  }
  co_return Result<void>();
}

// Opens every partition that has a checkpoint, at its end; the slots after it are replayed on top.
Task<Result<void>> EngineImpl::open_checkpointed() {
  auto& cluster = parts_.cluster;
  std::vector<PartitionId> ids;
  for (const auto& [name, topic_id] : cluster.state().topic_ids()) {
    const auto* topic = cluster.state().topic(topic_id);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto& partition = topic->partitions[i];
      if (partition.leader_incarnation == cluster.incarnation() && partition.leader_broker == cluster.broker_id() &&
          partition.state) {
        ids.push_back({topic_id, static_cast<std::int32_t>(i)});
      }
    }
  }
  for (const auto& id : ids) {
    const auto* state = cluster.state().partition(id);
    if (!state || !state->state) continue;  // deleted meanwhile
    auto partition = open_partition(id, state->state->end_offset);
    CO_TRY(ProducerTable producers, co_await load_checkpoint(id));
    partition->checkpoint = producers;
    if (options_.sabotage != Sabotage::kForgetProducers) partition->log.producers() = std::move(producers);
  }
  co_return Result<void>();
}

Task<Result<ProducerTable>> EngineImpl::load_checkpoint(PartitionId id) {
  const auto* state = parts_.cluster.state().partition(id);
  const std::string key = state->state_key;
  const cluster::StateExtent place = *state->state;
  const auto object = parts_.cluster.state().objects().find(key);
  if (object == parts_.cluster.state().objects().end()) {
    co_return fail(Code::kCorrupt, fmt::format("producer state lies in {}, which is not registered", key));
  }
  auto bytes = co_await cache_.read(key, object->second.size_bytes, place.position, place.size_bytes);
  if (!bytes) co_return fail(std::move(bytes).error().with("reading producer state"));
  const Slice flat = bytes->flatten();
  CO_TRY(const std::string_view body, open_state(flat));
  co_return ProducerTable::decode(body);
}

// Rule 17: everything below the base, in order, also of partitions led before.
Result<void> EngineImpl::replay(const std::vector<Recovered>& all) {
  const auto& state = parts_.cluster.state();
  const std::int64_t now_ms = clock_.wall_ms();
  for (const auto& recovered : all) {
    for (const auto& slot : recovered.wal.slots) {
      SlotInfo info{.address = slot.address, .object_size = slot.object_size, .bytes = slot.object_size};
      info.acked_at = clock_.now();
      info.acked = info.evicted = true;
      info.durable.set(Result<void>());
      const SlotRef ref = slots_.push(std::move(info));
      for (const auto& group : slot.groups) {
        if (!state.partition(group.partition)) continue;  // the topic was deleted
        auto found = partitions_.find(group.partition);
        auto partition = found != partitions_.end() ? found->second : open_partition(group.partition, 0);
        auto& members = slots_[ref].partitions;
        if (members.empty() || members.back() != partition) members.push_back(partition);
        std::uint32_t position = group.position;
        for (const auto& batch : group.batches) {
          BatchHeader head = header_of(group, batch);
          if (options_.sabotage == Sabotage::kForgetProducers) head.producer_id = -1;
          auto done = partition->log.replay(head, ref, position, now_ms);
          if (!done) return fail(std::move(done).error().with(slot_key(slot.address)));
          position += batch.size;
        }
      }
    }
  }
  return {};
}

Result<void> EngineImpl::check_ends() const {
  for (const auto& [id, partition] : partitions_) {
    const auto* state = parts_.cluster.state().partition(id);
    if (state && state->base_offset != partition->log.end()) {
      return fail(Code::kCorrupt,
                  fmt::format("partition {}-{}: the log ends at {}, its new epoch begins at {}: a slot or object is "
                              "missing",
                              id.topic_id.to_string(), id.partition, partition->log.end(), state->base_offset));
    }
  }
  return {};
}

}  // namespace millrace::storage
