#include "base/byte_budget.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"

namespace millrace {
namespace {

Task<void> pass(ByteBudget& budget, std::size_t bytes, std::vector<std::size_t>& order, Event& leave) {
  co_await budget.enter(bytes);
  order.push_back(bytes);
  co_await leave.wait();
  budget.leave(bytes);
}

Task<void> crowd(Executor executor) {
  ByteBudget budget(10);
  TaskScope scope(executor);
  std::vector<std::size_t> order;
  Event leave;
  for (const std::size_t bytes : {6U, 7U, 1U, 25U}) scope.spawn(pass(budget, bytes, order, leave));
  for (int i = 0; i < 5; ++i) co_await yield_now();
  // The 1 would fit, but came after the 7.
  EXPECT_EQ(order, (std::vector<std::size_t>{6}));
  EXPECT_TRUE(budget.must_wait(1));
  leave.pulse();
  for (int i = 0; i < 5; ++i) co_await yield_now();
  EXPECT_EQ(order, (std::vector<std::size_t>{6, 7, 1}));
  leave.pulse();
  for (int i = 0; i < 5; ++i) co_await yield_now();
  EXPECT_EQ(order, (std::vector<std::size_t>{6, 7, 1, 25}));
  EXPECT_EQ(budget.bytes(), 25U);
  leave.set();
  co_await scope.stop();
  EXPECT_EQ(budget.bytes(), 0U);
}

TEST(ByteBudget, first_come_first_served_and_what_is_too_large_goes_alone) {
  EventLoop loop;
  loop.run_until_done(crowd(loop.executor()));
}

}  // namespace
}  // namespace millrace
