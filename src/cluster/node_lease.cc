// ClusterNode and the leases of disk WALs (rules 25-28, lease.h): the holder's renewals, the controller's grants, and
// who must wait before an incarnation on a disk is fenced for another host.
//
// What it costs: one metadata entry without records for all holders together each `renewal()`, unless other entries
// were due; nothing where no follower has a disk WAL. The controller's own lease takes a read of the log instead:
// while nobody else's Claim is there, nobody counts against it (docs/adr/0009).
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr Duration kLookAgain = 500ms;

}  // namespace

// ---- the holder ----

void ClusterNode::lease_from(SteadyTime sent) {
  if (!on_disk()) return;
  lease_.granted_at(sent, terms().lease);
  lease_renewed_.pulse();
}

void ClusterNode::hear_grant(std::uint64_t wish) {
  if (wish == 0) return;
  lease_.granted(wish, terms().lease);
  if (breaks(LeaseSabotage::kFromReply)) lease_.granted_at(clock_.now(), terms().lease);
  lease_renewed_.pulse();
}

// Rule 25. A lease that ended and was granted anew is as good as one that never ended: the controller found this
// incarnation live after the record was synced.
Task<Result<void>> ClusterNode::hold_wal() {
  if (!on_disk() || breaks(LeaseSabotage::kNoRecheck)) co_return Result<void>();
  if (!fenced_ && lease_.holds(clock_.now())) co_return Result<void>();
  const SteadyTime deadline = clock_.now() + options_.commit_deadline;
  LOG_WARN("cluster.lease_over", {"broker", options_.broker_id}, {"incarnation", writer_.incarnation.value()});
  while (!fenced_ && !lease_.holds(clock_.now()) && clock_.now() < deadline) {
    const SteadyTime soon = std::min(deadline, clock_.now() + kLookAgain);
    co_await lease_renewed_.wait_until(clock_, soon);
  }
  if (fenced_) co_return fail(*fenced_);
  if (lease_.holds(clock_.now())) co_return Result<void>();
  co_return fail(Code::kTimeout,
                 "the lease of this WAL was not renewed: no controller was heard, or it could not write "
                 "to the bucket");
}

// While this is the controller: it reads that it still is.
Task<void> ClusterNode::lease_loop() {
  while (!stopping() && !fenced_) {
    const SteadyTime sent = clock_.now();
    if (controls_ && sent >= last_append_ + terms().renewal()) {
      Result<void> read;
      if (!breaks(LeaseSabotage::kDeposedGrants)) read = co_await catch_up();
      const bool still = read && controls_ && !fenced_;
      const bool deposed = state().controller_epoch() != writer_.controller_epoch;
      if (still && !deposed) lease_from(breaks(LeaseSabotage::kFromReply) ? clock_.now() : sent);
      if (still && deposed) lose_control();
    }
    const SteadyTime next = sent + terms().renewal();
    co_await scope_.stopping().wait_until(clock_, next);
  }
}

// ---- the controller ----

// Rule 27: `entry` is committed; whoever asked before it was sent, and is live in it, has the lease.
void ClusterNode::grant_leases(std::uint64_t entry) {
  for (auto& [id, heard] : heard_) {
    const auto broker = state().brokers().find(id);
    const bool live =
        broker != state().brokers().end() && broker->second.is_live() && broker->second.current == heard.incarnation;
    if (live) heard.lease.committed(entry, clock_.now());
  }
}

bool ClusterNode::leases_wanted() const {
  if (clock_.now() < last_append_ + terms().renewal()) return false;
  return std::ranges::any_of(heard_, [](const auto& entry) { return entry.second.lease.wanted(); });
}

// Rule 26: of one that registered just now, or is new to this controller.
GivenLease ClusterNode::fresh_lease() const {
  const Duration passed = breaks(LeaseSabotage::kNoFreshLease) ? terms().whole() : Duration(0);
  return GivenLease(clock_.now() - passed);
}

bool ClusterNode::lease_may_be_held(const BrokerState& broker) const {
  const auto current = broker.incarnations.find(broker.current);
  if (!broker.is_live() || current == broker.incarnations.end() || breaks(LeaseSabotage::kWhileHeld)) return false;
  if (current->second.wal_kind != WalKind::kDisk) return false;
  const auto heard = heard_.find(broker.id);
  if (heard == heard_.end() || heard->second.incarnation != broker.current) return true;
  return !heard->second.lease.over(clock_.now(), terms());
}

// Rule 26, when the entry is made: a lease may have been granted since the fence was decided. A broker that fences
// itself needs no leave.
Result<void> ClusterNode::may_fence(const Pending& pending) const {
  for (const auto& record : pending.records) {
    std::int32_t id = -1;
    if (const auto* fence = std::get_if<FenceRecord>(&record); fence && pending.as_controller) id = fence->broker_id;
    if (const auto* registration = std::get_if<RegisterBrokerRecord>(&record)) id = registration->broker_id;
    const auto broker = state().brokers().find(id);
    if (broker == state().brokers().end() || broker->second.current == pending.ended) continue;
    const bool own = id == options_.broker_id;
    const bool held = own ? on_disk() && lease_.holds(clock_.now()) : lease_may_be_held(broker->second);
    if (held) return fail(predecessor_lives(broker->second));
  }
  return {};
}

std::vector<ClusterNode::Pending> ClusterNode::refuse_early_fences(std::vector<Pending> batches) const {
  std::erase_if(batches, [this](const Pending& pending) {
    const Result<void> may = may_fence(pending);
    if (!may) pending.done.set(fail(may.error()));
    return !may;
  });
  return batches;
}

// ---- a successor ----

const BrokerState* ClusterNode::predecessor_on_disk(std::int32_t broker_id) const {
  const auto broker = state().brokers().find(broker_id);
  if (broker == state().brokers().end() || !broker->second.is_live()) return nullptr;
  const auto current = broker->second.incarnations.find(broker->second.current);
  if (current == broker->second.incarnations.end() || current->second.wal_kind != WalKind::kDisk) return nullptr;
  return &broker->second;
}

// Rule 28. 0: none, or nobody knows.
Task<Incarnation> ClusterNode::ended_predecessor() {
  const auto* before = predecessor_on_disk(options_.broker_id);
  if (!before || !options_.wal_ended_here) co_return Incarnation(0);
  const Incarnation incarnation = before->current;
  const WalId wal{options_.broker_id, incarnation};
  const bool ended = breaks(LeaseSabotage::kNoLock) || co_await options_.wal_ended_here(wal);
  co_return ended ? incarnation : Incarnation(0);
}

Error ClusterNode::predecessor_lives(const BrokerState& broker) const {
  return {Code::kExists,
          fmt::format("a process of broker {} at {}:{} may live and holds its WAL on a disk (incarnation {}): stop it, "
                      "or wait until its lease is over ({} ms after it was heard last)",
                      broker.id, broker.host, broker.port, broker.current.value(), terms().whole() / 1ms)};
}

// As the controller of `epoch`, before this broker registers. False: another has claimed the role since.
Task<Result<bool>> ClusterNode::wait_for_predecessor(std::uint64_t epoch) {
  const bool waits = !breaks(LeaseSabotage::kNoFreshLease) && !breaks(LeaseSabotage::kWhileHeld);
  const SteadyTime until = clock_.now() + (waits ? terms().whole() : Duration(0));
  LOG_INFO("cluster.waits_for_lease", {"broker", options_.broker_id}, {"ms", terms().whole() / 1ms});
  while (clock_.now() < until) {
    const SteadyTime soon = std::min(until, clock_.now() + kLookAgain);
    co_await sleep_until(clock_, soon);
    CO_TRY_VOID(co_await log_.catch_up());
    if (state().controller_epoch() == epoch) continue;
    const auto* before = predecessor_on_disk(options_.broker_id);
    if (before && state().controller_id() == options_.broker_id) co_return fail(predecessor_lives(*before));
    co_return false;
  }
  co_return true;
}

}  // namespace millrace::cluster
