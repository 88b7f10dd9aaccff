// World: virtual time and the places where code runs. One thread, one seed.
//
// Each place (the world itself: bucket, network, clients, checkers; and one per broker process) has its own io_context,
// run one handler at a time in an order drawn from the seed, and its own clocks, which run apart. When nothing is
// ready, time jumps to the next timer. A paused place runs nothing until its pause ends, then its timers are late. A
// crash is a place that is never run again: its memory is kept, not destroyed, because destructors are code that a
// killed process would not run either. What it sent to other places lives on.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"

namespace millrace::sim {

class World;

// A place's own view of the world's time.
class SimClock final : public Clock {
 public:
  SimClock(World& world, SteadyTime begin) : world_(world), begin_(begin) {}
  SteadyTime now() const override;
  std::int64_t wall_ms() const override { return wall_us() / 1000; }
  std::int64_t wall_us() const override;
  TimerId call_at(SteadyTime when, std::move_only_function<void()> action) override;
  bool cancel(TimerId id) override;

  Duration skew{0};            // of the wall clock; may change at any time
  Duration steady_skew{0};     // of the steady clock, whose zero is each process' own
  std::int64_t drift_ppm = 0;  // of both, since the place began
  bool dead = false;
  SteadyTime paused_until{};  // of the world

 private:
  friend class World;
  Duration drifted(SteadyTime at) const;
  SteadyTime world_time_of(SteadyTime own) const;

  World& world_;
  SteadyTime begin_;  // the world's time when the place began
};

struct Place {
  explicit Place(World& world);
  Executor executor() { return context.get_executor(); }

  boost::asio::io_context context{1};
  SimClock clock;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  std::uint64_t handlers = 0;                // run so far
  std::uint64_t die_at = ~std::uint64_t{0};  // crash before that handler
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(make_seeded_random(seed)) { add_place(main_); }

  Random& random() { return *random_; }
  std::uint64_t below(std::uint64_t bound) { return random_->below(bound); }
  // True in `percent` of the cases; draws nothing when that is 0.
  bool chance(std::uint64_t percent) { return percent > 0 && below(100) < percent; }
  Duration up_to(Duration most) { return Duration(below(static_cast<std::uint64_t>(most.count()) + 1)); }
  Place& main() { return *main_; }
  SteadyTime now() const { return now_; }
  std::shared_ptr<Place> new_place();
  // The place stops for ever, between two of its handlers.
  void kill(Place& place);
  // It stops for a while and does not know it (SIGSTOP, a virtual machine that is moved).
  void pause(Place& place, Duration duration);
  // Runs until `done`, or nothing is left to do, or `limit` is reached; false in the latter two cases.
  bool run_until(const bool& done, SteadyTime limit);

  // Everything that happened, in order; equal for equal seeds.
  void trace(std::string_view what, std::string_view detail = {});
  // Also to the log, with the virtual time.
  void log_events(bool on) { log_events_ = on; }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }

 private:
  friend class SimClock;
  struct Timer {
    SimClock* owner = nullptr;
    std::move_only_function<void()> action;
  };
  using TimerKey = std::pair<SteadyTime, Clock::TimerId>;

  void add_place(std::shared_ptr<Place>& place);
  bool run_one();
  bool advance(SteadyTime limit);

  std::unique_ptr<Random> random_;
  SteadyTime now_{std::chrono::hours(1)};
  Clock::TimerId last_timer_ = 0;
  std::map<TimerKey, Timer> timers_;
  std::map<Clock::TimerId, SteadyTime> timer_times_;
  std::vector<std::shared_ptr<Place>> places_;  // alive
  std::shared_ptr<Place> main_;
  std::uint64_t hash_ = 14695981039346656037u;
  std::uint64_t events_ = 0;
  bool log_events_ = false;
};

}  // namespace millrace::sim
