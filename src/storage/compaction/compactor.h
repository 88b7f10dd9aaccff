// Compactor: turns acknowledged slots into data objects. When `object_bytes_target` of WAL wait, or the oldest waits
// `object_interval`: an unbroken run of slots from the floor (rule 8) is sorted by partition into one object, with each
// partition's producer state as of the run's end; one Register names the slots it replaces (rule 9); then the slots'
// objects are deleted. Batches still in memory are not read again, evicted ones come from the bucket.
//
// A partition that was taken over waits until its earlier batches, which lie in other WALs, are objects: so its objects
// come in offset order. That ends: those slots are older than the first one here that holds the partition.
//
// A failed upload or commit is repeated later under a new name; what it left behind is collected as an orphan. One at
// a time. One thread.
#pragma once

#include "storage/engine_parts.h"

namespace millrace::storage {

class Compactor {
 public:
  explicit Compactor(EngineParts& parts) : parts_(parts) {}

  Task<void> run(Event& stopping);
  // A slot was acknowledged (or recovered) and waits for its object. O(1).
  void add(SlotRef ref);
  // The engine stops.
  void wake() { work_.pulse(); }
  // Compacts what is due now; false when nothing could be done. For tests also directly.
  Task<Result<bool>> compact_once();
  // What waits is due now, whatever its size and age, until this is called with false.
  void hurry(bool yes) {
    hurry_ = yes;
    work_.pulse();
  }

 private:
  struct Work {
    SlotRef first = 0, last = 0;
    std::vector<std::shared_ptr<LivePartition>> partitions;  // sorted, without deleted ones
  };
  struct Done {
    std::shared_ptr<LivePartition> partition;
    std::int64_t follows = 0;
    std::int64_t end_offset = 0;
    ProducerTable checkpoint;
  };

  std::optional<SteadyTime> due() const;
  std::optional<Work> choose() const;
  Task<Result<Done>> add_partition(std::shared_ptr<LivePartition> partition, SlotRef last,
                                   class ObjectBuilder& builder);
  Task<Result<SliceChain>> bytes_of(BatchEntry entry);
  Task<Result<void>> publish(Work work, std::vector<Done> done, ObjectBuilder& builder, cluster::LogSeq birth);
  bool may_compact(const LivePartition& partition) const;
  void mark_registered(SlotRef ref);
  void drop_what_is_registered();

  EngineParts& parts_;
  Event work_;
  std::uint64_t waiting_bytes_ = 0;  // of acknowledged slots that no object replaces
  bool hurry_ = false;
};

}  // namespace millrace::storage
