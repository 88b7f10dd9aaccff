// ClusterNode as the controller: it fences brokers that are silent, gives partitions without a leader to live brokers,
// and empties those that drain. Every decision is a batch like any other's, checked against the rules; one that comes
// from a process which is not the controller any more is dropped.
#include <algorithm>
#include <limits>

#include "base/log.h"
#include "cluster/node.h"
#include "cluster/placement.h"

namespace millrace::cluster {
namespace {

constexpr Duration kControlInterval = 200ms;
// A loop that was held up for so long (a suspended process) has not listened either: everybody gets a new term.
constexpr Duration kHeldUp = 2s;

}  // namespace

Task<void> ClusterNode::control_loop() {
  SteadyTime last = clock_.now();
  std::string refusal;  // the same one is told once, though it is met at every turn
  while (!stopping() && !fenced_) {
    if (clock_.now() > last + kHeldUp) {
      heard_.clear();
    }
    last = clock_.now();
    greet_new_incarnations();
    std::vector<Record> records = serves_as_controller() ? decide() : std::vector<Record>();
    const bool decided = !records.empty();
    if (decided || (serves_as_controller() && leases_wanted())) {
      const Promise<Result<LogSeq>> done = enqueue(std::move(records), true);
      const Result<LogSeq> committed = co_await done.wait();
      const std::string now_refused = committed ? std::string() : committed.error().message();
      if (now_refused != refusal && !committed && controls_ && !stopping())
        LOG_WARN("cluster.decision_refused", {"error", now_refused});
      refusal = now_refused;
      if (committed && decided) continue;
    }
    const SteadyTime next = clock_.now() + kControlInterval;
    co_await changed_.wait_until(clock_, next);
  }
}

// One kind at a time, the most urgent first: each looks at a state that holds what was decided before.
std::vector<Record> ClusterNode::decide() {
  std::vector<Record> records;
  balancer_.note_moves(state(), clock_.now());
  if (peers_) fence_silent(records);
  if (!records.empty()) return records;
  const auto brokers = brokers_to_lead();
  records = assign_leaderless(state(), brokers);
  if (!records.empty() || !peers_) return records;
  records = moves_off_draining(state(), brokers);
  if (records.empty() && options_.balance) {
    records = balancer_.plan(state(), brokers, loads(), clock_.now());
    if (!records.empty()) LOG_INFO("cluster.balancing", {"moves", records.size()});
  }
  return records;
}

std::map<std::int32_t, BrokerLoad> ClusterNode::loads() const {
  std::map<std::int32_t, BrokerLoad> all;
  for (const auto& [id, heard] : heard_) all[id] = heard.load;
  all[options_.broker_id] = load_;
  return all;
}

LogSeq ClusterNode::oldest_birth_elsewhere() const {
  if (!controls_) return LogSeq(0);
  LogSeq oldest(std::numeric_limits<std::uint64_t>::max());
  for (const auto& [id, broker] : state().brokers()) {
    if (!broker.is_live() || id == options_.broker_id) continue;
    const auto heard = heard_.find(id);
    if (heard == heard_.end() || heard->second.incarnation != broker.current) return LogSeq(0);
    oldest = std::min(oldest, heard->second.load.oldest_birth);
  }
  return oldest;
}

// One whose store does not answer answers nobody: it could commit nothing for them.
bool ClusterNode::serves_as_controller() const {
  const bool stuck = append_begun_ && clock_.now() > *append_begun_ + options_.controller_timeout;
  return controls_ && healthy_ && !stuck;
}

void ClusterNode::set_healthy(bool healthy) {
  if (healthy == healthy_) return;
  healthy_ = healthy;
  LOG_WARN("cluster.health", {"healthy", healthy});
}

// A poll counts when the broker has read what it was told by then: one that cannot read the bucket is of no use.
bool ClusterNode::hear_broker(const PeerPoll& poll) {
  const auto broker = state().brokers().find(poll.broker_id);
  if (broker == state().brokers().end() || broker->second.current != poll.incarnation) return false;
  greet_new_incarnations();
  auto& heard = heard_[poll.broker_id];
  const bool reads_on = heard.incarnation != poll.incarnation || poll.applied >= heard.told;
  heard.incarnation = poll.incarnation;
  heard.applied = poll.applied;
  heard.load = poll.load;
  if (reads_on) {
    heard.when = clock_.now();
    heard.told = state().applied();
  }
  return reads_on;
}

// Whoever registered, or is new to this controller, counts as heard just now.
void ClusterNode::greet_new_incarnations() {
  for (const auto& [id, broker] : state().brokers()) {
    auto& heard = heard_[id];
    if (heard.incarnation != broker.current) heard = {broker.current, clock_.now(), {}, {}, {}, fresh_lease()};
  }
}

bool ClusterNode::heard_within(const BrokerState& broker, Duration limit) const {
  if (broker.id == options_.broker_id) return true;
  const auto heard = heard_.find(broker.id);
  const bool known = heard != heard_.end() && heard->second.incarnation == broker.current;
  return !known || clock_.now() < heard->second.when + limit;
}

void ClusterNode::fence_silent(std::vector<Record>& out) const {
  for (const auto& [id, broker] : state().brokers()) {
    if (!broker.is_live() || heard_within(broker, options_.broker_session_timeout)) continue;
    if (lease_may_be_held(broker)) continue;
    LOG_WARN("cluster.broker_silent", {"broker", id}, {"incarnation", broker.current.value()});
    out.emplace_back(FenceRecord{id, broker.current});
  }
}

// Those that live as far as the controller knows, and do not drain. When nobody is that well, whoever is registered.
std::vector<const BrokerState*> ClusterNode::brokers_to_lead() const {
  std::vector<const BrokerState*> well, live, registered;
  for (const auto& [id, broker] : state().brokers()) {
    if (!broker.is_live()) continue;
    registered.push_back(&broker);
    if (!heard_within(broker, options_.broker_timeout)) continue;
    live.push_back(&broker);
    if (!broker.draining) well.push_back(&broker);
  }
  if (!well.empty()) return well;
  return live.empty() ? registered : live;
}

// New partitions get their first leaders in the batch that makes them, and moved ones the next in the batch that
// releases them.
void ClusterNode::assign_leaders(std::vector<Record>& batch) const {
  const auto grows = [](const Record& record) {
    return std::holds_alternative<CreateTopicRecord>(record) ||
           std::holds_alternative<CreatePartitionsRecord>(record) || std::holds_alternative<ReleaseRecord>(record);
  };
  if (std::ranges::none_of(batch, grows)) return;
  const auto brokers = brokers_to_lead();
  std::vector<Record> assignments;
  for (const auto& record : batch) {
    if (const auto* made = std::get_if<CreateTopicRecord>(&record)) {
      assign_new(state(), brokers, made->topic_id, 0, made->partitions, assignments);
    } else if (const auto* grown = std::get_if<CreatePartitionsRecord>(&record)) {
      const auto* topic = state().topic(grown->topic_id);
      const auto from = topic ? static_cast<std::int32_t>(topic->partitions.size()) : 0;
      assign_new(state(), brokers, grown->topic_id, from, grown->total, assignments);
    } else if (const auto* released = std::get_if<ReleaseRecord>(&record)) {
      assign_moved(state(), *released, assignments);
    }
  }
  std::move(assignments.begin(), assignments.end(), std::back_inserter(batch));
}

std::vector<WalId> ClusterNode::to_recover() const {
  std::vector<WalId> all;
  for (const auto& [id, broker] : state().brokers()) {
    const bool own = id == options_.broker_id;
    if (!own && (!controls_ || broker.is_live())) continue;
    for (const auto& [number, incarnation] : broker.incarnations) {
      if (incarnation.phase != IncarnationPhase::kFenced || number == writer_.incarnation) continue;
      if (own || incarnation.wal_kind == WalKind::kBucket) all.push_back({id, number});
    }
  }
  return all;
}

// One catch-up of the log answers all who asked before it began.
Task<Result<void>> ClusterNode::prove_live() {
  if (fenced_) co_return fail(*fenced_);
  const std::uint64_t mine = proofs_begun_ + 1;
  while (proofs_done_ < mine && proofs_begun_ != proofs_done_) co_await proof_done_.wait();
  if (proofs_done_ < mine) {
    ++proofs_begun_;
    Result<void> read = co_await catch_up();
    last_proof_ = std::move(read);
    proofs_done_ = proofs_begun_;
    proof_done_.pulse();
  }
  if (fenced_) co_return fail(*fenced_);
  co_return last_proof_;
}

}  // namespace millrace::cluster
