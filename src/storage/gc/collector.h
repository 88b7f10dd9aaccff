// Collector: retention by time and size, and what may leave the bucket. Retention raises log starts over whole extents
// (SetLogStart); objects without a live part are unregistered, then deleted. After opening and then once an hour, slots
// below their floor and objects that no Register ever named (below the orphan floor, which the controller raises) are
// found by LIST and deleted; Seals never are.
//
// Nothing is deleted on an unknown commit. Every failure is logged and tried again at the next interval. One thread.
#pragma once

#include "storage/engine_parts.h"

namespace millrace::storage {

class Collector {
 public:
  explicit Collector(EngineParts& parts) : parts_(parts) {}

  Task<void> run(Event& stopping);
  // One round of each, for tests also directly.
  Task<Result<void>> apply_retention();
  Task<Result<void>> delete_dead_objects();
  Task<Result<void>> delete_orphans();
  Task<Result<void>> delete_old_slots();

 private:
  bool may_collect(std::int32_t broker_id) const;
  bool needed(const SlotAddress& slot) const;

  EngineParts& parts_;
};

// Where `partition`'s log begins after retention; its present log start when nothing goes. A negative limit is none.
std::int64_t retained_from(const cluster::PartitionState& partition, std::uint64_t unregistered_bytes,
                           std::int64_t now_ms, std::int64_t retention_ms, std::int64_t retention_bytes);

}  // namespace millrace::storage
