#include "storage/takeover/recovered.h"

#include <set>

namespace millrace::storage {
namespace {

constexpr std::size_t kBatchesPerAnswer = 1 << 20;  // beyond, they read slots

}  // namespace

void RecoveredWals::add(cluster::WalId wal, RecoveredWal read) { recovered_[wal] = {std::move(read), clock_.now()}; }

void RecoveredWals::forget_old() {
  const SteadyTime now = clock_.now();
  std::erase_if(recovered_, [now](const auto& entry) { return now > entry.second.since + kRecoveredKept; });
}

Result<std::vector<RecoveredSlot>> RecoveredWals::answer(const FootersWish& wish) const {
  const auto at = recovered_.find(wish.wal);
  if (at == recovered_.end() || wish.from < at->second.wal.from || wish.to > at->second.wal.seal)
    return fail(Code::kNotFound, "those slots were not read here");
  const std::set<PartitionId> wanted(wish.partitions.begin(), wish.partitions.end());
  std::vector<RecoveredSlot> slots;
  std::size_t batches = 0;
  for (const auto& slot : at->second.wal.slots) {
    if (slot.address.slot < wish.from || slot.address.slot >= wish.to) continue;
    RecoveredSlot part{slot.address, slot.object_size, {}};
    for (const auto& group : slot.groups) {
      if (!wanted.contains(group.partition)) continue;
      batches += group.batches.size();
      part.groups.push_back(group);
    }
    if (!part.groups.empty()) slots.push_back(std::move(part));
  }
  if (batches > kBatchesPerAnswer) return fail(Code::kNotFound, "that is too much for one answer");
  return slots;
}

}  // namespace millrace::storage
