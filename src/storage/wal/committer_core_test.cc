#include "storage/wal/committer_core.h"

#include <gtest/gtest.h>

namespace millrace::storage {
namespace {

using Kind = CommitterCore::Decision::Kind;
using cluster::SlotNumber;

constexpr SteadyTime kStart{std::chrono::hours(1)};

CommitterOptions generous() { return {.puts_per_second_max = 1e6}; }

TEST(CommitterCore, the_first_batch_is_cut_at_once) {
  CommitterCore core(generous());
  EXPECT_EQ(core.decide(kStart).kind, Kind::kIdle);
  core.added(100, kStart);
  EXPECT_EQ(core.decide(kStart).kind, Kind::kCut);
}

TEST(CommitterCore, with_a_put_in_flight_batches_wait_for_linger) {
  CommitterCore core(generous());
  core.added(100, kStart);
  core.cut(kStart);
  core.sent();
  core.added(100, kStart + 1ms);
  const auto decision = core.decide(kStart + 1ms);
  EXPECT_EQ(decision.kind, Kind::kWait);
  EXPECT_EQ(decision.when, kStart + 6ms);
  EXPECT_EQ(core.decide(kStart + 6ms).kind, Kind::kCut);
  core.durable(SlotNumber(1));
  EXPECT_EQ(core.decide(kStart + 2ms).kind, Kind::kCut) << "nothing is in flight any more";
}

TEST(CommitterCore, a_full_slot_waits_for_nothing) {
  CommitterCore core({.slot_bytes_max = 1000, .puts_per_second_max = 0.001});
  core.added(999, kStart);
  EXPECT_FALSE(core.is_full_for(1));
  EXPECT_TRUE(core.is_full_for(2));
  core.added(1, kStart);
  EXPECT_EQ(core.decide(kStart).kind, Kind::kCut);
}

TEST(CommitterCore, the_budget_makes_small_slots_coalesce) {
  CommitterCore core({.puts_per_second_max = 1});
  core.added(10, kStart);
  EXPECT_EQ(core.decide(kStart).kind, Kind::kCut);
  core.sent();
  core.durable(core.cut(kStart));
  core.added(10, kStart + 10ms);
  const auto decision = core.decide(kStart + 10ms);
  EXPECT_EQ(decision.kind, Kind::kWait);
  EXPECT_GT(decision.when, kStart + 900ms);
  core.drain();
  EXPECT_EQ(core.decide(kStart + 10ms).kind, Kind::kCut);
}

TEST(CommitterCore, slots_are_acknowledged_in_order_only) {
  CommitterCore core(generous());
  for (int i = 0; i < 3; ++i) {
    core.added(1, kStart);
    core.cut(kStart);
    core.sent();
  }
  EXPECT_EQ(core.durable(SlotNumber(2)), 0u);
  EXPECT_EQ(core.acked(), SlotNumber(0));
  EXPECT_EQ(core.durable(SlotNumber(1)), 2u);
  EXPECT_EQ(core.acked(), SlotNumber(2));
  EXPECT_EQ(core.durable(SlotNumber(3)), 1u);
  EXPECT_TRUE(core.idle());
}

TEST(CommitterCore, nothing_is_acknowledged_after_the_end) {
  CommitterCore core(generous());
  core.added(1, kStart);
  core.cut(kStart);
  core.sent();
  core.end();
  EXPECT_EQ(core.durable(SlotNumber(1)), 0u);
  EXPECT_FALSE(core.may_send());
  EXPECT_EQ(core.decide(kStart).kind, Kind::kIdle);
}

}  // namespace
}  // namespace millrace::storage
