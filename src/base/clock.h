// Time as a port. Production reads the kernel's clocks; the simulation owns a virtual one. Clocks
// decide when Millrace tries something, never whether data is safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace millrace {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;  // NOLINT: 250ms reads better than a constructor call

// Monotonic time of one process; never compared across processes.
struct SteadyDomain {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyDomain, duration>;
  static constexpr bool is_steady = true;
};
using SteadyTime = SteadyDomain::time_point;

class Clock {
 public:
  using TimerId = std::uint64_t;
  virtual ~Clock() = default;

  virtual SteadyTime now() const = 0;
  // Milliseconds since 1970 UTC, as record timestamps have them; may jump either way.
  virtual std::int64_t wall_ms() const = 0;
  virtual std::int64_t wall_us() const = 0;

  // Calls `action` on the clock's own executor at or after `when`. One thread: the clock's.
  virtual TimerId call_at(SteadyTime when, std::move_only_function<void()> action) = 0;
  // True when the action had not begun and now never will.
  virtual bool cancel(TimerId id) = 0;
};

}  // namespace millrace
