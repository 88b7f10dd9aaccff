#include <gtest/gtest.h>

#include "sim/run.h"

namespace millrace::sim {
namespace {

// A few of everything under the sanitizers; thousands run without them (tools/test, group sim).

TEST(Simulation, no_acknowledged_record_is_lost_moved_or_doubled) {
  const auto report = run_campaign({.first_seed = 1, .seeds = 12, .run = {}});
  EXPECT_EQ(report.seeds_run, 12u);
  EXPECT_TRUE(report.failed.empty());
}

TEST(Simulation, scenarios_end_well) {
  for (const char* name :
       {"paused-leader", "holes", "racing-claims", "forced-moves", "rolling-restart", "moved-volume", "power-losses"}) {
    const auto report = run_campaign({.first_seed = 1, .seeds = 1, .run = {.scenario = name}});
    EXPECT_EQ(report.seeds_run, 1u);
    EXPECT_TRUE(report.failed.empty()) << name;
  }
}

void caught(const char* name) {
  const Variant* variant = find_variant(name);
  ASSERT_TRUE(variant);
  const Campaign campaign{.first_seed = 1, .seeds = 20, .run = {.variant = *variant}, .stop_at_first = true};
  const auto report = run_campaign(campaign);
  EXPECT_FALSE(report.failed.empty()) << name << " went unnoticed";
}

// The others: make sim-mutants.
TEST(Simulation, acknowledging_before_durable_is_noticed) { caught("ack-before-durable"); }
TEST(Simulation, acknowledging_slots_out_of_order_is_noticed) { caught("ack-out-of-order"); }
TEST(Simulation, forgetting_producers_is_noticed) { caught("forget-producers"); }
TEST(Simulation, a_bucket_without_create_only_puts_is_noticed) { caught("plain-put"); }

}  // namespace
}  // namespace millrace::sim
