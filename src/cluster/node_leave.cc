// ClusterNode at its end: others get its partitions first, and learn at once that it is gone.
#include <algorithm>

#include "base/log.h"
#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr Duration kLeaveLookAgain = 200ms;

}  // namespace

bool ClusterNode::fenced_for_silence() const {
  if (!fenced_ || leaving_) return false;
  const auto broker = state().brokers().find(options_.broker_id);
  return broker != state().brokers().end() && broker->second.current == writer_.incarnation &&
         !broker->second.is_live();
}

std::size_t ClusterNode::partitions_led() const {
  std::size_t led = 0;
  state().for_each_partition([&](const PartitionId&, const PartitionState& p) { led += p.led_by(wal()) ? 1 : 0; });
  return led;
}

// Who could take something over.
bool ClusterNode::others_live() const {
  return std::ranges::any_of(state().brokers(), [this](const auto& entry) {
    return entry.first != options_.broker_id && entry.second.is_live() && !entry.second.draining;
  });
}

// Without a controller a commit waits for one: here that ends.
Task<void> ClusterNode::commit_within(std::vector<Record> records, SteadyTime deadline) {
  const Promise<Result<LogSeq>> done = enqueue(std::move(records));
  while (!done.ready() && clock_.now() < deadline) {
    const SteadyTime soon = std::min(deadline, clock_.now() + kLeaveLookAgain);
    co_await changed_.wait_until(clock_, soon);
  }
}

Task<std::size_t> ClusterNode::drain(SteadyTime deadline) {
  if (!peers_ || fenced_ || !others_live()) co_return partitions_led();
  LOG_INFO("cluster.draining", {"broker", options_.broker_id}, {"partitions", partitions_led()});
  std::vector<Record> records;
  records.emplace_back(DrainBrokerRecord{options_.broker_id, true});
  co_await commit_within(std::move(records), deadline);
  while (!fenced_ && others_live() && partitions_led() > 0 && clock_.now() < deadline) {
    const SteadyTime soon = std::min(deadline, clock_.now() + kLeaveLookAgain);
    co_await changed_.wait_until(clock_, soon);
  }
  LOG_INFO("cluster.drained", {"broker", options_.broker_id}, {"partitions_left", partitions_led()});
  co_return partitions_led();
}

Task<void> ClusterNode::leave(SteadyTime deadline) {
  if (!peers_ || fenced_ || !others_live()) co_return;
  leaving_ = true;
  std::vector<Record> records;
  records.emplace_back(FenceRecord{options_.broker_id, writer_.incarnation});
  co_await commit_within(std::move(records), deadline);
}

}  // namespace millrace::cluster
