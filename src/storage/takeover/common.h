// What taking over WALs and partitions shares: the way to slots, and a loop that works when the metadata gives it
// something to do.
#pragma once

#include "base/log.h"
#include "storage/engine_parts.h"
#include "storage/wal/recovery.h"

namespace millrace::storage {

inline RecoveryContext recovery_context(EngineParts& parts) {
  return {parts.executor,
          parts.clock,
          parts.random,
          parts.store,
          parts.cluster.incarnation(),
          parts.options.put_unknown_deadline};
}

// Until `stopping` or the incarnation's end: `work` whenever `wanted`, looked at anew after each change of the
// metadata; after a failure, which is logged as the event `failed`, only `pause` later. Both callables live as long as
// the Task.
template <class Wanted, class Work>
Task<void> work_on_changes(EngineParts& parts, Event& stopping, const char* failed, Duration pause, Wanted wanted,
                           Work work) {
  while (!stopping.is_set() && !parts.committer.fenced().is_set()) {
    if (!wanted()) {
      co_await parts.cluster.changed().wait();
      continue;
    }
    const Result<void> done = co_await work();
    if (done || stopping.is_set()) continue;
    LOG_WARN(failed, {"error", done.error().to_string()});
    const SteadyTime later = parts.clock.now() + pause;
    co_await stopping.wait_until(parts.clock, later);
  }
}

}  // namespace millrace::storage
