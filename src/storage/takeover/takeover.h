// Takeover: opens the partitions with history that this process was given to lead (rules 13, 17). Each begins at its
// registered end with the registered producers. The batches after it a leader that released the partition tells
// (handover.h), or they are replayed from the slots of the WALs of its past leaders, which the metadata names: as
// whoever recovered them tells what is in them, else as read. Nothing is uploaded or copied. Many partitions at once
// share the slots and the objects that they need.
//
// Cost: one request to each live past leader, one to the recoverer for each WAL that is over, or one GET for each slot
// between the floor and the end of a WAL; and one GET for each run of adjacent producer states. Slots or objects that
// are replaced meanwhile: it looks again. One thread.
#pragma once

#include <map>
#include <set>

#include "storage/engine_parts.h"
#include "storage/log/partition_table.h"
#include "storage/takeover/handover.h"
#include "storage/wal/recovery.h"

namespace millrace::storage {

class Takeover {
 public:
  Takeover(EngineParts& parts, PartitionTable& table) : parts_(parts), table_(table) {}

  // Opens what is assigned and not open. Fails with the first error; what could be opened is.
  Task<Result<void>> open_assigned();
  // The same after every change of the metadata, until `stopping`.
  Task<void> run(Event& stopping);
  // Whatever is assigned now is open.
  bool done() const { return seen_ == parts_.cluster.state().takeovers() && !opening_; }

 private:
  struct Opening {
    PartitionId id;
    std::int32_t epoch = 0;
    std::int64_t base_offset = 0;
    std::int64_t registered_end = 0;
    std::int64_t log_start = 0;
    std::vector<cluster::PastLeadership> past;
    ProducerTable producers;
  };
  using SlotsOfWal = std::map<PartitionId, std::vector<std::pair<const RecoveredSlot*, const SlotGroup*>>>;
  struct Wal {
    SlotNumber from, to;
    bool recovered = false;
    std::vector<PartitionId> partitions;
    std::vector<RecoveredSlot> slots;
    SlotsOfWal groups;
  };
  using Wals = std::map<cluster::WalId, Wal>;

  std::vector<Opening> assigned() const;
  Task<Result<void>> open_some(std::vector<Opening> openings);
  Task<void> ask_past_leaders(const std::vector<Opening>& openings, Handovers& handovers);
  Result<Wals> wals_of(const std::vector<Opening>& openings, const Handovers& handovers) const;
  Task<Result<void>> read(Wals& wals);
  Task<Result<void>> load_producers(std::vector<Opening>& openings);
  Result<void> open(Opening& opening, const Handovers& handovers, const Wals& wals);
  Result<void> adopt(PartitionLog& log, const Handovers::Handed& handed);
  Result<void> replay(PartitionLog& log, const Opening& opening, const Wals& wals);

  EngineParts& parts_;
  PartitionTable& table_;
  std::uint64_t seen_ = ~std::uint64_t{0};  // takeovers in the metadata when all was opened last
  bool opening_ = false;
  std::size_t handed_over_ = 0;  // of those being opened
};

}  // namespace millrace::storage
