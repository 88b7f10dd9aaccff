#include <gtest/gtest.h>

#include "sim/run.h"

namespace millrace::sim {
namespace {

// Under the sanitizers; some hundred more run without them (tools/test, group sim).
TEST(Simulation, no_acknowledged_record_is_lost_moved_or_doubled) {
  const auto report = run_campaign({.first_seed = 1, .seeds = 20});
  EXPECT_EQ(report.seeds_run, 20u);
  EXPECT_TRUE(report.failed.empty());
}

void caught(storage::Sabotage sabotage) {
  const auto report = run_campaign({.first_seed = 1, .seeds = 20, .sabotage = sabotage, .stop_at_first = true});
  EXPECT_FALSE(report.failed.empty()) << name_of(sabotage) << " went unnoticed";
}

TEST(Simulation, acknowledging_before_durable_is_noticed) { caught(storage::Sabotage::kAckBeforeDurable); }
TEST(Simulation, acknowledging_slots_out_of_order_is_noticed) { caught(storage::Sabotage::kAckOutOfOrder); }
TEST(Simulation, forgetting_producers_is_noticed) { caught(storage::Sabotage::kForgetProducers); }

}  // namespace
}  // namespace millrace::sim
