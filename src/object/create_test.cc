#include "object/create.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/event_loop.h"
#include "object/faulty_store.h"
#include "object/memory_store.h"

namespace millrace::object {
namespace {

// Answers PUTs and GETs from a script; `puts_applied` says whether an attempt took effect all the same.
class ScriptedStore final : public Store {
 public:
  struct Step {
    std::optional<Code> answer;  // nothing: what the memory store says
    bool applied = false;
  };
  std::deque<Step> puts, gets;
  std::vector<std::string> bodies;
  MemoryStore memory;

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    bodies.emplace_back(body.flatten().view());
    const Step step = next(puts);
    if (!step.answer) co_return co_await memory.put_if_absent(key, body);
    if (step.applied) co_await memory.put_if_absent(key, body);
    co_return fail(*step.answer, "scripted");
  }
  Task<Result<Object>> get(std::string key) override {
    const Step step = next(gets);
    if (!step.answer) co_return co_await memory.get(key);
    co_return fail(*step.answer, "scripted");
  }
  Task<Result<std::string>> put_if_match(std::string, SliceChain, std::string) override { co_return no(); }
  Task<Result<Slice>> get_range(std::string, ByteRange) override { co_return no(); }
  Task<Result<std::optional<Object>>> get_if_changed(std::string, std::string) override { co_return no(); }
  Task<Result<void>> remove(std::vector<std::string>) override { co_return no(); }
  Task<Result<std::vector<Listed>>> list(std::string, std::string, std::size_t) override { co_return no(); }

 private:
  static std::unexpected<Error> no() { return fail(Code::kUnsupported, "not scripted"); }
  static Step next(std::deque<Step>& steps) {
    if (steps.empty()) return {};
    const Step step = steps.front();
    steps.pop_front();
    return step;
  }
};

using Step = ScriptedStore::Step;

SliceChain chain(std::string_view text) {
  SliceChain out;
  out.append_copy(text.substr(0, text.size() / 2));
  out.append_copy(text.substr(text.size() / 2));
  return out;
}

struct Case {
  const char* name;
  std::deque<Step> puts, gets;
  const char* occupant;  // bytes at the key beforehand
  CreateOutcome outcome;
  int attempts;
};

class CreateObject : public testing::TestWithParam<Case> {};

TEST_P(CreateObject, outcome) {
  const Case& c = GetParam();
  EventLoop loop;
  auto random = make_seeded_random(3);
  ScriptedStore store;
  store.puts = c.puts;
  store.gets = c.gets;
  CreateResult result;
  auto body = [](EventLoop& l, Random& r, ScriptedStore& s, const char* occupant, CreateResult& out) -> Task<void> {
    if (occupant) {
      SliceChain bytes = chain(occupant);
      co_await s.memory.put_if_absent("k", bytes);
    }
    const CreateOptions options{.deadline = l.clock().now() + 60ms, .backoff_min = 1ms, .backoff_max = 2ms};
    SliceChain mine = chain("mine");
    out = co_await create_object(s, l.clock(), r, "k", mine, options);
  };
  loop.run_until_done(body(loop, *random, store, c.occupant, result));
  EXPECT_EQ(result.outcome, c.outcome) << result.error.to_string();
  if (c.attempts > 0) {
    EXPECT_EQ(result.attempts, c.attempts);
  }
  for (const auto& bytes : store.bodies) EXPECT_EQ(bytes, "mine");
  if (result.outcome == CreateOutcome::kCreated) {
    EXPECT_EQ(store.memory.objects().at("k").body.view(), "mine");
    EXPECT_EQ(store.memory.objects().at("k").etag, result.etag);
  }
  if (result.outcome == CreateOutcome::kLost) {
    EXPECT_EQ(result.occupant.body.view(), c.occupant);
  }
}

const std::deque<Step> kAlwaysTimeout(1000, Step{Code::kTimeout, false});
const std::deque<Step> kAlwaysBusy(1000, Step{Code::kUnavailable, false});
const std::deque<Step> kBusyAfterUnknown = [] {
  std::deque<Step> steps(1000, Step{Code::kUnavailable, false});
  steps.front() = Step{Code::kTimeout, true};
  return steps;
}();
const std::deque<Step> kGetsTimeOut(1000, Step{Code::kTimeout, false});

INSTANTIATE_TEST_SUITE_P(
    Table, CreateObject,
    testing::Values(
        Case{"first_try", {}, {}, nullptr, CreateOutcome::kCreated, 1},
        Case{"taken_by_others", {}, {}, "theirs", CreateOutcome::kLost, 1},
        Case{"same_length_but_others", {}, {}, "mime", CreateOutcome::kLost, 1},
        Case{"lost_reply_then_412_is_mine", {{Code::kTimeout, true}}, {}, nullptr, CreateOutcome::kCreated, 2},
        Case{"lost_request_then_created", {{Code::kTimeout, false}}, {}, nullptr, CreateOutcome::kCreated, 2},
        Case{"conflict_409_is_repeated",
             {{Code::kUnavailable, false}, {Code::kUnavailable, false}},
             {},
             nullptr,
             CreateOutcome::kCreated,
             3},
        Case{"full_disk_is_repeated", {{Code::kExhausted, false}}, {}, nullptr, CreateOutcome::kCreated, 2},
        Case{"412_then_404_is_deleted",
             {{Code::kExists, false}},
             {{Code::kNotFound, false}},
             nullptr,
             CreateOutcome::kDeleted,
             1},
        Case{"412_whose_get_fails_at_first",
             {},
             {{Code::kTimeout, false}, {Code::kUnavailable, false}},
             "theirs",
             CreateOutcome::kLost,
             1},
        Case{"412_never_read_is_unknown", {}, kGetsTimeOut, "theirs", CreateOutcome::kUnknown, 1},
        Case{"always_timeout_is_unknown", kAlwaysTimeout, {}, nullptr, CreateOutcome::kUnknown, 0},
        Case{"always_busy_is_refused", kAlwaysBusy, {}, nullptr, CreateOutcome::kRefused, 0},
        Case{"busy_after_an_unknown_is_unknown", kBusyAfterUnknown, {}, nullptr, CreateOutcome::kUnknown, 0},
        Case{"denied_is_refused_at_once", {{Code::kDenied, false}}, {}, nullptr, CreateOutcome::kRefused, 1},
        Case{"denied_after_an_unknown_is_unknown",
             {{Code::kTimeout, true}, {Code::kDenied, false}},
             {},
             nullptr,
             CreateOutcome::kUnknown,
             2}),
    [](const auto& info) { return info.param.name; });

Task<void> create_and_count(Store& store, EventLoop& loop, Random& random, std::string body, int& created, int& lost) {
  SliceChain bytes = chain(body);
  const CreateOptions options{.backoff_min = 1ms, .backoff_max = 5ms};
  const CreateResult result = co_await create_object(store, loop.clock(), random, "slot", bytes, options);
  if (result.outcome == CreateOutcome::kCreated) ++created;
  if (result.outcome == CreateOutcome::kLost) ++lost;
}

TEST(CreateObjectUnderFaults, every_race_has_one_winner_and_all_learn_it) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EventLoop loop;
    auto random = make_seeded_random(seed);
    MemoryStore memory;
    const FaultOptions faults{.lost_request = 0.1,
                              .lost_reply = 0.2,
                              .late_apply = 0.1,
                              .duplicate = 0.1,
                              .conflict = 0.2,
                              .slow = 0.1,
                              .timeout = 1ms,
                              .slow_max = 2ms,
                              .late_max = 10ms};
    FaultyStore store(memory, loop.executor(), loop.clock(), *random, faults);
    int created = 0, lost = 0;
    auto body = [](EventLoop& l, Random& r, FaultyStore& s, int& won, int& not_won) -> Task<void> {
      TaskScope scope(l.executor());
      for (int i = 0; i < 8; ++i) scope.spawn(create_and_count(s, l, r, "writer-" + std::to_string(i), won, not_won));
      co_await scope.stop();
      co_await s.settle();
    };
    loop.run_until_done(body(loop, *random, store, created, lost));
    EXPECT_EQ(created, 1) << "seed " << seed;
    EXPECT_EQ(lost, 7) << "seed " << seed;
  }
}

}  // namespace
}  // namespace millrace::object
