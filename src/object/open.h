// Opens the bucket that a URL names: file://DIR[?sync=on|off] (a path without scheme is a DIR), mem:, or
// s3://BUCKET[/PREFIX][?option=value&..] (s3_url.h has the options).
// file:// acknowledges after fsync of file and directory; sync=off acknowledges from the page cache. s3:// sends
// nothing yet: a wrong key, bucket or endpoint shows with the first request.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/task.h"
#include "object/environment.h"
#include "object/store.h"

namespace millrace::object {

// Errors name the URL and the remedy: unknown scheme or option (kInvalid), directory not writable
// (kDenied), directory held by another process (kExists, with its pid). Requests are counted in `metrics`
// (object/metered_store.h), their latency too when there is a clock; s3:// needs one. `environment` is where s3://
// finds region, endpoint and credentials that the URL does not name.
Result<std::unique_ptr<Store>> open_store(std::string url, Executor executor, BlockingPool& files, Metrics& metrics,
                                          Clock* clock = nullptr, Environment environment = {});

}  // namespace millrace::object
