// What the rest of Millrace knows of the cluster: the committed metadata (a pure state machine fed by
// the metadata log in the bucket) and the way to change it.
//
// Every change is a batch of Records committed as part of one create-only entry meta/log/<seq> by the
// controller (group commit). A batch is applied whole or refused whole, by the same pure check on every
// node: `MetadataState::apply` (state.h). Nothing is visible in `state()` before it is durable.
//
// One thread: the cluster's executor. References into state() are invalid after any co_await.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/strong.h"
#include "base/task.h"
#include "base/uuid.h"
#include "cluster/description.h"
#include "cluster/load.h"
#include "cluster/peers.h"
#include "cluster/records.h"
#include "cluster/state.h"
#include "object/store.h"

namespace millrace::cluster {

// For the simulation alone: breaks one safeguard of a disk WAL's lease, to show that its checkers see the difference.
enum class LeaseSabotage {
  kNone,
  kNoRecheck,      // rule 25: acknowledges without a look at the lease
  kFromReply,      // rule 25: counts from the answer
  kWhileHeld,      // rule 26: fences without waiting
  kNoFreshLease,   // rule 26: a new controller does not wait
  kDeposedGrants,  // rule 27: grants without an entry of its own
  kNoLock,         // rule 28: takes a WAL over without waiting, although it was held on another host
};

struct ClusterOptions {
  std::int32_t broker_id = 1;
  // What Metadata responses advertise.
  std::string advertised_host = "127.0.0.1";
  std::uint16_t advertised_port = 9092;
  std::string rack;
  WalKind wal_kind = WalKind::kBucket;  // rule 21
  // A follower that heard nothing of the controller for so long, and up to half as much again, claims its role.
  Duration controller_timeout = 2s;
  // So often the controller looks into the log for another one that has taken over.
  Duration controller_check_interval = 5s;
  // A broker that the controller has not heard for so long gets no new partitions.
  Duration broker_timeout = 3s;
  // One that it has not heard for so long is fenced, and others lead its partitions (broker.session.timeout.ms).
  Duration broker_session_timeout = 6s;
  // Rule 28: true when the process that held this WAL, a predecessor's on a disk, certainly ended: this one has the
  // lock of its volume, on the same host. Empty: nobody knows.
  std::function<Task<bool>(WalId)> wal_ended_here;
  // The controller moves partitions so that brokers carry alike (balancer.h).
  bool balance = true;
  // A commit whose outcome stays unknown this long ends the incarnation.
  Duration commit_deadline = 30s;
  // A snapshot is written after so many entries or bytes, and at a clean stop when it saves replaying many entries.
  std::uint64_t snapshot_after_entries = 10'000;
  std::uint64_t snapshot_after_bytes = 64 << 20;
  std::uint64_t snapshot_at_stop_after_entries = 1'000;
  LeaseSabotage lease_sabotage = LeaseSabotage::kNone;
};

class Cluster {
 public:
  virtual ~Cluster() = default;

  // The committed state.
  virtual const MetadataState& state() const = 0;
  // Pulsed after each entry that was applied.
  virtual Event& changed() = 0;
  virtual const Uuid& cluster_id() const = 0;
  virtual std::int32_t broker_id() const = 0;
  // This process' incarnation: the log number of its Register entry (rule 14).
  virtual Incarnation incarnation() const = 0;
  WalId wal() const { return {broker_id(), incarnation()}; }

  // Commits `records` as one unit, after the state machine accepted them. kExists/kNotFound/kInvalid:
  // refused, nothing was written. kFenced: this incarnation is over; stop serving.
  virtual Task<Result<LogSeq>> commit(std::vector<Record> records) = 0;

  // Conveniences over commit():
  // Assigns ids, and every partition to a live broker (AssignLeader, epoch 0, base 0).
  virtual Task<Result<Uuid>> create_topic(NewTopicSpec topic) = 0;
  virtual Task<Result<void>> delete_topic(Uuid topic_id) = 0;
  virtual Task<Result<void>> create_partitions(Uuid topic_id, std::int32_t total) = 0;
  virtual Task<Result<void>> alter_topic_config(Uuid topic_id, ConfigChanges changes) = 0;
  // A fresh producer id, never given before (blocks of 1000 are committed ahead).
  virtual Task<Result<std::int64_t>> allocate_producer_id() = 0;

  // Rule 19: answers once it is proved that this incarnation was not fenced when this was called: one GET, shared by
  // all who ask meanwhile.
  virtual Task<Result<void>> prove_live() = 0;
  // WALs which this process shall read, seal and declare recovered: of its own previous incarnations, and, as the
  // controller, of brokers that are gone. Not those on a disk of another broker (rule 21).
  virtual std::vector<WalId> to_recover() const = 0;

  // Rule 25, for a WAL on a disk, after each sync and before the ack: at once while this incarnation holds its lease
  // (lease.h), else when it was granted anew. kFenced, or kTimeout after a while: acknowledge nothing more. A WAL in
  // the bucket needs no lease.
  virtual Task<Result<void>> hold_wal() = 0;

  // Storage's own words to the storage of another live broker (or of this one), by the way that peers have: what it
  // answers. kUnavailable: it is not that incarnation any more, or cannot say; kTimeout: not within `patience`.
  virtual Task<Result<std::string>> ask_storage(WalId of, std::string question, Duration patience) = 0;
  // How this broker answers such a question; empty: not at all.
  using StorageAnswer = std::function<Result<std::string>(std::string_view question)>;
  virtual void answer_storage(StorageAnswer answer) = 0;

  // What the controller shall know of this broker, from its next poll on.
  virtual void report_load(BrokerLoad load) = 0;
  // Rule 35: no live broker but this one has an upload under way that was born below, as far as they reported; 0: this
  // is not the controller, or one has not said yet.
  virtual LogSeq oldest_birth_elsewhere() const = 0;
  // False: its store does not take what it writes. It falls silent, so that others take over what it does.
  virtual void set_healthy(bool healthy) = 0;

  // The cluster as its controller sees it; as this broker does when that one does not answer within a second.
  virtual Task<ClusterDescription> describe() = 0;

  // This process appends to the metadata log; the others ask it.
  virtual bool is_controller() const = 0;
  // Answers another broker's request (peer_codec.h). kCorrupt, kUnsupported: it is none.
  virtual Task<Result<Slice>> answer_peer(Slice request) = 0;

  // True once commit() answers kFenced for ever; changed() is pulsed when that happens.
  virtual bool fenced() const = 0;
  virtual std::string fenced_reason() const = 0;
  // It was fenced because it was not heard for too long: a new incarnation is welcome.
  virtual bool fenced_for_silence() const = 0;

  // Has this broker's partitions moved to others and waits until it leads none, there is nobody else, or `deadline`.
  // Answers how many it still leads.
  virtual Task<std::size_t> drain(SteadyTime deadline) = 0;
  // Ends this incarnation by its own word, so that nobody waits for it. After everything else has ended.
  virtual Task<void> leave(SteadyTime deadline) = 0;

  // Ends background work. Does not unregister: the next start fences this incarnation.
  virtual Task<void> stop() = 0;
};

// Opens or creates the cluster in the bucket: checks `format`, loads the newest snapshot, replays the log, and
// registers a new incarnation (which fences this broker's previous one in the same entry) with the controller, or
// claims that role when nobody answers for it. Without `peers` this is the only broker. Recovery of the previous
// incarnation's WAL is storage's work.
Task<Result<std::unique_ptr<Cluster>>> open_cluster(Executor executor, Clock& clock, Random& random,
                                                    object::Store& store, Metrics& metrics, ClusterOptions options,
                                                    Peers* peers = nullptr);

}  // namespace millrace::cluster
