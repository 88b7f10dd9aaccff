// ClusterNode: a broker's side of the metadata log. One of the brokers is the controller, which alone appends to the
// log; the others follow it: they read the log by its rules, and send what they want committed to the controller.
//
// Commits queue up while an entry or a request is on its way and share the next one (group commit, one entry in flight,
// as docs/spec/Meta.tla has it). Without peers this process is always the controller.
//
// Roles change by the log alone: winning a number with a Claim makes a controller, losing one to another's valid entry
// ends it, and what was not appended goes to the new one. A follower that hears nothing from the controller for
// `controller_timeout` claims; a wrong suspicion costs an election, never safety. One thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/api.h"
#include "cluster/balancer.h"
#include "cluster/lease.h"
#include "cluster/metadata_log.h"
#include "cluster/metrics.h"
#include "cluster/peer_codec.h"

namespace millrace::cluster {

// The metadata log takes one catch_up or append at a time.
class LogLock {
 public:
  Task<void> lock() {
    while (locked_) co_await free_.wait();
    locked_ = true;
  }
  void unlock() {
    locked_ = false;
    free_.pulse();
  }

 private:
  bool locked_ = false;
  Event free_;
};

class ClusterNode final : public Cluster {
 public:
  ClusterNode(Executor executor, Clock& clock, Random& random, object::Store& store, Metrics& metrics,
              ClusterOptions options, Peers* peers);

  Task<Result<void>> open();

  const MetadataState& state() const override { return log_.state(); }
  Event& changed() override { return changed_; }
  const Uuid& cluster_id() const override { return log_.cluster_id(); }
  std::int32_t broker_id() const override { return options_.broker_id; }
  Incarnation incarnation() const override { return writer_.incarnation; }
  bool fenced() const override { return fenced_.has_value(); }
  std::string fenced_reason() const override { return fenced_ ? fenced_->message() : std::string(); }
  bool fenced_for_silence() const override;
  Task<std::size_t> drain(SteadyTime deadline) override;
  Task<void> leave(SteadyTime deadline) override;
  bool is_controller() const override { return controls_; }

  Task<Result<LogSeq>> commit(std::vector<Record> records) override;
  Task<Result<Uuid>> create_topic(NewTopicSpec topic) override;
  Task<Result<void>> delete_topic(Uuid topic_id) override;
  Task<Result<void>> create_partitions(Uuid topic_id, std::int32_t total) override;
  Task<Result<void>> alter_topic_config(Uuid topic_id, ConfigChanges changes) override;
  Task<Result<std::int64_t>> allocate_producer_id() override;
  Task<Result<Slice>> answer_peer(Slice request) override;
  Task<ClusterDescription> describe() override;
  Task<Result<void>> prove_live() override;
  Task<Result<void>> hold_wal() override;
  Task<Result<std::string>> ask_storage(WalId of, std::string question, Duration patience) override;
  void answer_storage(StorageAnswer answer) override { storage_answer_ = std::move(answer); }
  void report_load(BrokerLoad load) override { load_ = std::move(load); }
  LogSeq oldest_birth_elsewhere() const override;
  void set_healthy(bool healthy) override;
  std::vector<WalId> to_recover() const override;
  Task<void> stop() override;

 private:
  struct Pending {
    std::vector<Record> records;
    Promise<Result<LogSeq>> done;
    bool as_controller = false;  // its own decision: void when it is none any more
    Incarnation ended{};         // of a Register: the predecessor whose process ended (rule 28)
  };

  // node.cc: opening, committing as the controller, snapshots
  Promise<Result<LogSeq>> enqueue(std::vector<Record> records, bool as_controller = false, Incarnation ended = {});
  Task<Result<void>> claim_and_register();
  Task<Result<bool>> append_as(Writer& candidate, std::vector<Record> records);
  ClaimRecord claim() const;
  // Who has the controller's role, and since which of its registrations.
  struct Role {
    std::uint64_t epoch = 0;
    Incarnation incarnation;
    bool operator==(const Role&) const = default;
  };
  Role role_now() const;
  void take_control(const Writer& writer);
  void lose_control();
  RegisterBrokerRecord registration();
  std::vector<Pending> take_batches();
  void put_back(std::vector<Pending> batches);
  Task<void> commit_loop();
  Task<void> commit_some();
  Task<Result<void>> append(std::vector<Record> records, bool& lost);
  bool stopping() { return scope_.stopping().is_set(); }
  void fence(Error error);
  void applied();
  bool snapshot_due() const;
  Task<void> snapshot_loop();
  Task<void> snapshot_now();

  // node_peers.cc: following, and answering followers
  struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
  };
  bool controller_left() const;
  std::optional<Endpoint> controller() const;  // another broker's; nothing when it is this one's, or unknown
  std::optional<std::string> answer_of_storage(const PeerStorage& asked) const;
  Task<Result<PeerAnswer>> ask(Endpoint endpoint, PeerRequest request, Duration patience);
  Task<Result<bool>> register_at_controller();
  Task<void> forward_some();
  Task<void> follow_loop();
  Task<void> follow_once();
  Task<void> check_control();
  Task<Result<void>> catch_up(LogSeq known = LogSeq(0));
  Task<Result<void>> catch_up_to(LogSeq seq);
  void hear_controller();
  Task<bool> may_claim();
  struct Votes {
    std::size_t asked = 0, missing = 0, hearing = 0;  // the rest did not answer
  };
  Task<Votes> ask_others();
  Task<bool> most_miss_the_controller();
  Task<bool> another_hears_the_controller();
  Task<void> ask_if_missed(Endpoint endpoint, Promise<std::optional<bool>> vote);
  PeerStatus judge_controller(const PeerSuspect& suspect) const;
  Task<void> claim_control();
  Task<Result<LogSeq>> outcome_for_peer(Promise<Result<LogSeq>> done);

  // node_lease.cc: of disk WALs
  bool on_disk() const { return options_.wal_kind == WalKind::kDisk; }
  bool breaks(LeaseSabotage which) const { return options_.lease_sabotage == which; }
  LeaseTerms terms() const { return lease_terms(options_.broker_session_timeout); }
  GivenLease fresh_lease() const;
  bool lease_may_be_held(const BrokerState& broker) const;
  const BrokerState* predecessor_on_disk(std::int32_t broker_id) const;
  Task<Incarnation> ended_predecessor();
  Task<Result<bool>> wait_for_predecessor(std::uint64_t epoch);
  Error predecessor_lives(const BrokerState& broker) const;
  Result<void> may_fence(const Pending& pending) const;
  std::vector<Pending> refuse_early_fences(std::vector<Pending> batches) const;
  void grant_leases(std::uint64_t entry);
  bool leases_wanted() const;
  void hear_grant(std::uint64_t wish);
  void lease_from(SteadyTime sent);
  Task<void> lease_loop();

  // node_leave.cc
  std::size_t partitions_led() const;
  bool others_live() const;
  Task<void> commit_within(std::vector<Record> records, SteadyTime deadline);

  // node_describe.cc
  ClusterDescription own_view() const;

  // node_controller.cc: what the controller decides
  Task<void> control_loop();
  std::vector<Record> decide();
  void fence_silent(std::vector<Record>& out) const;
  void greet_new_incarnations();
  bool serves_as_controller() const;
  bool hear_broker(const PeerPoll& poll);
  std::map<std::int32_t, BrokerLoad> loads() const;
  bool heard_within(const BrokerState& broker, Duration limit) const;
  std::vector<const BrokerState*> brokers_to_lead() const;
  void assign_leaders(std::vector<Record>& batch) const;

  struct Heard {
    Incarnation incarnation;
    SteadyTime when;
    LogSeq applied{};
    LogSeq told{};  // what the controller had applied when it answered last
    BrokerLoad load{};
    GivenLease lease{};  // of a disk WAL
  };

  Clock& clock_;
  Random& random_;
  ClusterOptions options_;
  ClusterMetrics metrics_;
  Peers* peers_;
  MetadataLog log_;
  LogLock log_lock_;
  Writer writer_;
  bool controls_ = false;
  SteadyTime controls_since_{};
  std::optional<SteadyTime> append_begun_;
  std::uint64_t appends_ = 0;  // entries sent as the controller, numbered
  SteadyTime last_append_{};   // when the newest one that is committed was sent
  HeldLease lease_;            // of this incarnation's own WAL on a disk
  Event lease_renewed_;
  SteadyTime another_waits_until_{};  // it has claimed the role, and does not answer yet
  bool healthy_ = true;
  BrokerLoad load_;
  StorageAnswer storage_answer_;
  Balancer balancer_;
  SteadyTime heard_controller_{};
  SteadyTime hears_since_{};             // without a gap
  int claims_in_vain_ = 0;               // the role was lost to another again
  std::map<std::int32_t, Heard> heard_;  // by the controller: each broker's last poll
  std::optional<Error> fenced_;
  bool leaving_ = false;
  Event changed_;
  std::deque<Pending> queue_;
  Event work_;
  Event snapshot_wanted_;
  std::int64_t next_producer_id_ = 0, producer_ids_end_ = 0;
  bool allocating_ids_ = false;
  std::uint64_t proofs_begun_ = 0, proofs_done_ = 0;
  Result<void> last_proof_;
  Event proof_done_;
  Event ids_allocated_;
  TaskScope scope_;
};

}  // namespace millrace::cluster
