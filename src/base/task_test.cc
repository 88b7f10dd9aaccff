#include "base/task.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"

namespace millrace {
namespace {

Task<void> set_after(Clock& clock, Event& event, Duration delay) {
  co_await sleep_for(clock, delay);
  event.set();
}

TEST(Event, wait_until_tells_the_event_from_the_deadline) {
  EventLoop loop;
  bool set_seen = false, late_seen = true;
  auto body = [](EventLoop& l, bool& set, bool& late) -> Task<void> {
    Event event;
    late = co_await event.wait_until(l.clock(), l.clock().now() + 1ms);
    TaskScope scope(l.executor());
    scope.spawn(set_after(l.clock(), event, 1ms));
    set = co_await event.wait_until(l.clock(), l.clock().now() + 10s);
    co_await scope.stop();
  };
  loop.run_until_done(body(loop, set_seen, late_seen));
  EXPECT_TRUE(set_seen);
  EXPECT_FALSE(late_seen);
}

TEST(AsyncQueue, keeps_order_holds_its_bound_and_drains_after_close) {
  EventLoop loop;
  std::vector<int> seen;
  auto produce = [](AsyncQueue<int>& queue) -> Task<void> {
    for (int i = 0; i < 100; ++i) co_await queue.push(i);
    queue.close();
  };
  auto body = [&](EventLoop& l, std::vector<int>& out) -> Task<void> {
    AsyncQueue<int> queue(3);
    TaskScope scope(l.executor());
    scope.spawn(produce(queue));
    while (auto item = co_await queue.pop()) {
      EXPECT_LE(queue.size(), 3u);
      out.push_back(*item);
    }
    co_await scope.stop();
  };
  loop.run_until_done(body(loop, seen));
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[i], i);
}

TEST(BlockingPool, gives_back_the_result_on_the_callers_executor) {
  EventLoop loop;
  int answer = 0;
  auto body = [](int& out) -> Task<void> {
    BlockingPool pool(2);
    out = co_await pool.run([] { return 42; });
  };
  loop.run_until_done(body(answer));
  EXPECT_EQ(answer, 42);
}

TEST(RunOn, crosses_threads_and_comes_back) {
  EventLoop loop;
  int answer = 0;
  auto body = [](int& out) -> Task<void> {
    LoopThread other("other");
    out = co_await run_on(other.executor(), []() -> Task<int> { co_return 7; });
  };
  loop.run_until_done(body(answer));
  EXPECT_EQ(answer, 7);
}

}  // namespace
}  // namespace millrace
