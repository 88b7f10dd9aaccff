#include "cluster/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace millrace::cluster {
namespace {

constexpr std::size_t kRecordsPerEntryMax = 50'000;
constexpr int kJoinAttempts = 20;

}  // namespace

ClusterNode::ClusterNode(Executor executor, Clock& clock, Random& random, object::Store& store, Metrics& metrics,
                         ClusterOptions options, Peers* peers)
    : clock_(clock),
      random_(random),
      options_(std::move(options)),
      metrics_(metrics),
      peers_(peers),
      log_(executor, clock, random, store, options_.commit_deadline),
      scope_(executor) {}

// ---- opening ----

Task<Result<void>> ClusterNode::open() {
  CO_TRY_VOID(co_await log_.open());
  bool joined = false;
  SteadyTime predecessor_ends = clock_.now() + 2 * terms().whole();
  Role role = role_now();
  for (int attempt = 0; attempt < kJoinAttempts && !joined; ++attempt) {
    Result<bool> registered = co_await register_at_controller();
    // Rule 26: the controller counts a predecessor's lease, and refuses until it is over.
    if (!registered && registered.error().code() == Code::kExists && clock_.now() < predecessor_ends) {
      --attempt;
      co_await sleep_for(clock_, options_.controller_timeout / 4);
      continue;
    }
    CO_TRY(joined, std::move(registered));
    if (joined) break;
    // Who took the role may count a lease before it registers, and recover before it answers. Two or more that take the
    // role from each other meanwhile would never end, so each claim that is seen gives its owner that time. It counts
    // our predecessor's lease anew.
    if (role_now() != role) {
      role = role_now();
      another_waits_until_ = clock_.now() + terms().whole() + options_.controller_timeout;
      predecessor_ends = clock_.now() + 2 * terms().whole();
    }
    if (clock_.now() < another_waits_until_) {
      --attempt;
      co_await sleep_for(clock_, options_.controller_timeout / 4);
      continue;
    }
    const bool others_hear = co_await another_hears_the_controller();
    if (others_hear) {
      co_await sleep_for(clock_, options_.controller_timeout / 4);
      continue;
    }
    CO_TRY_VOID(co_await claim_and_register());
    joined = controls_;
    if (!joined) CO_TRY_VOID(co_await log_.catch_up());
  }
  if (!joined) {
    co_return fail(Code::kUnavailable,
                   fmt::format("broker {} controls the cluster and others hear it, but it does not answer this broker, "
                               "or other processes keep claiming this bucket; check the way to its kafka.advertised",
                               state().controller_id()));
  }
  applied();
  LOG_INFO("cluster.opened", {"cluster", cluster_id().to_string()}, {"broker", options_.broker_id},
           {"incarnation", writer_.incarnation.value()}, {"controller", state().controller_id()},
           {"controller_epoch", state().controller_epoch()}, {"topics", state().topic_ids().size()});
  heard_controller_ = clock_.now();
  scope_.spawn(commit_loop());
  scope_.spawn(snapshot_loop());
  scope_.spawn(control_loop());
  scope_.spawn(follow_loop());
  if (on_disk()) scope_.spawn(lease_loop());
  co_return Result<void>();
}

RegisterBrokerRecord ClusterNode::registration() {
  return {.broker_id = options_.broker_id,
          .host = options_.advertised_host,
          .port = options_.advertised_port,
          .rack = options_.rack,
          .wal_kind = options_.wal_kind,
          .process_nonce = random_.next()};
}

// Election and registration in one entry: winning its number is the election, the number is the incarnation (rule 14).
// In two, when the predecessor may hold a lease: a new controller counts it in full from its Claim (rule 26).
Task<Result<void>> ClusterNode::claim_and_register() {
  const std::uint64_t epoch = state().controller_epoch() + 1;
  const Incarnation ended = co_await ended_predecessor();
  const auto* before = predecessor_on_disk(options_.broker_id);
  Writer candidate{.broker_id = options_.broker_id, .incarnation = {}, .controller_epoch = epoch};
  std::vector<Record> records;
  records.emplace_back(claim());
  if (before && before->current != ended) {
    CO_TRY(const bool claimed, co_await append_as(candidate, std::move(records)));
    if (!claimed) co_return Result<void>();
    CO_TRY(const bool over, co_await wait_for_predecessor(epoch));
    if (!over) co_return Result<void>();
    records.clear();
  }
  records.emplace_back(registration());
  const SteadyTime sent = clock_.now();
  CO_TRY(const bool registered, co_await append_as(candidate, std::move(records)));
  if (!registered) co_return Result<void>();
  candidate.incarnation = state().brokers().at(options_.broker_id).current;
  take_control(candidate);
  lease_from(sent);
  co_return Result<void>();
}

// False: another's entry is there.
Task<Result<bool>> ClusterNode::append_as(Writer& candidate, std::vector<Record> records) {
  CO_TRY_VOID(log_.state().check(log_.next(), records));
  CO_TRY(const MetadataLog::Append outcome, co_await log_.append(candidate, std::move(records)));
  co_return outcome == MetadataLog::Append::kCommitted;
}

ClusterNode::Role ClusterNode::role_now() const {
  const auto broker = state().brokers().find(state().controller_id());
  return {state().controller_epoch(), broker == state().brokers().end() ? Incarnation() : broker->second.current};
}

ClaimRecord ClusterNode::claim() const {
  return {.controller_epoch = state().controller_epoch() + 1,
          .broker_id = options_.broker_id,
          .endpoint = fmt::format("{}:{}", options_.advertised_host, options_.advertised_port)};
}

void ClusterNode::take_control(const Writer& writer) {
  writer_ = writer;
  controls_ = true;
  controls_since_ = clock_.now();
  heard_.clear();
  balancer_ = Balancer();
}

// The new controller gets its time before it is missed. Alone, this process cannot follow it, and is over.
void ClusterNode::lose_control() {
  if (!peers_) {
    fence(Error(Code::kFenced, "another controller has taken over the metadata log"));
    return;
  }
  LOG_WARN("cluster.controller_lost", {"broker", options_.broker_id}, {"epoch", writer_.controller_epoch});
  controls_ = false;
  heard_controller_ = hears_since_ = clock_.now();
  // Held to its end is not in vain: it was silent itself, or stopped for a while.
  if (clock_.now() < controls_since_ + 4 * options_.broker_session_timeout) ++claims_in_vain_;
  changed_.pulse();
  work_.pulse();
}

// ---- committing ----

Task<Result<LogSeq>> ClusterNode::commit(std::vector<Record> records) {
  const Promise<Result<LogSeq>> done = enqueue(std::move(records));
  co_return co_await done.wait();
}

Promise<Result<LogSeq>> ClusterNode::enqueue(std::vector<Record> records, bool as_controller, Incarnation ended) {
  Pending pending{std::move(records), {}, as_controller, ended};
  const Promise<Result<LogSeq>> done = pending.done;
  if (fenced_) {
    done.set(fail(*fenced_));
  } else if (stopping()) {
    done.set(fail(Code::kCancelled, "the cluster is stopping"));
  } else if (pending.records.empty() && !as_controller) {
    done.set(fail(Code::kInvalid, "an empty batch"));
  } else {
    queue_.push_back(std::move(pending));
    metrics_.queued.Set(static_cast<double>(queue_.size()));
    work_.pulse();
  }
  return done;
}

Task<void> ClusterNode::commit_loop() {
  for (;;) {
    while (queue_.empty() && !stopping()) co_await work_.wait();
    if (queue_.empty()) co_return;
    if (fenced_) {
      for (auto& pending : std::exchange(queue_, {})) pending.done.set(fail(*fenced_));
    } else if (controls_) {
      co_await commit_some();
    } else {
      co_await forward_some();
    }
  }
}

// All that waits, in order, as far as it fits one entry.
std::vector<ClusterNode::Pending> ClusterNode::take_batches() {
  std::vector<Pending> taken;
  std::size_t count = 0;
  while (!queue_.empty() && (taken.empty() || count + queue_.front().records.size() <= kRecordsPerEntryMax)) {
    count += queue_.front().records.size();
    taken.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  metrics_.queued.Set(static_cast<double>(queue_.size()));
  return taken;
}

void ClusterNode::put_back(std::vector<Pending> batches) {
  for (const auto& pending : batches) {
    if (pending.as_controller) pending.done.set(fail(Code::kUnavailable, "not the controller any more"));
  }
  std::erase_if(batches, [](const Pending& pending) { return pending.as_controller; });
  queue_.insert(queue_.begin(), std::make_move_iterator(batches.begin()), std::make_move_iterator(batches.end()));
}

// One entry of what waits; a batch that the state machine refuses is left out of it. Answers go out once the entry is
// durable, so that no refusal speaks of something that is not.
Task<void> ClusterNode::commit_some() {
  co_await log_lock_.lock();
  if (!controls_) {  // while it waited
    log_lock_.unlock();
    co_return;
  }
  std::vector<Pending> taken = refuse_early_fences(take_batches());
  std::vector<std::vector<Record>> batches;
  for (const auto& pending : taken) {
    batches.push_back(pending.records);
    assign_leaders(batches.back());
  }
  const std::vector<Result<void>> verdicts = log_.state().check_batches(log_.next(), batches);
  std::vector<Record> accepted;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (!verdicts[i]) metrics_.refusals.Increment();
    if (verdicts[i]) std::move(batches[i].begin(), batches[i].end(), std::back_inserter(accepted));
  }
  // An entry without records proves that this is the controller (rule 27).
  const bool proof = std::ranges::any_of(taken, [](const Pending& pending) { return pending.records.empty(); });
  Result<void> written;
  bool lost = false;
  if (!accepted.empty() || proof) written = co_await append(std::move(accepted), lost);
  log_lock_.unlock();
  if (lost) {
    put_back(std::move(taken));  // not appended, and never will be: the new controller gets it
    co_return;
  }
  const LogSeq seq = log_.state().applied();
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (!written) {
      taken[i].done.set(fail(written.error()));
    } else if (!verdicts[i]) {
      taken[i].done.set(fail(verdicts[i].error()));
    } else {
      taken[i].done.set(seq);
    }
  }
}

Task<Result<void>> ClusterNode::append(std::vector<Record> records, bool& lost) {
  const SteadyTime begin = clock_.now();
  append_begun_ = begin;
  const std::uint64_t entry = ++appends_;
  Result<MetadataLog::Append> outcome = co_await log_.append(writer_, std::move(records));
  append_begun_.reset();
  if (!outcome) {
    if (outcome.error().code() == Code::kFenced || outcome.error().code() == Code::kCorrupt) fence(outcome.error());
    if (fenced_) co_return fail(*fenced_);
    co_return fail(std::move(outcome).error());
  }
  if (*outcome == MetadataLog::Append::kLost) {
    lose_control();
    if (fenced_) co_return fail(*fenced_);
    lost = true;
    co_return Result<void>();
  }
  metrics_.entries.Increment();
  metrics_.entry_bytes.Increment(static_cast<double>(log_.last_entry_bytes()));
  metrics_.commit_seconds.Observe(std::chrono::duration<double>(clock_.now() - begin).count());
  last_append_ = begin;
  grant_leases(entry);
  applied();
  if (fenced_) co_return fail(*fenced_);
  lease_from(begin);
  co_return Result<void>();
}

void ClusterNode::fence(Error error) {
  if (fenced_) return;
  if (!leaving_) {
    LOG_ERROR("cluster.fenced", {"broker", options_.broker_id}, {"incarnation", writer_.incarnation.value()},
              {"reason", error.message()});
  }
  fenced_ = Error(Code::kFenced, error.message());
  controls_ = false;
  changed_.pulse();
}

void ClusterNode::applied() {
  metrics_.applied.Set(static_cast<double>(state().applied().value()));
  metrics_.topics.Set(static_cast<double>(state().topic_ids().size()));
  metrics_.objects.Set(static_cast<double>(state().objects().size()));
  const auto broker = state().brokers().find(options_.broker_id);
  if (broker == state().brokers().end()) {
    fence(Error(Code::kFenced, fmt::format("the metadata does not know broker {} any more: it was unregistered, or the "
                                           "bucket lost what it had taken",
                                           options_.broker_id)));
  } else if (!broker->second.is_live() || broker->second.current != writer_.incarnation) {
    fence(Error(Code::kFenced, broker->second.current == writer_.incarnation
                                   ? "the controller fenced this broker"
                                   : fmt::format("another process registered node.id {}", options_.broker_id)));
  }
  changed_.pulse();
  if (snapshot_due()) snapshot_wanted_.pulse();
}

// ---- snapshots and stopping ----

bool ClusterNode::snapshot_due() const {
  return controls_ && (log_.entries_since_snapshot() >= options_.snapshot_after_entries ||
                       log_.bytes_since_snapshot() >= options_.snapshot_after_bytes);
}

Task<void> ClusterNode::snapshot_loop() {
  while (!stopping()) {
    co_await snapshot_wanted_.wait();
    if (stopping() || !snapshot_due()) continue;
    co_await snapshot_now();
  }
}

Task<void> ClusterNode::snapshot_now() {
  const Result<void> done = co_await log_.publish_snapshot();
  if (done) {
    metrics_.snapshots.Increment();
    co_return;
  }
  // Tried again after the next entry; until then the log is only longer.
  metrics_.snapshot_failures.Increment();
  LOG_WARN("meta.snapshot_failed", {"error", done.error().to_string()});
}

Task<void> ClusterNode::stop() {
  if (stopping()) co_return;
  scope_.request_stop();
  work_.pulse();
  snapshot_wanted_.pulse();
  changed_.pulse();
  co_await scope_.stop();
  const bool worth_it = log_.entries_since_snapshot() > options_.snapshot_at_stop_after_entries;
  if (worth_it && controls_ && !fenced_) co_await snapshot_now();
}

Task<Result<std::unique_ptr<Cluster>>> open_cluster(Executor executor, Clock& clock, Random& random,
                                                    object::Store& store, Metrics& metrics, ClusterOptions options,
                                                    Peers* peers) {
  auto cluster =
      std::make_unique<ClusterNode>(std::move(executor), clock, random, store, metrics, std::move(options), peers);
  CO_TRY_VOID(co_await cluster->open());
  co_return std::unique_ptr<Cluster>(std::move(cluster));
}

}  // namespace millrace::cluster
