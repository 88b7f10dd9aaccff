#include "base/byte_budget.h"

namespace millrace {

Task<void> ByteBudget::enter(std::size_t bytes) {
  const std::uint64_t turn = arrived_++;
  while (turn != served_ || !fits(bytes)) co_await room_.wait();
  ++served_;
  bytes_ += bytes;
  // The next one may fit, too.
  if (arrived_ != served_) room_.pulse();
}

void ByteBudget::leave(std::size_t bytes) {
  bytes_ -= bytes;
  if (arrived_ != served_) room_.pulse();
}

}  // namespace millrace
