#include "storage/takeover/releaser.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kReleasesAtOnce = 10'000;
constexpr Duration kReleaseAgainAfter = 200ms;
constexpr Duration kObjectsWithin = 30s;
constexpr Duration kResumedFor = 10s;  // against rule 11

}  // namespace

Task<void> Releaser::run(Event& stopping) {
  while (!stopping.is_set() && !parts_.committer.fenced().is_set()) {
    std::vector<PartitionId> ids = to_release();
    if (ids.empty()) {
      // One that is still being taken over becomes open without a change of the metadata.
      const bool look_again = !parts_.cluster.state().moves().empty();
      const SteadyTime soon = parts_.clock.now() + (look_again ? kReleaseAgainAfter : Duration(std::chrono::hours(1)));
      co_await parts_.cluster.changed().wait_until(parts_.clock, soon);
      continue;
    }
    Result<void> done = co_await release(std::move(ids));
    if (done || stopping.is_set()) continue;
    LOG_WARN("storage.release_failed", {"error", done.error().to_string()});
    const bool resumed = parts_.options.sabotage == Sabotage::kResumeOnTimeout;
    const SteadyTime later = parts_.clock.now() + (resumed ? kResumedFor : kReleaseAgainAfter);
    co_await stopping.wait_until(parts_.clock, later);
  }
}

bool Releaser::leads(const PartitionId& id) const {
  const auto* partition = parts_.cluster.state().partition(id);
  return partition && partition->led_by(parts_.cluster.wal());
}

// Those that are open: one that is still being taken over goes when it is. And what has stopped accepting must go even
// though nobody wants it elsewhere any more: it gets a higher epoch, perhaps here.
std::vector<PartitionId> Releaser::to_release() {
  std::erase_if(stopped_, [this](const PartitionId& id) {
    const auto open = table_.find(id);
    return open == table_.end() || !open->second->refresh();
  });
  std::vector<PartitionId> ids(stopped_.begin(), stopped_.end());
  for (const auto& [id, to] : parts_.cluster.state().moves()) {
    if (ids.size() >= kReleasesAtOnce) break;
    if (to != parts_.cluster.broker_id() && leads(id) && !stopped_.contains(id) && engine_.find(id)) ids.push_back(id);
  }
  return ids;
}

Task<Result<void>> Releaser::release(std::vector<PartitionId> ids) {
  if (local_wal()) co_await make_objects(ids);  // most of it, while they still accept
  for (const auto& id : ids) {
    const auto open = table_.find(id);
    if (open == table_.end()) continue;
    open->second->stop_accepting();
    stopped_.insert(id);
  }
  SlotNumber last_slot(parts_.committer.slots_acked());
  if (parts_.options.sabotage != Sabotage::kReleaseBeforeDurable) {
    CO_TRY(last_slot, co_await parts_.committer.flush());
  }
  if (local_wal()) co_await make_objects(ids);
  std::vector<cluster::Record> releases;
  for (const auto& id : ids) {
    const auto open = table_.find(id);
    if (open == table_.end() || !open->second->refresh()) continue;
    const auto* state = parts_.cluster.state().partition(id);
    if (local_wal() && state->registered_end() < open->second->log.end())
      co_return fail(Code::kUnavailable, "what it holds is not in data objects yet");
    releases.emplace_back(cluster::ReleaseRecord{.partition = id,
                                                 .incarnation = parts_.cluster.incarnation(),
                                                 .epoch = open->second->log.epoch(),
                                                 .end_offset = open->second->log.end(),
                                                 .last_slot = last_slot});
    released_.add(open->second);  // the next leader may ask before this process learns of its own Release
  }
  if (releases.empty()) co_return Result<void>();
  const std::size_t count = releases.size();
  const Result<void> committed = co_await commit(std::move(releases));
  if (!committed && parts_.options.sabotage == Sabotage::kResumeOnTimeout) resume(ids);
  CO_TRY_VOID(committed);
  LOG_INFO("storage.partitions_released", {"partitions", count});
  co_return Result<void>();
}

void Releaser::resume(const std::vector<PartitionId>& ids) {
  for (const auto& id : ids) {
    if (const auto open = table_.find(id); open != table_.end()) open->second->resume_accepting();
  }
}

// All at once; when that is refused because of one, each alone, and those that are refused are no more ours to release.
Task<Result<void>> Releaser::commit(std::vector<cluster::Record> releases) {
  std::vector<cluster::Record> all = releases;
  Result<cluster::LogSeq> committed = co_await parts_.cluster.commit(std::move(all));
  if (committed) co_return Result<void>();
  const bool refused = committed.error().code() == Code::kNotFound || committed.error().code() == Code::kFenced ||
                       committed.error().code() == Code::kInvalid;
  if (!refused || parts_.cluster.fenced()) co_return fail(std::move(committed).error());
  for (auto& release : releases) {
    std::vector<cluster::Record> one;
    one.push_back(std::move(release));
    Result<cluster::LogSeq> done = co_await parts_.cluster.commit(std::move(one));
    if (!done && parts_.cluster.fenced()) co_return fail(std::move(done).error());
  }
  co_return Result<void>();
}

// This incarnation's, or an earlier one's that is not drained yet: the next leader cannot read it.
bool Releaser::local_wal() const {
  const auto& brokers = parts_.cluster.state().brokers();
  const auto broker = brokers.find(parts_.cluster.broker_id());
  return broker != brokers.end() && std::ranges::any_of(broker->second.incarnations, [](const auto& incarnation) {
           return incarnation.second.wal_kind == cluster::WalKind::kDisk;
         });
}

Task<void> Releaser::make_objects(const std::vector<PartitionId>& ids) {
  const SteadyTime deadline = parts_.clock.now() + kObjectsWithin;
  const auto& state = parts_.cluster.state();
  compactor_.hurry(true);
  for (const auto& id : ids) {
    const auto open = table_.find(id);
    if (open == table_.end()) continue;
    const std::int64_t end = open->second->log.end();
    for (const auto* partition = state.partition(id); partition && partition->registered_end() < end;
         partition = state.partition(id)) {
      // A compactor that has stopped makes none.
      if (parts_.clock.now() >= deadline || parts_.committer.fenced().is_set() || parts_.stopping) break;
      const SteadyTime soon = parts_.clock.now() + kReleaseAgainAfter;
      co_await parts_.cluster.changed().wait_until(parts_.clock, soon);
    }
  }
  compactor_.hurry(false);
}

}  // namespace millrace::storage
