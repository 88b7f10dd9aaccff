// One thread's event loop with its clock: what production code runs on. The simulation has its own
// (sim/), on virtual time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/task.h"

namespace millrace {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();

  Executor executor();
  // Timers run on this loop. Thread: the loop's, but now() and wall_*() from any.
  Clock& clock();

  // Runs on the calling thread until `stop`.
  void run();
  // From any thread.
  void stop();

  // Runs `task` on the calling thread until it ends; for main() and tests.
  void run_until_done(Task<void> task);
  // Calls `action` on the loop when SIGTERM or SIGINT arrives.
  void on_stop_signal(std::function<void()> action);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An EventLoop on a thread of its own, named for ps and top; stopped and joined by the destructor.
class LoopThread {
 public:
  explicit LoopThread(std::string name);
  ~LoopThread();
  EventLoop& loop();
  Executor executor() { return loop().executor(); }
  Clock& clock() { return loop().clock(); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
