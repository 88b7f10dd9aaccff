#include "cluster/lease.h"

#include <gtest/gtest.h>

namespace millrace::cluster {
namespace {

constexpr SteadyTime kStart{std::chrono::hours(5)};
constexpr LeaseTerms kTerms{4s, 1s};

TEST(HeldLease, counts_from_the_sending_of_the_heartbeat_that_was_granted) {
  HeldLease lease;
  EXPECT_FALSE(lease.holds(kStart));
  const auto first = lease.wish(kStart), second = lease.wish(kStart + 1s);
  lease.granted(first, kTerms.lease);
  EXPECT_TRUE(lease.holds(kStart + 3999ms));
  EXPECT_FALSE(lease.holds(kStart + 4s));
  lease.granted(second, kTerms.lease);
  EXPECT_TRUE(lease.holds(kStart + 4999ms));
  EXPECT_FALSE(lease.holds(kStart + 5s));
}

TEST(HeldLease, an_answer_that_names_an_unknown_or_older_heartbeat_changes_nothing) {
  HeldLease lease;
  const auto first = lease.wish(kStart), second = lease.wish(kStart + 2s);
  lease.granted(second, kTerms.lease);
  lease.granted(first, kTerms.lease);
  lease.granted(second + 1, kTerms.lease);
  EXPECT_TRUE(lease.holds(kStart + 5999ms));
  EXPECT_FALSE(lease.holds(kStart + 6s));
}

TEST(GivenLease, an_entry_that_was_sent_before_the_heartbeat_came_grants_nothing) {
  GivenLease lease(kStart);
  lease.asked(1, 8);
  lease.committed(7, kStart + 1s);
  EXPECT_EQ(lease.granted(), 0u);
  EXPECT_TRUE(lease.over(kStart + 5s, kTerms));
  lease.committed(8, kStart + 2s);
  EXPECT_EQ(lease.granted(), 1u);
  EXPECT_FALSE(lease.over(kStart + 6999ms, kTerms));
  EXPECT_TRUE(lease.over(kStart + 7s, kTerms));
}

TEST(GivenLease, one_entry_grants_all_that_wait_for_it_and_none_without_a_wish) {
  GivenLease lease(kStart);
  lease.asked(1, 3);
  lease.asked(2, 3);
  lease.asked(3, 4);
  lease.committed(3, kStart + 1s);
  EXPECT_EQ(lease.granted(), 2u);
  EXPECT_TRUE(lease.wanted());
  lease.committed(5, kStart + 2s);
  EXPECT_EQ(lease.granted(), 3u);
  lease.committed(6, kStart + 4s);
  EXPECT_TRUE(lease.over(kStart + 7s, kTerms)) << "an entry that nobody asked for is no grant";
}

// What rule 26 rests on, on both sides at once: whatever the delays, and clocks that drift within the margin.
TEST(Lease, the_controllers_count_ends_after_the_holders) {
  const LeaseTerms terms = lease_terms(6s);
  for (const int slow_percent : {0, 5, 10}) {  // the holder's clock
    for (const auto delay : {0ms, 300ms, 2000ms, 9000ms}) {
      HeldLease held;
      GivenLease given(kStart);
      const auto wish = held.wish(kStart);
      given.asked(wish, 1);
      const SteadyTime grant = kStart + delay;
      given.committed(1, grant);
      held.granted(given.granted(), terms.lease);
      EXPECT_TRUE(held.holds(kStart + terms.lease - 1ns) && !held.holds(kStart + terms.lease));
      const Duration last_held =
          (terms.lease - 1ns) * 100 / (100 - slow_percent);  // as the controller's clock shows it
      EXPECT_FALSE(given.over(kStart + last_held, terms)) << slow_percent;
    }
  }
}

}  // namespace
}  // namespace millrace::cluster
