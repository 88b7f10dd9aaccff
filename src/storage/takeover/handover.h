// Handover, the next leader's side: asks past leaders that live for what they know of the partitions that they released
// (released.h), one request to each for up to a thousand partitions, and who recovered a WAL for what its slots have
// (recovered.h). Whatever is not answered within a second, or does not fit the metadata, is not handed over: it is read
// out of the slots. One thread.
#pragma once

#include <list>
#include <map>

#include "storage/engine_parts.h"
#include "storage/takeover/handover_codec.h"

namespace millrace::storage {

// A partition to take over, as the metadata has it.
struct HandoverCase {
  PartitionId id;
  std::int64_t registered_end = 0;
  std::int64_t base_offset = 0;  // where the new epoch begins
  std::vector<cluster::PastLeadership> past;
};

// kUnavailable, kTimeout, kCorrupt: it has to be read. `wish.wal` was recovered.
Task<Result<std::vector<RecoveredSlot>>> ask_recoverer(EngineParts& parts, FootersWish wish);

class Handovers {
 public:
  struct Handed {
    const std::vector<SlotPlace>& slots;
    const HandedPartition& partition;
  };

  Task<void> ask_for(EngineParts& parts, std::vector<HandoverCase> cases);
  // Of a partition that was asked for: nothing, or all batches from its registered end to its base.
  std::optional<Handed> find(const PartitionId& id) const;

 private:
  void take(const std::map<PartitionId, HandoverCase>& cases, Handover answer);

  std::list<Handover> answers_;
  std::map<PartitionId, std::pair<const Handover*, const HandedPartition*>> found_;
};

}  // namespace millrace::storage
