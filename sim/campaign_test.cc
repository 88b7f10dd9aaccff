#include <gtest/gtest.h>

#include "sim/run.h"

namespace millrace::sim {
namespace {

// Under the sanitizers; some hundred more run without them (tools/test, group sim).
TEST(Simulation, no_acknowledged_record_is_lost_moved_or_doubled) {
  const auto report = run_campaign({.first_seed = 1, .seeds = 20, .run = {.brokers = 1}});
  EXPECT_EQ(report.seeds_run, 20u);
  EXPECT_TRUE(report.failed.empty());
}

void caught(const char* name) {
  const Variant* variant = find_variant(name);
  ASSERT_TRUE(variant);
  const auto report = run_campaign({.first_seed = 1, .seeds = 20, .run = {.variant = *variant}, .stop_at_first = true});
  EXPECT_FALSE(report.failed.empty()) << name << " went unnoticed";
}

TEST(Simulation, acknowledging_before_durable_is_noticed) { caught("ack-before-durable"); }
TEST(Simulation, acknowledging_slots_out_of_order_is_noticed) { caught("ack-out-of-order"); }
TEST(Simulation, forgetting_producers_is_noticed) { caught("forget-producers"); }

}  // namespace
}  // namespace millrace::sim
