// ReleasedPartitions: what this process led until it released it. Its next leader asks for the index of the batches
// that no object has yet and for the producers (rule 43), because reading them out of the slots costs one GET for each
// slot.
//
// A partition that stopped accepting and is durable to its end never changes again in that epoch, so what is told here
// holds whatever becomes of this process; and nothing is told of one that is not that far (rules 10, 11). Kept for
// `kReleasedKept`: 32 bytes a batch. One thread.
#pragma once

#include <map>
#include <memory>

#include "storage/log/led_partition.h"
#include "storage/takeover/handover_codec.h"

namespace millrace::storage {

inline constexpr Duration kReleasedKept = 30s;

class ReleasedPartitions {
 public:
  explicit ReleasedPartitions(EngineParts& parts) : parts_(parts) {}

  void add(std::shared_ptr<LedPartition> partition);
  void forget_old();
  // What is here and asked for with its end.
  Handover answer(const std::vector<HandoverWish>& wishes);
  // Waits until every one that has something to hand over was asked for.
  Task<void> handed_over(SteadyTime deadline);

 private:
  struct Released {
    std::shared_ptr<LedPartition> partition;
    SteadyTime since{};
    bool asked = false;
  };
  using Places = std::map<SlotRef, std::uint64_t>;  // of slots, in the Handover
  bool awaited(const PartitionId& id, const Released& released) const;
  bool all_handed_over() const;
  void tell(const HandoverWish& wish, const LedPartition& partition, Places& places, Handover& out) const;

  EngineParts& parts_;
  std::map<PartitionId, Released> released_;
  Event asked_;
};

}  // namespace millrace::storage
