// The demo's load generator: `rate` transactions a second against Postgres, on a thread of its own, evenly
// spaced. When Postgres cannot keep up it runs as fast as it goes and does not catch up.
#pragma once

#include <atomic>
#include <memory>
#include <string>

namespace millrace::app {

class LoadGenerator {
 public:
  LoadGenerator(std::string conninfo, int rate_per_second);
  ~LoadGenerator();
  void start();
  void stop();  // after the transaction under way

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::app
