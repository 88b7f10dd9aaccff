#include "base/event_loop.h"

#include <pthread.h>
#include <time.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>
#include <unordered_map>

namespace millrace {
namespace asio = boost::asio;

namespace {

constexpr Duration kTimerMax = std::chrono::hours(24 * 365);

class SystemClock final : public Clock {
 public:
  explicit SystemClock(asio::io_context& context) : context_(context) {}

  // It runs through a suspend: leases are counted on it (docs/spec/rules.md 25).
  SteadyTime now() const override {
    timespec at{};
    ::clock_gettime(CLOCK_BOOTTIME, &at);
    return SteadyTime(std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec));
  }
  std::int64_t wall_ms() const override { return wall_us() / 1000; }
  std::int64_t wall_us() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  TimerId call_at(SteadyTime when, std::move_only_function<void()> action) override {
    const TimerId id = ++last_id_;
    // Timers run on the kernel's other steady clock, which stands still in a suspend: they are late then, never early.
    const Duration ahead = std::min<Duration>(when - now(), kTimerMax);
    auto timer = std::make_unique<asio::steady_timer>(context_, std::chrono::steady_clock::now() + ahead);
    timer->async_wait([this, id, action = std::move(action)](const boost::system::error_code& error) mutable {
      if (error) return;  // cancelled: the entry is gone already
      if (timers_.erase(id) == 0) return;
      action();
    });
    timers_.emplace(id, std::move(timer));
    return id;
  }

  bool cancel(TimerId id) override { return timers_.erase(id) > 0; }

 private:
  asio::io_context& context_;
  std::unordered_map<TimerId, std::unique_ptr<asio::steady_timer>> timers_;
  TimerId last_id_ = 0;
};

}  // namespace

struct EventLoop::Impl {
  asio::io_context context{1};
  SystemClock clock{context};
  std::optional<asio::signal_set> signals;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

Executor EventLoop::executor() { return impl_->context.get_executor(); }
Clock& EventLoop::clock() { return impl_->clock; }

void EventLoop::run() {
  auto work = asio::make_work_guard(impl_->context);
  impl_->context.run();
}

void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::run_until_done(Task<void> task) {
  impl_->context.restart();
  asio::co_spawn(impl_->context, std::move(task), [this](std::exception_ptr error) {
    task_failed(error);
    impl_->context.stop();
  });
  run();
}

void EventLoop::on_stop_signal(std::function<void()> action) {
  impl_->signals.emplace(impl_->context, SIGINT, SIGTERM);
  impl_->signals->async_wait([action = std::move(action)](const boost::system::error_code& error, int) {
    if (!error) action();
  });
}

struct LoopThread::Impl {
  EventLoop loop;
  std::thread thread;
};

LoopThread::LoopThread(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    impl_->loop.run();
  });
}

LoopThread::~LoopThread() {
  impl_->loop.stop();
  impl_->thread.join();
}

EventLoop& LoopThread::loop() { return impl_->loop; }

}  // namespace millrace
