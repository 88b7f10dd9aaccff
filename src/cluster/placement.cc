#include "cluster/placement.h"

#include <algorithm>

namespace millrace::cluster {
namespace {

constexpr std::size_t kRecordsMax = 10'000;
constexpr std::int32_t kPartitionsMax = 1'000'000;

// How many partitions each candidate leads or is to lead.
class Shares {
 public:
  Shares(const MetadataState& state, const Candidates& brokers) {
    for (const auto* broker : brokers) shares_.push_back({broker, 0});
    state.for_each_partition([this](const PartitionId&, const PartitionState& partition) {
      if (partition.leader_broker) add(*partition.leader_broker);
    });
    for (const auto& [id, to] : state.moves()) add(to);
  }

  const BrokerState* find(std::int32_t broker_id) const {
    const auto at = std::ranges::find(shares_, broker_id, [](const Share& share) { return share.broker->id; });
    return at == shares_.end() ? nullptr : at->broker;
  }
  const BrokerState& fewest() const {
    return *std::ranges::min_element(shares_, {}, [](const Share& share) { return share.partitions; })->broker;
  }
  void add(std::int32_t broker_id) {
    for (auto& share : shares_) share.partitions += share.broker->id == broker_id ? 1 : 0;
  }

 private:
  struct Share {
    const BrokerState* broker = nullptr;
    std::size_t partitions = 0;
  };
  std::vector<Share> shares_;
};

Record assignment(const PartitionId& id, const BrokerState& broker, std::int32_t epoch, std::int64_t base_offset) {
  return AssignLeaderRecord{.partition = id,
                            .broker_id = broker.id,
                            .incarnation = broker.current,
                            .epoch = epoch,
                            .base_offset = base_offset};
}

// Of a partition with batches that lie on a disk alone: the broker of that disk. Nobody else can read them (rule 21).
std::optional<std::int32_t> holder_of_disk(const MetadataState& state, const PartitionState& partition) {
  for (const auto& past : partition.past) {
    const auto broker = state.brokers().find(past.broker_id);
    if (past.end_offset <= partition.registered_end() || broker == state.brokers().end()) continue;
    const auto incarnation = broker->second.incarnations.find(past.incarnation);
    if (incarnation == broker->second.incarnations.end()) continue;
    if (incarnation->second.wal_kind == WalKind::kDisk) return past.broker_id;
  }
  return std::nullopt;
}

}  // namespace

void assign_new(const MetadataState& state, const Candidates& brokers, const Uuid& topic_id, std::int32_t from,
                std::int32_t to, std::vector<Record>& out) {
  if (brokers.empty()) return;
  const std::size_t first = state.topic_ids().size();
  for (std::int32_t p = from; p < std::min(to, kPartitionsMax); ++p) {
    out.push_back(assignment({topic_id, p}, *brokers[(first + static_cast<std::size_t>(p)) % brokers.size()], 0, 0));
  }
}

void assign_moved(const MetadataState& state, const ReleaseRecord& released, std::vector<Record>& out) {
  const auto move = state.moves().find(released.partition);
  if (move == state.moves().end()) return;
  const auto broker = state.brokers().find(move->second);
  if (broker == state.brokers().end() || !broker->second.is_live()) return;
  out.push_back(assignment(released.partition, broker->second, released.epoch + 1, released.end_offset));
}

std::vector<Record> assign_leaderless(const MetadataState& state, const Candidates& brokers) {
  std::vector<Record> records;
  if (brokers.empty() || state.leaderless().empty()) return records;
  Shares shares(state, brokers);
  for (const auto& id : state.leaderless()) {
    if (records.size() == kRecordsMax) break;
    const auto& partition = *state.partition(id);
    const auto move = state.moves().find(id);
    const auto holder = holder_of_disk(state, partition);
    if (holder && !shares.find(*holder)) continue;
    const BrokerState* broker = move == state.moves().end() ? nullptr : shares.find(move->second);
    if (holder) broker = shares.find(*holder);
    if (!broker) broker = shares.find(partition.last_leader);
    if (!broker) broker = &shares.fewest();
    shares.add(broker->id);
    records.push_back(assignment(id, *broker, partition.leader_epoch + 1, partition.end_offset));
  }
  return records;
}

std::vector<Record> moves_off_draining(const MetadataState& state, const Candidates& brokers) {
  std::vector<Record> records;
  const auto drains = [&state](std::int32_t broker_id) {
    const auto broker = state.brokers().find(broker_id);
    return broker != state.brokers().end() && broker->second.draining;
  };
  const auto none = std::ranges::none_of(state.brokers(), [](const auto& entry) { return entry.second.draining; });
  const auto nowhere = std::ranges::all_of(brokers, [](const BrokerState* broker) { return broker->draining; });
  if (none || nowhere) return records;
  Shares shares(state, brokers);
  state.for_each_partition([&](const PartitionId& id, const PartitionState& partition) {
    if (records.size() == kRecordsMax || !partition.leader_broker || !drains(*partition.leader_broker)) return;
    if (state.moves().contains(id)) return;
    const BrokerState& to = shares.fewest();
    shares.add(to.id);
    records.emplace_back(MovePartitionRecord{id, to.id});
  });
  return records;
}

}  // namespace millrace::cluster
