// Coroutines of Millrace: Task<T>, and the few one-thread primitives that they wait on.
//
// With net/ and base/system_clock.cc this is the only code that names Asio, so that Task can become a lighter
// type later. One thread runs one executor; everything here belongs to one thread unless it says
// otherwise. A Task that throws ends the process: failures travel as Result (base/result.h).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/result.h"

namespace millrace {

template <class T = void>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

// Ends the process when `error` is set: a Task let an exception out, which is a bug.
void task_failed(std::exception_ptr error);

// Suspends the calling Task; `start` gets a function that resumes it with a bool, to be called once,
// from any thread. The Task goes on on its own executor.
template <class Start>
Task<bool> suspend(Start start) {
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(bool)>(
      [](auto handler, Start begin) {
        auto executor = boost::asio::get_associated_executor(handler);
        begin(std::move_only_function<void(bool)>([handler = std::move(handler), executor](bool value) mutable {
          boost::asio::post(executor, [handler = std::move(handler), value]() mutable { handler(value); });
        }));
      },
      boost::asio::use_awaitable, std::move(start));
}

inline Task<void> yield_now() {
  co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
}

// Something to wait for. `set` releases all present and future waiters until `reset`; `pulse` releases
// those waiting now. One thread.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const { return set_; }
  void set();
  void reset() { set_ = false; }
  void pulse();

  Task<void> wait();
  // False when `deadline` came first.
  Task<bool> wait_until(Clock& clock, SteadyTime deadline);

 private:
  struct Waiter {
    std::move_only_function<void(bool)> resume;
    Clock* clock = nullptr;
    Clock::TimerId timer = 0;
  };
  std::vector<std::shared_ptr<Waiter>> waiters_;
  bool set_ = false;
};

// Sleeps; cannot be cut short. Loops that must stop wait on their stop Event with wait_until instead.
Task<void> sleep_until(Clock& clock, SteadyTime when);
inline Task<void> sleep_for(Clock& clock, Duration duration) { return sleep_until(clock, clock.now() + duration); }

// A value that is given once and awaited by any number of Tasks of the same thread. Copyable handle.
template <class T>
class Promise {
 public:
  Promise() : state_(std::make_shared<State>()) {}
  bool ready() const { return state_->value.has_value(); }
  void set(T value) const {
    CHECK(!ready());
    state_->value.emplace(std::move(value));
    state_->event.set();
  }
  // A copy of the value. Keeps the state alive itself, so the Promise may go away meanwhile.
  Task<T> wait() const { return wait_on(state_); }

 private:
  struct State {
    std::optional<T> value;
    Event event;
  };
  static Task<T> wait_on(std::shared_ptr<State> state) {
    if (!state->value) co_await state->event.wait();
    co_return *state->value;
  }
  std::shared_ptr<State> state_;
};

// A queue between Tasks of one thread, with a bound in items. `close` ends it: pops drain what is left,
// then answer nothing.
template <class T>
class AsyncQueue {
 public:
  explicit AsyncQueue(std::size_t items_max) : items_max_(items_max) {}
  std::size_t size() const { return items_.size(); }
  bool closed() const { return closed_; }
  // False when the queue was closed; waits while it is full.
  Task<bool> push(T item) {
    while (!closed_ && items_.size() >= items_max_) co_await not_full_.wait_once();
    if (closed_) co_return false;
    items_.push_back(std::move(item));
    not_empty_.event.pulse();
    co_return true;
  }
  // False when full or closed.
  bool try_push(T item) {
    if (closed_ || items_.size() >= items_max_) return false;
    items_.push_back(std::move(item));
    not_empty_.event.pulse();
    return true;
  }
  Task<std::optional<T>> pop() {
    while (items_.empty() && !closed_) co_await not_empty_.wait_once();
    co_return take();
  }
  std::optional<T> take() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    not_full_.event.pulse();
    return item;
  }
  void close() {
    closed_ = true;
    not_empty_.event.pulse();
    not_full_.event.pulse();
  }

 private:
  struct Gate {
    Event event;
    Task<void> wait_once() { return event.wait(); }
  };
  std::size_t items_max_;
  std::deque<T> items_;
  Gate not_empty_, not_full_;
  bool closed_ = false;
};

// Owns background Tasks. `stop` asks them to end (through `stopping()`) and waits; the destructor CHECKs that
// none is left. One thread.
class TaskScope {
 public:
  explicit TaskScope(Executor executor) : executor_(std::move(executor)) {}
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope() { CHECK(running_ == 0); }

  void spawn(Task<void> task);
  // Tasks wait on this beside whatever else they wait for, and end soon after it is set.
  Event& stopping() { return stopping_; }
  void request_stop() { stopping_.set(); }
  Task<void> stop();
  int running() const { return running_; }
  const Executor& executor() const { return executor_; }

 private:
  Executor executor_;
  Event stopping_;
  Event idle_;
  int running_ = 0;
};

// Runs `make_task()` on another executor (another thread) and answers here. The function object lives
// until the Task ends, so it may hold state; its captures must be safe to use over there.
template <class F>
auto run_on(Executor executor, F make_task) -> Task<typename std::invoke_result_t<F&>::value_type> {
  co_return co_await boost::asio::co_spawn(executor, std::move(make_task), boost::asio::use_awaitable);
}

// Runs `action` on `executor` soon; from any thread.
inline void post_to(const Executor& executor, std::move_only_function<void()> action) {
  boost::asio::post(executor, std::move(action));
}

// Starts a Task that nobody waits for and that owns all it needs; prefer TaskScope::spawn.
inline void spawn_on(Executor executor, Task<void> task) {
  boost::asio::co_spawn(std::move(executor), std::move(task), task_failed);
}

// Threads for calls that block (files, DuckDB). The queue is bounded by its callers, each of which
// waits for its own job. Destroying it waits for running jobs.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : pool_(threads) {}
  ~BlockingPool() { pool_.join(); }

  template <class F>
  Task<std::invoke_result_t<F&>> run(F job) {
    using R = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<R>) {
      co_await suspend([this, &job](std::move_only_function<void(bool)> resume) {
        boost::asio::post(pool_, [&job, resume = std::move(resume)]() mutable {
          job();
          resume(true);
        });
      });
    } else {
      std::optional<R> result;
      co_await suspend([this, &job, &result](std::move_only_function<void(bool)> resume) {
        boost::asio::post(pool_, [&job, &result, resume = std::move(resume)]() mutable {
          result.emplace(job());
          resume(true);
        });
      });
      co_return std::move(*result);
    }
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace millrace
