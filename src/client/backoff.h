// Pauses between attempts: 20 ms, doubling up to 1 s, never beyond the caller's deadline.
#pragma once

#include <algorithm>

#include "base/clock.h"
#include "base/task.h"

namespace millrace::client {

class Backoff {
 public:
  // `clock` must outlive the waits.
  Backoff(Clock& clock, SteadyTime deadline) : clock_(clock), deadline_(deadline) {}

  // False, at once, when the deadline would pass before the next attempt.
  Task<bool> wait() {
    const SteadyTime next = clock_.now() + std::exchange(pause_, std::min<Duration>(pause_ * 2, 1s));
    if (next >= deadline_) co_return false;
    co_await sleep_until(clock_, next);
    co_return true;
  }
  void reset() { pause_ = 20ms; }

 private:
  Clock& clock_;
  SteadyTime deadline_;
  Duration pause_ = 20ms;
};

}  // namespace millrace::client
