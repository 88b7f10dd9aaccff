// Committer: this incarnation's WAL. Batches go into the open slot in arrival order; slots are cut by CommitterCore's
// rule, PUT many at a time, and acknowledged strictly in order (prefix-ack): then their partitions' high watermarks
// move, watchers wake and producers are answered, in that order.
//
// Fails as a whole (rule 15): a slot name taken by other bytes, deleted under us, refused for good, or unknown past the
// deadline ends the incarnation: nothing is cut, sent or acknowledged again, whoever waits gets kFenced, and unacked
// batches are never carried over. Costs per batch: one vector push; per slot: header, footer, one PUT. One thread.
#pragma once

#include <deque>
#include <functional>

#include "object/create.h"
#include "storage/metrics.h"
#include "storage/wal/committer_core.h"
#include "storage/wal/slot_directory.h"

namespace millrace::storage {

class Committer {
 public:
  Committer(Executor executor, Clock& clock, Random& random, object::Store& store, StorageMetrics& metrics,
            SlotDirectory& slots, const EngineOptions& options, std::int32_t broker_id, Incarnation incarnation);

  // PUTs slot 0, then commits in the background. kFenced when somebody else holds that name.
  Task<Result<void>> start();
  // Commits everything, then ends. After `fenced()` it ends at once.
  Task<void> stop();

  // The slot into which a batch of `bytes` appended now would go; cuts the open one when it is full.
  SlotRef slot_for(std::size_t bytes);
  // Adds a batch that got index entry `entry` in `partition`, into the slot that `slot_for` has just answered.
  Promise<Result<void>> add(std::shared_ptr<LivePartition> partition, Slice batch, std::uint64_t entry);

  // Cuts what is open and waits until everything added so far is acknowledged; answers the last slot of it.
  Task<Result<SlotNumber>> flush();

  Event& fenced() { return fenced_; }
  void fence(const Error& why);
  const std::string& fenced_reason() const { return fenced_reason_; }
  std::uint64_t unacked_bytes() const { return unacked_bytes_; }
  std::uint64_t slots_acked() const { return core_.acked().value(); }
  std::size_t in_flight() const { return core_.in_flight(); }
  // How long PUTs have been under way without any being answered.
  Duration silent_for() const;
  // Called after a slot was acknowledged.
  std::function<void(SlotRef)> on_acknowledged;

 private:
  struct Group {
    std::shared_ptr<LivePartition> partition;
    std::int32_t epoch = 0;
    std::uint64_t first_entry = 0;
    std::vector<Slice> batches;
  };

  Task<void> flush_loop();
  void cut();
  void send_ready();
  Task<void> put(SlotRef ref, SliceChain body);
  void warn_of(const std::string& key, const Error& error);
  void landed(SlotRef ref, SlotNumber slot);
  void acknowledge(SlotRef ref);

  Clock& clock_;
  Random& random_;
  object::Store& store_;
  StorageMetrics& metrics_;
  SlotDirectory& slots_;
  Duration put_unknown_deadline_;
  Sabotage sabotage_;
  SlotAddress address_;  // slot: the next number
  CommitterCore core_;
  std::uint64_t nonce_;

  std::optional<SlotRef> open_;
  std::vector<Group> groups_;  // of the open slot
  std::deque<std::pair<SlotRef, SliceChain>> ready_;
  SlotRef next_ack_ = 0;
  std::uint64_t unacked_bytes_ = 0;
  Event wake_, fenced_, all_acked_, progress_;
  std::string fenced_reason_;
  std::optional<SteadyTime> warned_at_;
  SteadyTime answered_at_{};  // a PUT, or when the first of those under way was sent
  TaskScope scope_;
};

}  // namespace millrace::storage
