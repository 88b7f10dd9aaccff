// SlotDirectory: the slots of this incarnation's WAL that still matter, numbered without gaps by SlotRef in log order.
// A slot leaves the front once an object replaces it and its bytes left memory. One thread.
#pragma once

#include <memory>
#include <vector>

#include "base/task.h"
#include "storage/log/partition_log.h"
#include "storage/wal/slot_codec.h"

namespace millrace::storage {

// A partition led by this process, as WAL and compaction see it. Shared, because slots outlive deleted topics.
struct LivePartition {
  explicit LivePartition(PartitionId id_in) : id(id_in) {}
  virtual ~LivePartition() = default;

  PartitionId id;
  PartitionLog log;
  // Where this leadership began: all below is in slots of other WALs, or in objects.
  std::int64_t term_base = 0;
  // Producers as of checkpoint_end, which is log.registered_end() unless another broker registered meanwhile.
  ProducerTable checkpoint;
  std::int64_t checkpoint_end = 0;
  std::uint64_t traffic_bytes = 0;  // appended and read since it opened
  bool deleted = false;
  // Its group in the open slot, when `open_slot` is that one.
  SlotRef open_slot = ~SlotRef{0};
  std::uint32_t open_group = 0;
  std::vector<Event*> watchers;

  void wake_watchers() {
    for (auto* watcher : watchers) watcher->pulse();
  }
};

struct SlotInfo {
  SlotAddress address;
  std::uint64_t object_size = 0;
  std::uint64_t bytes = 0;  // of batches
  std::vector<std::shared_ptr<LivePartition>> partitions;
  Promise<Result<void>> durable;
  SteadyTime acked_at{};
  bool acked = false;
  bool evicted = false;     // no bytes of it in memory
  bool registered = false;  // an object replaces it
};

class SlotDirectory {
 public:
  SlotRef push(SlotInfo slot) {
    slots_.push_back(std::move(slot));
    return slots_.end() - 1;
  }
  bool holds(SlotRef ref) const { return ref >= slots_.first() && ref < slots_.end(); }
  SlotInfo& operator[](SlotRef ref) { return slots_[ref]; }
  const SlotInfo& operator[](SlotRef ref) const { return slots_[ref]; }
  SlotRef first() const { return slots_.first(); }
  SlotRef end() const { return slots_.end(); }
  void drop_front() {
    while (!slots_.empty() && slots_.front().registered && slots_.front().evicted) slots_.pop_front();
  }

 private:
  Ring<SlotInfo> slots_;
};

}  // namespace millrace::storage
