// Buckets as the program opens them, with the process's environment, and `millrace bucket probe URL`: whether a store
// keeps the promises that Millrace's safety rests on (object/probe.h), and how fast it is. Exit codes: 0 all kept, 1
// not or not reachable, 2 wrong usage. Blocks; for main().
#pragma once

#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/metrics.h"
#include "base/random.h"
#include "object/store.h"

namespace millrace::app {

// What a bucket is made of: those that charge for each request get fewer of them.
bool charges_for_requests(const std::string& url);

Result<std::unique_ptr<object::Store>> open_bucket(const std::string& url, EventLoop& loop, BlockingPool& files,
                                                   Metrics& metrics);

// The short probe of a start: a store that breaks a promise is refused, with what it broke (kUnsupported). Passing
// trouble is waited out for some seconds.
Task<Result<void>> probe_at_start(object::Store& store, EventLoop& loop, Random& random);

int probe_bucket(const std::string& url, int rounds);

}  // namespace millrace::app
