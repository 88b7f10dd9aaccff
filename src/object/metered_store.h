// A Store that counts: requests, bytes, latency and errors per operation, for any driver behind it. Outcomes that the
// protocol expects (a lost create, an absent key, an unchanged object) are answers, not errors. Adds nothing to a
// call but the counting. One thread, as the store behind it.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "object/store.h"

namespace millrace::object {

// Metrics: millrace_object_requests_total{op,result}, millrace_object_bytes_total{op},
// millrace_object_request_seconds{op}. `clock` may be null: then no latency.
std::unique_ptr<Store> make_metered_store(std::unique_ptr<Store> store, Clock* clock, Metrics& metrics);

}  // namespace millrace::object
