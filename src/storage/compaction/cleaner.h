// Cleaner: key compaction (cleanup.policy=compact) of the partitions that this broker leads.
//
// 1. clean_plan.h says which partitions are due; as many as fit into one object are cleaned together.
// 2. Per partition: the dirty part is read once for the newest offset of each key (key_map.h, bounded: when it is full,
//    the pass cleans up to the offset reached); then all extents from the log start on are read, filtered
//    (batch_filter.h) and written anew.
// 3. One record puts the new extents in the place of the old ones and notes up to where all is clean. It names what it
//    replaces (rule 9): if anything was merged, dropped or cleaned by another meanwhile, it is refused and nothing has
//    happened.
//
// The log goes on serving reads. Reads past the block cache; holds one object and the key map in memory; gives way to
// others between batches. One thread.
#pragma once

#include <map>
#include <vector>

#include "storage/compaction/batch_filter.h"
#include "storage/compaction/clean_plan.h"
#include "storage/compaction/object_stream.h"
#include "storage/compaction/rewrite.h"

namespace millrace::storage {

class Cleaner {
 public:
  explicit Cleaner(EngineParts& parts) : parts_(parts) {}

  // One plan's partitions; false when nothing is due.
  Task<Result<bool>> clean_once();

 private:
  struct Input {
    std::string key;
    cluster::Extent extent;
  };
  struct Pass {
    CleanWork work;
    std::vector<Input> inputs;
    std::int64_t map_end = 0;
    std::int64_t tombstones_due_ms = -1;
    std::uint64_t bytes_in = 0, dropped_records = 0;
  };
  Task<Result<bool>> clean_together(std::vector<CleanWork> works, bool cautious);
  void note(const std::vector<Pass>& passes, const RewriteOutput& output);
  std::vector<Input> inputs_of(CleanWork& work, bool cautious) const;
  bool soon_merged(const std::string& key) const;
  Task<Result<void>> clean(Pass& pass, RewriteOutput& output);
  Task<Result<void>> map_keys(Pass& pass, KeyMap& keys);
  Task<Result<void>> rewrite(Pass& pass, const KeyMap& keys, RewriteOutput& output);
  Task<void> breathe(std::size_t bytes);

  EngineParts& parts_;
  // The last pass lost its inputs to another broker's merge: the next one leaves alone what is still to be merged.
  bool cautious_ = false;
  std::size_t worked_ = 0;                              // bytes since others had their turn
  std::map<PartitionId, std::int64_t> tombstones_due_;  // as the last pass left them; not kept over restarts
};

}  // namespace millrace::storage
