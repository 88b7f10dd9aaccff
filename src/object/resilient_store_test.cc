#include "object/resilient_store.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "object/memory_store.h"
#include "object/test_wait.h"

namespace millrace::object {
namespace {

// Answers each call as the next step says, over a memory store; without steps left, at once and truly.
class SteppedStore final : public Store {
 public:
  struct Step {
    Duration delay = 0ms;
    std::optional<Code> failure;
    bool applied = true;  // whether a failed PUT took effect
  };
  explicit SteppedStore(Clock& clock) : clock_(clock) {}

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    const Step step = next();
    Result<std::string> answer = fail(Code::kInternal, "not applied");
    if (!step.failure || step.applied) answer = co_await inner_.put_if_absent(key, body);
    if (step.delay > 0ms) co_await sleep_for(clock_, step.delay);
    if (step.failure) co_return fail(*step.failure, "told to");
    co_return answer;
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    ++calls;
    co_return co_await inner_.put_if_match(key, body, etag);
  }
  Task<Result<Object>> get(std::string key) override {
    const Step step = next();
    if (step.delay > 0ms) co_await sleep_for(clock_, step.delay);
    if (step.failure) co_return fail(*step.failure, "told to");
    co_return co_await inner_.get(key);
  }
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    const Step step = next();
    if (step.delay > 0ms) co_await sleep_for(clock_, step.delay);
    if (step.failure) co_return fail(*step.failure, "told to");
    co_return co_await inner_.get_range(key, range);
  }
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    ++calls;
    co_return co_await inner_.get_if_changed(key, etag);
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override {
    const Step step = next();
    auto removed = co_await inner_.remove(keys);
    if (step.failure) co_return fail(*step.failure, "told to");
    co_return removed;
  }
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    const Step step = next();
    if (step.failure) co_return fail(*step.failure, "told to");
    co_return co_await inner_.list(prefix, start_after, limit);
  }

  std::vector<Step> steps;
  int calls = 0;

 private:
  Step next() {
    ++calls;
    if (steps.empty()) return {};
    const Step step = steps.front();
    steps.erase(steps.begin());
    return step;
  }
  Clock& clock_;
  MemoryStore inner_;
};

class Resilient : public testing::Test {
 protected:
  void SetUp() override {
    ResilientOptions options;
    options.backoff_min = 1ms;
    options.hedge_read_min = options.hedge_put_min = 100ms;
    options.retry_share = options.hedge_read_share = options.hedge_put_share = 0;
    options.in_advance = 4;
    auto stepped = std::make_unique<SteppedStore>(loop_.clock());
    behind_ = stepped.get();
    store_ = make_resilient_store(std::move(stepped), loop_.executor(), loop_.clock(), make_seeded_random(1), metrics_,
                                  options);
    put("key", "0123456789");
    for (int i = 0; i < 130; ++i) {  // the windows are full, so that a few slow ones change no quantile
      (void)wait(store_->get("key"));
      (void)wait(store_->get_range("key", {0, 1}));
      put("warm/" + std::to_string(i), "x");
    }
    behind_->calls = 0;
  }
  template <class T>
  Result<T> wait(Task<Result<T>> task) {
    return wait_on(loop_, std::move(task));
  }
  Result<std::string> put(const std::string& key, const std::string& body) {
    SliceChain chain;
    chain.append_copy(body);
    return wait(store_->put_if_absent(key, chain));
  }
  // Lets what lost its race end.
  void settle() { loop_.run_until_done(sleep_for(loop_.clock(), 250ms)); }

  EventLoop loop_;
  Metrics metrics_;
  SteppedStore* behind_ = nullptr;
  std::unique_ptr<Store> store_;
};

TEST_F(Resilient, reads_are_repeated_while_the_budget_lasts) {
  behind_->steps = {{0ms, Code::kTimeout}, {0ms, Code::kUnavailable}};
  EXPECT_TRUE(wait(store_->get("key")));
  EXPECT_EQ(behind_->calls, 3);
  behind_->steps.assign(3, {0ms, Code::kTimeout});
  EXPECT_EQ(wait(store_->get("key")).error().code(), Code::kTimeout);
  EXPECT_EQ(behind_->calls, 6);
  behind_->steps.assign(3, {0ms, Code::kTimeout});  // all four are spent
  EXPECT_FALSE(wait(store_->get("key")));
  EXPECT_EQ(behind_->calls, 7);
  EXPECT_NE(metrics_.expose().find("millrace_object_retries_total{op=\"read\"} 4"), std::string::npos);
}

TEST_F(Resilient, definite_answers_are_not_questioned) {
  behind_->steps = {{0ms, Code::kDenied}};
  EXPECT_EQ(wait(store_->get("key")).error().code(), Code::kDenied);
  EXPECT_EQ(wait(store_->get("absent")).error().code(), Code::kNotFound);
  EXPECT_EQ(behind_->calls, 2);
}

TEST_F(Resilient, lists_and_removals_are_repeated) {
  behind_->steps = {{0ms, Code::kTimeout}};
  EXPECT_EQ(wait(store_->list("warm/", "", 200))->size(), 130u);
  behind_->steps = {{0ms, Code::kTimeout}};
  EXPECT_TRUE(wait(store_->remove({"warm/1", "warm/2"})));
  EXPECT_EQ(behind_->calls, 4);
}

TEST_F(Resilient, a_slow_read_is_asked_twice_and_the_first_answer_counts) {
  behind_->steps = {{5s, std::nullopt}};
  const SteadyTime begin = loop_.clock().now();
  EXPECT_EQ(wait(store_->get_range("key", {2, 3}))->view(), "234");
  EXPECT_LT(loop_.clock().now() - begin, 3s);
  EXPECT_EQ(behind_->calls, 2);
  behind_->steps = {{200ms, std::nullopt}, {5s, std::nullopt}};
  EXPECT_EQ(wait(store_->get_range("key", {2, 3}))->view(), "234");
  EXPECT_EQ(behind_->calls, 4);
  const std::string told = metrics_.expose();
  EXPECT_NE(told.find("millrace_object_hedges_total{op=\"read\"} 2"), std::string::npos);
  EXPECT_NE(told.find("millrace_object_hedges_won_total{op=\"read\"} 1"), std::string::npos);
}

TEST_F(Resilient, a_slow_put_is_sent_twice_and_its_own_loss_is_no_loss) {
  // The first one lands but answers late; the second is refused at once, and must not be believed.
  behind_->steps = {{300ms, std::nullopt}};
  EXPECT_TRUE(put("mine", "body"));
  EXPECT_EQ(behind_->calls, 2);
  // Both refused: somebody else's.
  behind_->steps = {{300ms, std::nullopt}};
  EXPECT_EQ(put("mine", "other").error().code(), Code::kExists);
}

TEST_F(Resilient, an_unknown_put_outweighs_one_that_was_not_applied) {
  behind_->steps = {{200ms, Code::kTimeout, false}, {200ms, Code::kUnavailable, false}};
  EXPECT_EQ(put("a", "body").error().code(), Code::kTimeout);
  behind_->steps = {{200ms, Code::kUnavailable, false}, {200ms, Code::kUnavailable, false}};
  EXPECT_EQ(put("b", "body").error().code(), Code::kUnavailable);
  EXPECT_EQ(behind_->calls, 4);
}

TEST_F(Resilient, a_failed_put_is_not_repeated_here) {
  behind_->steps = {{0ms, Code::kTimeout, false}};
  EXPECT_EQ(put("a", "body").error().code(), Code::kTimeout);
  EXPECT_EQ(behind_->calls, 1);
}

TEST_F(Resilient, second_requests_have_a_budget) {
  for (int i = 0; i < 6; ++i) {
    behind_->steps = {{200ms, std::nullopt}, {200ms, std::nullopt}};
    EXPECT_TRUE(wait(store_->get("key")));
    settle();
    behind_->steps.clear();
  }
  EXPECT_EQ(behind_->calls, 6 + 4);
}

}  // namespace
}  // namespace millrace::object
