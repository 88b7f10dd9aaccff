// ClusterNode among others: joining and following the controller, sending it what is to be committed, taking its role
// when it is silent, and answering as the controller.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr Duration kPollPatience = 500ms;   // of the controller, with nothing to tell
constexpr Duration kRegisterPatience = 5s;  // it may just be starting
constexpr Duration kForwardPatience = 10s;  // for one request with batches
constexpr Duration kVotePatience = 500ms;
constexpr Duration kRetryPause = 50ms;
constexpr std::size_t kBatchesPerRequestMax = 1000;

}  // namespace

std::optional<ClusterNode::Endpoint> ClusterNode::controller() const {
  const auto broker = state().brokers().find(state().controller_id());
  // Before this one has joined, its predecessor may be the controller, live, and hold a lease (rule 26).
  const bool predecessor = writer_.incarnation.value() == 0 && predecessor_on_disk(options_.broker_id);
  const bool own = state().controller_id() == options_.broker_id && !predecessor;
  if (!peers_ || own || broker == state().brokers().end()) return {};
  Endpoint endpoint{broker->second.host, broker->second.port};
  // Its address is ours now: it cannot be there.
  if (endpoint.host == options_.advertised_host && endpoint.port == options_.advertised_port) return {};
  return endpoint;
}

// It was fenced, mostly by its own word when it stopped.
bool ClusterNode::controller_left() const {
  const auto broker = state().brokers().find(state().controller_id());
  return broker != state().brokers().end() && !broker->second.is_live();
}

Task<Result<PeerAnswer>> ClusterNode::ask(Endpoint endpoint, PeerRequest request, Duration patience) {
  request.cluster_id = cluster_id();
  Slice bytes = Slice::of(encode_peer_request(request));
  const SteadyTime deadline = clock_.now() + patience;
  Result<Slice> reply = co_await peers_->call(endpoint.host, endpoint.port, std::move(bytes), deadline);
  if (!reply) co_return fail(std::move(reply).error());
  CO_TRY(PeerAnswer answer, decode_peer_answer(reply->view()));
  if (answer.status == PeerStatus::kOtherCluster) {
    co_return fail(Code::kInvalid, fmt::format("{}:{} serves another bucket", endpoint.host, endpoint.port));
  }
  co_return answer;
}

// ---- storage to storage ----

Task<Result<std::string>> ClusterNode::ask_storage(WalId of, std::string question, Duration patience) {
  PeerAnswer answer;
  const auto broker = state().brokers().find(of.broker_id);
  if (of == wal()) {
    answer.from_storage = answer_of_storage({of.incarnation, std::move(question)});
  } else if (peers_ && broker != state().brokers().end() && broker->second.is_live() &&
             broker->second.current == of.incarnation) {
    const Endpoint at{broker->second.host, broker->second.port};
    PeerRequest request;
    request.what = PeerStorage{of.incarnation, std::move(question)};
    CO_TRY(answer, co_await ask(at, std::move(request), patience));
  }
  if (!answer.from_storage) co_return fail(Code::kUnavailable, fmt::format("broker {} cannot say", of.broker_id));
  co_return std::move(*answer.from_storage);
}

std::optional<std::string> ClusterNode::answer_of_storage(const PeerStorage& asked) const {
  if (asked.incarnation != writer_.incarnation || !storage_answer_) return {};
  Result<std::string> answer = storage_answer_(asked.question);
  return answer ? std::optional(std::move(*answer)) : std::nullopt;
}

// ---- following ----

// True: this broker has an incarnation. False: nobody controls, as far as can be seen.
Task<Result<bool>> ClusterNode::register_at_controller() {
  const auto endpoint = controller();
  if (!endpoint) co_return false;
  PeerRequest request;
  const Incarnation ended = co_await ended_predecessor();
  request.what = PeerRegister{registration(), ended};
  const SteadyTime sent = clock_.now();
  auto answer = co_await ask(*endpoint, std::move(request), kRegisterPatience);
  if (!answer || answer->status != PeerStatus::kOk || answer->commits.size() != 1) {
    LOG_INFO("cluster.controller_silent", {"controller", state().controller_id()}, {"host", endpoint->host},
             {"port", endpoint->port},
             {"error", answer ? std::string("not the controller any more") : answer.error().message()});
    CO_TRY_VOID(co_await log_.catch_up());
    co_return false;
  }
  if (!answer->commits.front()) co_return fail(answer->commits.front().error());
  const LogSeq seq = *answer->commits.front();
  CO_TRY_VOID(co_await catch_up_to(seq));
  writer_ = {.broker_id = options_.broker_id, .incarnation = Incarnation(seq.value()), .controller_epoch = 0};
  lease_from(sent);
  co_return true;
}

Task<Result<void>> ClusterNode::catch_up(LogSeq known) {
  co_await log_lock_.lock();
  const LogSeq before = state().applied();
  const Result<void> done = co_await log_.catch_up(known);
  log_lock_.unlock();
  if (state().applied() != before && writer_.incarnation.value() != 0) applied();
  co_return done;
}

// An entry that the controller told of is durable: it is there, or a snapshot that holds it.
Task<Result<void>> ClusterNode::catch_up_to(LogSeq seq) {
  const SteadyTime deadline = clock_.now() + options_.commit_deadline;
  while (state().applied() < seq) {
    CO_TRY_VOID(co_await catch_up(seq));
    if (state().applied() >= seq) break;
    if (clock_.now() >= deadline) {
      co_return fail(Code::kTimeout, fmt::format("metadata entry {} does not turn up in the bucket", seq.value()));
    }
    co_await sleep_for(clock_, kRetryPause);
  }
  co_return Result<void>();
}

Task<void> ClusterNode::follow_loop() {
  while (!stopping() && !fenced_) {
    if (controls_) {
      const SteadyTime next_check = clock_.now() + options_.controller_check_interval;
      co_await scope_.stopping().wait_until(clock_, next_check);
      if (!stopping()) co_await check_control();
    } else if (!peers_) {
      co_return;  // alone, it controls or is over
    } else {
      co_await follow_once();
    }
  }
}

Task<void> ClusterNode::follow_once() {
  const auto endpoint = controller();
  bool heard = false;
  LogSeq told(0);
  if (endpoint && healthy_) {
    PeerRequest request;
    const std::uint64_t wish = on_disk() ? lease_.wish(clock_.now()) : 0;
    request.what = PeerPoll{options_.broker_id, writer_.incarnation, state().applied(), load_, wish};
    auto answer = co_await ask(*endpoint, std::move(request), kPollPatience * 3);
    heard = answer && answer->status == PeerStatus::kOk;
    if (heard) hear_controller();
    if (heard) hear_grant(answer->lease_granted);
    if (heard && answer->applied <= state().applied()) co_return;
    if (heard) told = answer->applied;
  }
  if (stopping() || controls_) co_return;
  const std::uint64_t epoch = state().controller_epoch();
  const Result<void> read = co_await catch_up(told);
  if (!read) LOG_WARN("cluster.cannot_read_log", {"error", read.error().message()});
  if (heard || stopping() || fenced_) co_return;
  // A new controller gets its time, too.
  if (state().controller_epoch() != epoch) heard_controller_ = clock_.now();
  bool claims = false;
  if (healthy_) claims = co_await may_claim();
  if (claims) {
    co_await claim_control();
  } else {
    const SteadyTime soon = clock_.now() + kRetryPause;
    co_await scope_.stopping().wait_until(clock_, soon);
  }
}

// A broker that alone is cut off would take the role again and again from one that the others hear, and nobody would be
// controller for long enough to fence it. So it claims when most of the others miss the controller, too; else it waits
// much longer, and each time twice as long, which ends the turns that two such brokers would take.
Task<bool> ClusterNode::may_claim() {
  const auto half = static_cast<std::uint64_t>(options_.controller_timeout.count() / 2);
  const SteadyTime now = clock_.now();
  if (controller_left()) co_return now >= heard_controller_ + Duration(random_.below(half + 1));
  const SteadyTime missed = heard_controller_ + options_.controller_timeout;
  if (now < missed + Duration(random_.below(half + 1))) co_return false;
  const Duration alone = 2 * options_.broker_session_timeout * (1 << std::min(claims_in_vain_, 4));
  if (now >= heard_controller_ + alone) co_return true;
  const bool agreed = co_await most_miss_the_controller();
  co_return agreed;
}

Task<bool> ClusterNode::most_miss_the_controller() {
  const Votes votes = co_await ask_others();
  // Half of the others and this one are most of them. Of two brokers each is all that the other knows.
  const bool most = votes.asked == 0 ? claims_in_vain_ == 0 : 2 * votes.missing >= votes.asked;
  co_return most && !stopping() && !fenced_;
}

// Before this broker has joined. When nobody answers, all may be dead: then the role is free.
Task<bool> ClusterNode::another_hears_the_controller() {
  // Its own predecessor's role is free: that process ended, or is fenced by this registration.
  if (!peers_ || state().controller_id() == options_.broker_id) co_return false;
  const Votes votes = co_await ask_others();
  co_return votes.hearing > 0;
}

Task<ClusterNode::Votes> ClusterNode::ask_others() {
  std::vector<Promise<std::optional<bool>>> answers;
  for (const auto& [id, broker] : state().brokers()) {
    if (id == options_.broker_id || id == state().controller_id() || !broker.is_live()) continue;
    answers.emplace_back();
    scope_.spawn(ask_if_missed({broker.host, broker.port}, answers.back()));
  }
  Votes votes;
  votes.asked = answers.size();
  for (const auto& answer : answers) {
    const std::optional<bool> misses = co_await answer.wait();
    votes.missing += misses && *misses ? 1 : 0;
    votes.hearing += misses && !*misses ? 1 : 0;
  }
  co_return votes;
}

Task<void> ClusterNode::ask_if_missed(Endpoint endpoint, Promise<std::optional<bool>> vote) {
  PeerRequest request;
  request.what = PeerSuspect{state().controller_epoch()};
  auto answer = co_await ask(endpoint, std::move(request), kVotePatience);
  std::optional<bool> misses;
  if (answer) misses = answer->status == PeerStatus::kOk;
  vote.set(misses);
}

PeerStatus ClusterNode::judge_controller(const PeerSuspect& suspect) const {
  if (serves_as_controller() || state().controller_epoch() > suspect.controller_epoch)
    return PeerStatus::kControllerHeard;
  const bool lately = clock_.now() < heard_controller_ + options_.controller_timeout * 3 / 4;
  return lately ? PeerStatus::kControllerHeard : PeerStatus::kOk;
}

// A controller that writes nothing would not learn that it is none any more, and neither would its followers.
Task<void> ClusterNode::check_control() {
  const Result<void> read = co_await catch_up();
  if (!read) LOG_WARN("cluster.cannot_read_log", {"error", read.error().message()});
  if (!controls_ || state().controller_epoch() == writer_.controller_epoch) co_return;
  lose_control();
}

void ClusterNode::hear_controller() {
  const SteadyTime now = clock_.now();
  if (now > heard_controller_ + options_.controller_timeout) hears_since_ = now;
  heard_controller_ = now;
  if (now >= hears_since_ + options_.broker_session_timeout) claims_in_vain_ = 0;
}

// Rule 6: losing is a lost election, no more.
Task<void> ClusterNode::claim_control() {
  co_await log_lock_.lock();
  const std::uint64_t epoch = state().controller_epoch() + 1;
  const std::int32_t predecessor = state().controller_id();
  const Writer candidate{options_.broker_id, writer_.incarnation, epoch};
  std::vector<Record> records;
  records.emplace_back(claim());
  Result<MetadataLog::Append> outcome = co_await log_.append(candidate, std::move(records));
  const bool won = outcome && *outcome == MetadataLog::Append::kCommitted;
  if (won) {
    const auto before = state().brokers().find(predecessor);
    take_control(candidate);
    // It was silent for me, too.
    if (before != state().brokers().end())
      heard_[predecessor] = {before->second.current, heard_controller_, {}, {}, {}, fresh_lease()};
  }
  log_lock_.unlock();
  heard_controller_ = clock_.now();
  if (!outcome && outcome.error().code() == Code::kFenced) fence(outcome.error());
  if (!won) co_return;
  LOG_INFO("cluster.controls", {"broker", options_.broker_id}, {"epoch", epoch});
  applied();
  work_.pulse();
}

// What waits, as one request. What certainly did not arrive, or reached another than the controller, waits on.
Task<void> ClusterNode::forward_some() {
  std::vector<Pending> taken = take_batches();
  while (taken.size() > kBatchesPerRequestMax) {
    queue_.push_front(std::move(taken.back()));
    taken.pop_back();
  }
  const auto endpoint = controller();
  Result<PeerAnswer> answer = fail(Code::kUnavailable, "no controller is known");
  if (endpoint) {
    PeerCommit commit;
    for (const auto& pending : taken) commit.batches.push_back(pending.records);
    PeerRequest request;
    request.what = std::move(commit);
    answer = co_await ask(*endpoint, std::move(request), kForwardPatience);
  }
  const bool not_done = answer ? answer->status != PeerStatus::kOk : answer.error().code() == Code::kUnavailable;
  if (not_done) {
    if (stopping()) {
      for (auto& pending : taken) pending.done.set(fail(Code::kCancelled, "the cluster is stopping"));
      co_return;
    }
    put_back(std::move(taken));
    const SteadyTime soon = clock_.now() + kRetryPause;
    co_await changed_.wait_until(clock_, soon);
    co_return;
  }
  if (answer && answer->commits.size() != taken.size()) {
    answer = fail(Code::kTimeout, "the controller's answer does not fit what it was asked");
  }
  // A refusal speaks of a state that this broker may not have seen yet.
  const LogSeq upto = answer ? answer->applied : state().applied();
  Result<void> seen = co_await catch_up_to(upto);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (!answer) {
      taken[i].done.set(fail(
          Code::kTimeout, "the controller gave no answer, the change may have been made: " + answer.error().message()));
    } else if (!seen) {
      taken[i].done.set(fail(seen.error()));
    } else {
      taken[i].done.set(answer->commits[i]);
    }
  }
}

// ---- answering ----

Task<Result<LogSeq>> ClusterNode::outcome_for_peer(Promise<Result<LogSeq>> done) {
  Result<LogSeq> outcome = co_await done.wait();
  // Its own fence is not the asker's.
  const bool own = !outcome &&
                   (outcome.error().code() == Code::kFenced || outcome.error().code() == Code::kCancelled) &&
                   (fenced_ || stopping());
  if (own) co_return fail(Code::kTimeout, "the controller stopped meanwhile");
  co_return outcome;
}

Task<Result<Slice>> ClusterNode::answer_peer(Slice request_bytes) {
  CO_TRY(PeerRequest request, decode_peer_request(request_bytes.view()));
  PeerAnswer answer;
  if (request.cluster_id != cluster_id()) {
    answer.status = PeerStatus::kOtherCluster;
  } else if (const auto* suspect = std::get_if<PeerSuspect>(&request.what)) {
    answer.status = judge_controller(*suspect);
  } else if (std::holds_alternative<PeerDescribe>(request.what)) {
    answer.description = own_view();
  } else if (const auto* storage = std::get_if<PeerStorage>(&request.what)) {
    answer.from_storage = answer_of_storage(*storage);
  } else if (!serves_as_controller()) {
    answer.status = PeerStatus::kNotController;
  } else if (auto* registration = std::get_if<PeerRegister>(&request.what)) {
    std::vector<Record> batch;
    batch.emplace_back(std::move(registration->record));
    const Promise<Result<LogSeq>> done = enqueue(std::move(batch), false, registration->ended);
    Result<LogSeq> committed = co_await outcome_for_peer(done);
    answer.commits.push_back(std::move(committed));
  } else if (auto* commit = std::get_if<PeerCommit>(&request.what)) {
    std::vector<Promise<Result<LogSeq>>> waiting;
    for (auto& batch : commit->batches) waiting.push_back(enqueue(std::move(batch)));
    for (const auto& done : waiting) {
      Result<LogSeq> committed = co_await outcome_for_peer(done);
      answer.commits.push_back(std::move(committed));
    }
  } else {
    const auto poll = std::get<PeerPoll>(request.what);
    const bool heard = hear_broker(poll);
    if (heard && poll.lease_wish > 0) heard_[poll.broker_id].lease.asked(poll.lease_wish, appends_ + 1);
    const SteadyTime deadline = clock_.now() + kPollPatience;
    while (controls_ && !stopping() && state().applied() <= poll.applied && clock_.now() < deadline) {
      co_await changed_.wait_until(clock_, deadline);
    }
    if (!serves_as_controller()) answer.status = PeerStatus::kNotController;
    const auto asker = heard_.find(poll.broker_id);
    const bool known = asker != heard_.end() && asker->second.incarnation == poll.incarnation;
    if (known) answer.lease_granted = asker->second.lease.granted();
    if (breaks(LeaseSabotage::kDeposedGrants)) answer.lease_granted = poll.lease_wish;
  }
  answer.controller_epoch = state().controller_epoch();
  answer.applied = state().applied();
  co_return Slice::of(encode_peer_answer(answer));
}

}  // namespace millrace::cluster
