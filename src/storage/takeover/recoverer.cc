#include "storage/takeover/recoverer.h"

#include <algorithm>
#include <map>

#include "storage/takeover/common.h"

namespace millrace::storage {
Task<void> Recoverer::run(Event& stopping) {
  const auto wanted = [this] { return !parts_.cluster.to_recover().empty(); };
  const auto recover = [this] { return recover_all(); };
  co_await work_on_changes(parts_, stopping, "wal.recovery_failed", 2s, wanted, recover);
}

Task<Result<void>> Recoverer::recover_all() {
  Result<void> result;
  for (const auto& wal : parts_.cluster.to_recover()) {
    Result<void> done = co_await recover(wal);
    if (!done && result) result = std::move(done);
  }
  co_return result;
}

std::optional<cluster::IncarnationState> Recoverer::state_if_fenced(const cluster::WalId& wal) const {
  const auto& brokers = parts_.cluster.state().brokers();
  const auto broker = brokers.find(wal.broker_id);
  if (broker == brokers.end()) return std::nullopt;
  const auto found = broker->second.incarnations.find(wal.incarnation);
  const bool fenced =
      found != broker->second.incarnations.end() && found->second.phase == cluster::IncarnationPhase::kFenced;
  return fenced ? std::optional(found->second) : std::nullopt;
}

Task<Result<void>> Recoverer::recover(cluster::WalId wal) {
  const auto fenced = state_if_fenced(wal);
  if (!fenced) co_return Result<void>();  // another was faster
  cluster::IncarnationState incarnation = *fenced;
  const cluster::SlotNumber floor = incarnation.floor;
  if (parts_.options.sabotage == Sabotage::kStaleFloor) incarnation.floor = cluster::SlotNumber(1);
  const RecoveryContext context = recovery_context(parts_);
  Result<RecoveredWal> done = co_await recover_wal(context, wal.broker_id, wal.incarnation, incarnation);
  if (!done && done.error().code() == Code::kNotFound) {
    CO_TRY_VOID(co_await parts_.cluster.prove_live());
    if (!state_if_fenced(wal)) co_return Result<void>();
    done = fail(Code::kCorrupt, done.error().message() + ", though no object has it");
  }
  CO_TRY(RecoveredWal read, std::move(done));
  read.from = floor;
  // The Seal was written or read back (rule 3): now its end may be told.
  std::vector<cluster::Record> records;
  records.emplace_back(ends_of(wal, read));
  recovered_.add(wal, std::move(read));
  auto committed = co_await parts_.cluster.commit(std::move(records));
  // kExists: another recoverer told it, and its Seal is the same, as the first one in order is the end.
  if (!committed && committed.error().code() != Code::kExists) {
    co_return fail(std::move(committed).error().with("committing the recovery of the WAL"));
  }
  co_return Result<void>();
}

// Rule 12: of the partitions that it leads now, the end of the current epoch's batches below the seal. (What lies below
// the floor is in objects, which the state machine looks at.)
cluster::RecoveredRecord Recoverer::ends_of(const cluster::WalId& wal, const RecoveredWal& read) const {
  const auto& state = parts_.cluster.state();
  std::map<PartitionId, std::int64_t> ends;
  for (const auto& slot : read.slots) {
    for (const auto& group : slot.groups) {
      const auto* partition = state.partition(group.partition);
      if (!partition || !partition->led_by(wal) || partition->leader_epoch != group.leader_epoch ||
          group.batches.empty())
        continue;
      const auto& last = group.batches.back();
      auto& end = ends[group.partition];
      end = std::max(end, last.base_offset + last.last_offset_delta + 1);
    }
  }
  // Batches that DeleteRecords overtook are in no object: the checkpoint still knows that they were there.
  state.for_each_partition([&](const PartitionId& id, const cluster::PartitionState& partition) {
    if (!partition.led_by(wal) || !partition.state) return;
    auto& end = ends[id];
    end = std::max(end, partition.state->end_offset);
  });
  cluster::RecoveredRecord record{wal.broker_id, wal.incarnation, read.from, read.seal, {}};
  for (const auto& [id, end] : ends) record.ends.push_back({id, end});
  return record;
}

}  // namespace millrace::storage
