#include "storage/takeover/released.h"

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr std::size_t kEntriesPerHandover = 1 << 20;  // beyond, the next leader reads slots

}  // namespace

void ReleasedPartitions::add(std::shared_ptr<LedPartition> partition) {
  const PartitionId id = partition->id();
  released_[id] = {std::move(partition), parts_.clock.now()};
}

void ReleasedPartitions::forget_old() {
  const SteadyTime now = parts_.clock.now();
  std::erase_if(released_, [now](const auto& entry) { return now > entry.second.since + kReleasedKept; });
}

Handover ReleasedPartitions::answer(const std::vector<HandoverWish>& wishes) {
  Handover handover;
  Places places;
  std::size_t entries = 0;
  for (const auto& wish : wishes) {
    const auto at = released_.find(wish.id);
    if (at == released_.end()) continue;
    at->second.asked = true;
    const PartitionLog& log = at->second.partition->log;
    const bool whole = log.end() == wish.end && log.high_watermark() == wish.end;
    entries += log.index().size();
    if (whole && entries <= kEntriesPerHandover) tell(wish, *at->second.partition, places, handover);
  }
  asked_.pulse();
  return handover;
}

void ReleasedPartitions::tell(const HandoverWish& wish, const LedPartition& partition, Places& places,
                              Handover& out) const {
  HandedPartition handed{.id = wish.id, .entries = {}, .producers = {}};
  const PartitionLog& log = partition.log;
  for (auto i = log.find(wish.from); i < log.index().end(); ++i) {
    BatchEntry entry = log.index()[i];
    const SlotRef ref = entry.slot;
    const auto known = places.find(ref);
    if (known == places.end()) {
      const auto place = partition.place_of(ref);
      if (!place) return;  // an object has it, which the asker does not know yet
      places.emplace(ref, out.slots.size());
      entry.slot = out.slots.size();
      out.slots.push_back(*place);
    } else {
      entry.slot = known->second;
    }
    handed.entries.push_back(entry);
  }
  if (parts_.options.sabotage == Sabotage::kHandOverCheckpoint) {
    handed.producers = partition.checkpoint;
  } else {
    handed.producers = log.producers();
  }
  out.partitions.push_back(std::move(handed));
}

// It was released indeed, and the next leader is another, which needs more than objects.
bool ReleasedPartitions::awaited(const PartitionId& id, const Released& released) const {
  const auto* state = parts_.cluster.state().partition(id);
  return !released.asked && state && !state->led_by(parts_.cluster.wal()) &&
         state->registered_end() < released.partition->log.end();
}

bool ReleasedPartitions::all_handed_over() const {
  return std::ranges::none_of(released_, [this](const auto& entry) { return awaited(entry.first, entry.second); });
}

Task<void> ReleasedPartitions::handed_over(SteadyTime deadline) {
  while (!all_handed_over() && parts_.clock.now() < deadline) co_await asked_.wait_until(parts_.clock, deadline);
}

}  // namespace millrace::storage
