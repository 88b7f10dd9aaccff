// A Store that hides passing trouble and slow requests of the one behind it, within budgets. What it does:
//
//   reads, list, remove   a retriable failure is repeated, at most `attempts` in all, after a jittered back-off; all of
//                         them may be repeated without harm, as removed names are never used again
//   get, get_range        when no answer came after the latency that 95 % of such requests stay below (at least
//                         `hedge_read_min`), the same request is sent once more; the first answer wins
//   put_if_absent         likewise at 99 % and up to 16 MiB, with the same bytes. A success of either is a success; if
//                         one is refused (kExists), the other may have been the winner and is waited for. Never
//                         repeated otherwise: that is create.h's, which knows how to read the bytes back
//   put_if_match          passed through: a second one would lose against the first
//
// Each kind has a budget, a share of its calls (and a few in advance): a store in trouble is not asked twice as much.
// The request that lost runs on until its own end and may take effect later, as a write that a network delayed.
//
// Metrics: millrace_object_retries_total{op}, millrace_object_hedges_total{op}, millrace_object_hedges_won_total{op}.
// One thread. May be destroyed while calls run if the store behind it may.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"
#include "object/store.h"

namespace millrace::object {

struct ResilientOptions {
  bool hedge = true;
  int attempts = 3;
  Duration backoff_min = 50ms;
  Duration hedge_read_min = 50ms, hedge_put_min = 100ms;
  double retry_share = 0.1, hedge_read_share = 0.05, hedge_put_share = 0.02;
  double in_advance = 10;        // of each budget
  std::size_t samples_min = 20;  // of latency, before anything is hedged
};

std::unique_ptr<Store> make_resilient_store(std::unique_ptr<Store> store, Executor executor, Clock& clock,
                                            std::unique_ptr<Random> random, Metrics& metrics,
                                            ResilientOptions options = {});

}  // namespace millrace::object
