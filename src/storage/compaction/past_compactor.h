// PastCompactor: makes data objects of WALs that are over: of this broker's earlier incarnations and of brokers that
// are gone. Of the live brokers one is responsible for each such WAL (its number modulo the brokers); two that both
// think so do no harm, as one Register wins (rule 9). Slots are read back whole, so it needs memory for one object.
//
// A run of slots from the floor (rule 8), which ends before a partition whose still earlier batches lie in another WAL
// and are in no object yet. Begins a while after the WAL was recovered, so that opening partitions goes first. One
// thread.
#pragma once

#include <map>

#include "storage/compaction/publish.h"
#include "storage/wal/slot_batches.h"

namespace millrace::storage {

class PastCompactor {
 public:
  explicit PastCompactor(EngineParts& parts) : parts_(parts) {}

  Task<void> run(Event& stopping);
  // One object of one WAL; false when nothing can be done now.
  Task<Result<bool>> compact_once();

 private:
  struct Wal {
    std::int32_t broker_id = 0;
    Incarnation incarnation;
    SlotNumber floor, seal;
  };
  struct Batch {
    BatchHeader head;
    Slice bytes;
  };
  struct Work {
    ReplacedSlots slots;
    std::map<PartitionId, std::vector<Batch>> batches;
    std::map<PartitionId, std::int64_t> ends;  // of those taken, or registered
    std::uint64_t bytes = 0;
  };

  std::optional<Wal> next_wal() const;
  Task<Result<Work>> collect(Wal wal);
  Result<bool> take(Work& work, const SlotAddress& address, const Slice& body) const;

  EngineParts& parts_;
};

}  // namespace millrace::storage
