#include "base/task.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace millrace {

void task_failed(std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "millrace: a task let an exception out: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "millrace: a task let an unknown exception out\n");
  }
  std::abort();
}

void Event::set() {
  set_ = true;
  pulse();
}

void Event::pulse() {
  auto waiters = std::move(waiters_);
  waiters_.clear();
  for (auto& waiter : waiters) {
    if (!waiter->resume) continue;  // its deadline came first
    if (waiter->clock) waiter->clock->cancel(waiter->timer);
    auto resume = std::exchange(waiter->resume, nullptr);
    resume(true);
  }
}

Task<void> Event::wait() {
  if (set_) co_return;
  co_await suspend([this](std::move_only_function<void(bool)> resume) {
    waiters_.push_back(std::make_shared<Waiter>(Waiter{std::move(resume)}));
  });
}

Task<bool> Event::wait_until(Clock& clock, SteadyTime deadline) {
  if (set_) co_return true;
  co_return co_await suspend([this, &clock, deadline](std::move_only_function<void(bool)> resume) {
    auto waiter = std::make_shared<Waiter>(Waiter{std::move(resume), &clock});
    std::erase_if(waiters_, [](const auto& w) { return !w->resume; });
    waiters_.push_back(waiter);
    waiter->timer = clock.call_at(deadline, [waiter] {
      if (auto resume_late = std::exchange(waiter->resume, nullptr)) resume_late(false);
    });
  });
}

Task<void> sleep_until(Clock& clock, SteadyTime when) {
  co_await suspend([&clock, when](std::move_only_function<void(bool)> resume) {
    clock.call_at(when, [resume = std::move(resume)]() mutable { resume(true); });
  });
}

void TaskScope::spawn(Task<void> task) {
  ++running_;
  boost::asio::co_spawn(executor_, std::move(task), [this](std::exception_ptr error) {
    task_failed(error);
    if (--running_ == 0) idle_.pulse();
  });
}

Task<void> TaskScope::stop() {
  request_stop();
  while (running_ > 0) co_await idle_.wait();
}

}  // namespace millrace
