// Recoverer: seals the WALs of incarnations that are over and tells the metadata log where they end (rules 2, 3, 12),
// so that others may lead their partitions. What to recover the cluster says: this broker's earlier incarnations, and,
// as the controller, brokers that are gone. One thread.
#pragma once

#include "storage/engine_parts.h"
#include "storage/takeover/recovered.h"
#include "storage/wal/recovery.h"

namespace millrace::storage {

class Recoverer {
 public:
  Recoverer(EngineParts& parts, RecoveredWals& recovered) : parts_(parts), recovered_(recovered) {}

  // Recovers whatever there is to recover now. A failure is of one WAL; it may be repeated.
  Task<Result<void>> recover_all();
  // The same whenever there is something, until `stopping`.
  Task<void> run(Event& stopping);

 private:
  Task<Result<void>> recover(cluster::WalId wal);
  std::optional<cluster::IncarnationState> state_if_fenced(const cluster::WalId& wal) const;
  cluster::RecoveredRecord ends_of(const cluster::WalId& wal, const RecoveredWal& read) const;

  EngineParts& parts_;
  RecoveredWals& recovered_;
};

}  // namespace millrace::storage
