#include "storage/compaction/rewriter.h"

#include "base/log.h"

namespace millrace::storage {

// Whether there may be more to do at once.
bool Rewriter::goes_on(Result<bool> done, const char* what) {
  if (done) return *done;
  parts_.metrics.rewrite_failures.Increment();
  LOG_WARN("rewrite.failed", {"what", what}, {"error", done.error().to_string()});
  return false;
}

Task<void> Rewriter::run(Event& stopping) {
  while (!stopping.is_set() && !parts_.committer.fenced().is_set()) {
    bool more = false;
    if (parts_.options.cleaner_enabled) {
      Result<bool> cleaned = co_await cleaner_.clean_once();
      more = goes_on(std::move(cleaned), "cleaning by key");
    }
    if (!stopping.is_set()) {
      Result<bool> merged = co_await merger_.merge_once();
      more = goes_on(std::move(merged), "merging objects") || more;
    }
    if (!more) co_await stopping.wait_until(parts_.clock, parts_.clock.now() + parts_.options.rewrite_interval);
  }
}

}  // namespace millrace::storage
