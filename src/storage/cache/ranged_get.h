// A ranged GET of an object that is there: asked again while the store cannot answer, five times at most, with longer
// pauses. Fails with the last error; the caller checks the length. `metrics` outlive it.
#pragma once

#include <string>

#include "base/clock.h"
#include "object/store.h"
#include "storage/metrics.h"

namespace millrace::storage {

inline Task<Result<Slice>> get_range_again(object::Store& store, Clock& clock, StorageMetrics& metrics, std::string key,
                                           object::ByteRange range) {
  constexpr int kAttempts = 5;
  constexpr Duration kReadRetry = 50ms;
  for (int attempt = 1;; ++attempt) {
    const SteadyTime begin = clock.now();
    Result<Slice> got = co_await store.get_range(key, range);
    metrics.get_seconds.Observe(std::chrono::duration<double>(clock.now() - begin).count());
    if (got || !got.error().retriable() || attempt == kAttempts) co_return got;
    co_await sleep_for(clock, kReadRetry * attempt);
  }
}

}  // namespace millrace::storage
