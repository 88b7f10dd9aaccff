#include "cluster/description.h"

#include <algorithm>

#include "cluster/wire.h"

namespace millrace::cluster {
namespace {

constexpr std::size_t kListedMax = 1000;
constexpr std::uint8_t kLiveFlag = 1, kDrainingFlag = 2, kDiskWalFlag = 4;

BrokerDescription described(const BrokerState& broker) {
  BrokerDescription out;
  out.id = broker.id;
  out.host = broker.host;
  out.port = broker.port;
  out.rack = broker.rack;
  out.live = broker.is_live();
  out.draining = broker.draining;
  out.incarnation = broker.current;
  for (const auto& [number, incarnation] : broker.incarnations) {
    if (number == broker.current) out.wal_kind = incarnation.wal_kind;
    if (incarnation.phase == IncarnationPhase::kFenced) ++out.wals_to_recover;
  }
  return out;
}

void put_described_broker(ByteWriter& out, const BrokerDescription& broker) {
  out.zigzag(broker.id);
  wire::put_string(out, broker.host);
  out.uvarint(broker.port);
  wire::put_string(out, broker.rack);
  out.u8(static_cast<std::uint8_t>((broker.live ? kLiveFlag : 0) | (broker.draining ? kDrainingFlag : 0) |
                                   (broker.wal_kind == WalKind::kDisk ? kDiskWalFlag : 0)));
  wire::put_number(out, broker.incarnation);
  out.uvarint(broker.partitions_led);
  out.uvarint(broker.wals_to_recover);
  out.zigzag(broker.heard_ms_ago);
  wire::put_number(out, broker.applied);
}
BrokerDescription get_described_broker(ByteReader& in) {
  BrokerDescription broker;
  broker.id = in.zigzag32();
  broker.host = wire::get_string(in);
  broker.port = static_cast<std::uint16_t>(in.uvarint32());
  broker.rack = wire::get_string(in);
  const std::uint8_t flags = in.u8();
  broker.live = flags & kLiveFlag;
  broker.draining = flags & kDrainingFlag;
  broker.wal_kind = flags & kDiskWalFlag ? WalKind::kDisk : WalKind::kBucket;
  broker.incarnation = wire::get_number<Incarnation>(in);
  broker.partitions_led = in.uvarint64();
  broker.wals_to_recover = in.uvarint64();
  broker.heard_ms_ago = in.zigzag64();
  broker.applied = wire::get_number<LogSeq>(in);
  return broker;
}

void put_described_partition(ByteWriter& out, const PartitionDescription& partition) {
  wire::put_string(out, partition.topic);
  out.zigzag(partition.partition);
  out.zigzag(partition.leader);
  out.zigzag(partition.to);
}
PartitionDescription get_described_partition(ByteReader& in) {
  PartitionDescription partition;
  partition.topic = wire::get_string(in);
  partition.partition = in.zigzag32();
  partition.leader = in.zigzag32();
  partition.to = in.zigzag32();
  return partition;
}

}  // namespace

const BrokerDescription* ClusterDescription::broker(std::int32_t id) const {
  const auto at = std::ranges::find(brokers, id, &BrokerDescription::id);
  return at == brokers.end() ? nullptr : &*at;
}

ClusterDescription describe_state(const MetadataState& state) {
  ClusterDescription out;
  out.controller_id = state.controller_id();
  out.controller_epoch = state.controller_epoch();
  out.applied = state.applied();
  std::map<std::int32_t, std::uint64_t> led;
  for (const auto& [name, topic_id] : state.topic_ids()) {
    const auto& partitions = state.topic(topic_id)->partitions;
    out.partitions += partitions.size();
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      const auto& partition = partitions[i];
      const auto index = static_cast<std::int32_t>(i);
      const auto leader = state.brokers().find(partition.leader_broker.value_or(-1));
      const bool has_leader = leader != state.brokers().end() && leader->second.is_live();
      if (has_leader) ++led[leader->first];
      if (!has_leader && ++out.leaderless <= kListedMax)
        out.leaderless_listed.push_back({name, index, partition.last_leader, -1});
      const auto move = state.moves().find({topic_id, index});
      if (move != state.moves().end() && ++out.moves <= kListedMax)
        out.moves_listed.push_back({name, index, partition.last_leader, move->second});
    }
  }
  for (const auto& [id, broker] : state.brokers()) {
    out.brokers.push_back(described(broker));
    out.brokers.back().partitions_led = led[id];
  }
  return out;
}

void put_description(ByteWriter& out, const ClusterDescription& description) {
  out.zigzag(description.described_by);
  out.u8(description.by_controller ? 1 : 0);
  out.zigzag(description.controller_id);
  out.uvarint(description.controller_epoch);
  wire::put_number(out, description.applied);
  wire::put_list(out, description.brokers, put_described_broker);
  out.uvarint(description.partitions);
  out.uvarint(description.leaderless);
  out.uvarint(description.moves);
  wire::put_list(out, description.leaderless_listed, put_described_partition);
  wire::put_list(out, description.moves_listed, put_described_partition);
}

ClusterDescription get_description(ByteReader& in) {
  ClusterDescription description;
  description.described_by = in.zigzag32();
  description.by_controller = in.u8() != 0;
  description.controller_id = in.zigzag32();
  description.controller_epoch = in.uvarint64();
  description.applied = wire::get_number<LogSeq>(in);
  description.brokers = wire::get_list<BrokerDescription>(in, get_described_broker);
  description.partitions = in.uvarint64();
  description.leaderless = in.uvarint64();
  description.moves = in.uvarint64();
  description.leaderless_listed = wire::get_list<PartitionDescription>(in, get_described_partition);
  description.moves_listed = wire::get_list<PartitionDescription>(in, get_described_partition);
  return description;
}

}  // namespace millrace::cluster
