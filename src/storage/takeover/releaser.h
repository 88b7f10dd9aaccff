// Releaser: gives up the partitions that the metadata wants elsewhere. Each stops accepting, all that was appended
// becomes durable, one commit releases them all (rule 10), and the controller names the next leader in the same entry.
// A partition that stopped accepting never accepts again in that epoch, whatever becomes of the commit (rule 11); it is
// repeated until the metadata shows the Release.
//
// With a disk WAL the successor could not read the slots, so everything becomes objects first. One thread.
#pragma once

#include <set>

#include "storage/compaction/compactor.h"
#include "storage/engine_parts.h"
#include "storage/log/partition_table.h"
#include "storage/takeover/released.h"

namespace millrace::storage {

class Releaser {
 public:
  Releaser(EngineParts& parts, Engine& engine, PartitionTable& table, Compactor& compactor,
           ReleasedPartitions& released)
      : parts_(parts), engine_(engine), table_(table), compactor_(compactor), released_(released) {}

  Task<void> run(Event& stopping);

 private:
  std::vector<PartitionId> to_release();
  bool leads(const PartitionId& id) const;
  Task<Result<void>> release(std::vector<PartitionId> ids);
  void resume(const std::vector<PartitionId>& ids);
  Task<Result<void>> commit(std::vector<cluster::Record> releases);
  Task<void> make_objects(const std::vector<PartitionId>& ids);
  bool local_wal() const;

  EngineParts& parts_;
  Engine& engine_;
  PartitionTable& table_;
  Compactor& compactor_;
  ReleasedPartitions& released_;
  std::set<PartitionId> stopped_;  // accept nothing and are not released yet: their move may have been taken back
};

}  // namespace millrace::storage
