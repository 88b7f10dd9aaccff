#include "cluster/balancer.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace millrace::cluster {
namespace {

constexpr double kBegin = 1.3, kEnd = 1.1;
constexpr double kPartitionsWeight = 3, kBytesWeight = 5, kCpuWeight = 2;
constexpr double kIdleBytesPerSecond = 1e6;
constexpr std::size_t kMovesAtOnce = 10;
constexpr Duration kInterval = 5s, kRest = std::chrono::minutes(2), kRestOfOthers = std::chrono::minutes(10);

struct Carried {
  PartitionId partition;
  double weight = 0;  // what it adds to its broker's score
};

struct Carrier {
  const BrokerState* broker = nullptr;
  double score = 0;
  std::vector<Carried> partitions;
};

// How much one partition, one byte per second and one permille of CPU add to a score.
struct Units {
  double partition = 0, byte = 0, cpu = 0;
};

class Scale {
 public:
  Scale(const MetadataState& state, const Candidates& brokers, const std::map<std::int32_t, BrokerLoad>& loads)
      : loads_(loads) {
    for (const auto* broker : brokers) carriers_.push_back({broker, 0, {}});
    double partitions = 0, bytes = 0, cpu = 0;
    state.for_each_partition([&](const PartitionId&, const PartitionState&) { ++partitions; });
    for (const auto& carrier : carriers_) {
      bytes += static_cast<double>(load_of(carrier).bytes_per_second);
      cpu += load_of(carrier).cpu_permille;
    }
    units_ = units(partitions, bytes, cpu);
    state.for_each_partition([this](const PartitionId& id, const PartitionState& partition) { put(id, partition); });
    for (auto& carrier : carriers_) weigh(carrier);
  }

  std::vector<Carrier>& carriers() { return carriers_; }

 private:
  Units units(double partitions, double bytes, double cpu) const {
    const auto brokers = static_cast<double>(carriers_.size());
    if (partitions == 0) return {};
    if (bytes < kIdleBytesPerSecond || cpu == 0) {
      const bool idle = bytes < kIdleBytesPerSecond;
      const double all = kPartitionsWeight + (idle ? 0 : kBytesWeight);
      return {kPartitionsWeight / all * brokers / partitions, idle ? 0 : kBytesWeight / all * brokers / bytes, 0};
    }
    const double all = kPartitionsWeight + kBytesWeight + kCpuWeight;
    return {kPartitionsWeight / all * brokers / partitions, kBytesWeight / all * brokers / bytes,
            kCpuWeight / all * brokers / cpu};
  }
  const BrokerLoad& load_of(const Carrier& carrier) const {
    static const BrokerLoad none;
    const auto found = loads_.find(carrier.broker->id);
    return found == loads_.end() ? none : found->second;
  }
  void put(const PartitionId& id, const PartitionState& partition) {
    const auto carrier = std::ranges::find_if(
        carriers_, [&](const Carrier& candidate) { return partition.leader_broker == candidate.broker->id; });
    if (carrier != carriers_.end()) carrier->partitions.push_back({id, units_.partition});
  }
  // A broker's CPU time is its partitions' in the measure of their bytes.
  void weigh(Carrier& carrier) {
    const BrokerLoad& load = load_of(carrier);
    const auto bytes = static_cast<double>(load.bytes_per_second);
    carrier.score = static_cast<double>(carrier.partitions.size()) * units_.partition + bytes * units_.byte +
                    load.cpu_permille * units_.cpu;
    std::map<PartitionId, double> extra;
    for (const auto& busy : load.busiest) {
      const auto rate = static_cast<double>(busy.bytes_per_second);
      extra[busy.partition] = rate * units_.byte + (bytes > 0 ? rate / bytes * load.cpu_permille * units_.cpu : 0);
    }
    for (auto& carried : carrier.partitions) {
      if (const auto found = extra.find(carried.partition); found != extra.end()) carried.weight += found->second;
    }
  }

  const std::map<std::int32_t, BrokerLoad>& loads_;
  std::vector<Carrier> carriers_;
  Units units_;
};

// The one that makes both most alike, which has half the weight of what lies between them; not one that has almost all
// of it, which would only change their places.
std::optional<std::size_t> best(const Carrier& from, const Carrier& to,
                                const std::map<PartitionId, SteadyTime>& rests) {
  const double gap = from.score - to.score;
  const auto off = [gap](const Carried& carried) { return std::abs(gap / 2 - carried.weight); };
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < from.partitions.size(); ++i) {
    const Carried& carried = from.partitions[i];
    if (carried.weight <= 0 || carried.weight > 0.8 * gap || rests.contains(carried.partition)) continue;
    if (!found || off(carried) < off(from.partitions[*found])) found = i;
  }
  return found;
}

}  // namespace

void Balancer::note_moves(const MetadataState& state, SteadyTime now) {
  for (const auto& [id, to] : state.moves()) rests_.try_emplace(id, now + kRestOfOthers);
}

std::vector<Record> Balancer::plan(const MetadataState& state, const Candidates& brokers,
                                   const std::map<std::int32_t, BrokerLoad>& loads, SteadyTime now) {
  std::vector<Record> moves;
  if (now < next_ || brokers.size() < 2 || !state.moves().empty() || !state.leaderless().empty()) return moves;
  next_ = now + kInterval;
  std::erase_if(rests_, [now](const auto& entry) { return now >= entry.second; });
  Scale scale(state, brokers, loads);
  auto& carriers = scale.carriers();
  while (moves.size() < kMovesAtOnce) {
    const auto by_score = [](const Carrier& carrier) { return carrier.score; };
    auto& most = *std::ranges::max_element(carriers, {}, by_score);
    auto& least = *std::ranges::min_element(carriers, {}, by_score);
    if (most.score <= (balancing_ ? kEnd : kBegin)) {
      balancing_ = false;
      break;
    }
    const auto chosen = best(most, least, rests_);
    if (!chosen) break;
    balancing_ = true;
    const Carried carried = most.partitions[*chosen];
    most.partitions.erase(most.partitions.begin() + static_cast<std::ptrdiff_t>(*chosen));
    most.score -= carried.weight;
    least.score += carried.weight;
    least.partitions.push_back(carried);
    rests_[carried.partition] = now + kRest;
    moves.emplace_back(MovePartitionRecord{carried.partition, least.broker->id});
  }
  if (moves.empty()) balancing_ = false;
  return moves;
}

}  // namespace millrace::cluster
