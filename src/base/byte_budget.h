// ByteBudget: so many bytes of something at once; who comes beyond waits, first come first served. What is larger than
// the whole budget is let in alone. One thread.
#pragma once

#include <cstdint>

#include "base/task.h"

namespace millrace {

class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // Each `enter` that returned is followed by one `leave` of the same size.
  Task<void> enter(std::size_t bytes);
  void leave(std::size_t bytes);
  bool must_wait(std::size_t bytes) const { return arrived_ != served_ || !fits(bytes); }
  std::size_t bytes() const { return bytes_; }

 private:
  bool fits(std::size_t bytes) const { return bytes_ == 0 || bytes_ + bytes <= bytes_max_; }

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t arrived_ = 0, served_ = 0;
  Event room_;
};

}  // namespace millrace
