// Leases of disk WALs among brokers of one process, with short sessions.
#include <gtest/gtest.h>

#include <set>

#include "cluster/api.h"
#include "cluster/bucket_layout.h"
#include "cluster/test_brokers.h"
#include "cluster/test_topics.h"

namespace millrace::cluster {
namespace {

constexpr Duration kSession = 800ms;  // and a margin of 200 ms; brokers poll twice a second

Task<bool> answer(bool yes) { co_return yes; }

struct Leased : test::TestBrokers {
  bool predecessor_ended = false;

  ClusterOptions options(WalKind wal) {
    ClusterOptions options;
    options.wal_kind = wal;
    options.controller_timeout = 600ms;
    options.broker_session_timeout = kSession;
    options.commit_deadline = 2s;
    options.balance = false;
    options.wal_ended_here = [this](WalId) { return answer(predecessor_ended); };
    return options;
  }
  Task<std::unique_ptr<Cluster>> open(std::int32_t id, WalKind wal, int nth_process = 0) {
    ClusterOptions its = options(wal);
    auto opened = co_await must_open(id, nth_process, std::move(its));
    co_return opened;
  }
  bool is_live(const Cluster& seen_by, const Cluster& one) const {
    const auto& broker = seen_by.state().brokers().at(one.broker_id());
    return broker.current == one.incarnation() && broker.is_live();
  }
  std::size_t entries() const {
    std::size_t count = 0;
    for (const auto& [key, object] : bucket.objects()) count += key.starts_with(kLogPrefix);
    return count;
  }
  void run(Task<void> (*body)(Leased&)) { loop.run_until_done(body(*this)); }
};

TEST(Lease, goes_on_while_the_controller_hears_the_holder_for_one_entry_per_renewal) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kBucket);
    auto two = co_await b.open(2, WalKind::kDisk);
    auto three = co_await b.open(3, WalKind::kDisk);
    const std::size_t before = b.entries();
    const SteadyTime begin = b.loop.clock().now();
    while (b.loop.clock().now() < begin + 3 * kSession / 2) {
      for (Cluster* each : {one.get(), two.get(), three.get()}) EXPECT_TRUE(co_await each->hold_wal());
      co_await sleep_for(b.loop.clock(), 10ms);
    }
    const auto renewals = static_cast<std::size_t>((b.loop.clock().now() - begin) / (kSession / 4)) + 1;
    EXPECT_GT(b.entries(), before);
    EXPECT_LE(b.entries(), before + renewals) << "two holders share them";
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Lease, ends_before_the_holder_is_fenced) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kBucket);
    auto two = co_await b.open(2, WalKind::kDisk);
    auto three = co_await b.open(3, WalKind::kBucket);  // one that is cut off alone claims nothing soon
    EXPECT_TRUE(co_await two->hold_wal());
    const SteadyTime cut = b.loop.clock().now();
    b.cut_off.insert(9002);
    // Nobody else's lease ends.
    SteadyTime last_held = cut;
    while (b.is_live(*one, *two) && b.loop.clock().now() < cut + 5s) {
      const SteadyTime asked = b.loop.clock().now();
      const Result<void> held = co_await two->hold_wal();
      if (held && b.loop.clock().now() == asked) last_held = asked;
      if (held) last_held = std::max(last_held, asked);
      co_await sleep_for(b.loop.clock(), 2ms);
      if (!held) break;
    }
    co_await b.until([&] { return !b.is_live(*one, *two); }, "the holder to be fenced");
    EXPECT_LT(last_held, cut + kSession) << "it counts from a heartbeat before the cut";
    EXPECT_GE(b.loop.clock().now(), cut + kSession);
    auto refused = co_await two->hold_wal();
    EXPECT_FALSE(refused);
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Lease, of_the_only_broker_costs_no_entry_and_goes_on) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kDisk);
    const std::size_t before = b.bucket.objects().size();
    const SteadyTime begin = b.loop.clock().now();
    while (b.loop.clock().now() < begin + 3 * kSession / 2) {
      EXPECT_TRUE(co_await one->hold_wal());
      co_await sleep_for(b.loop.clock(), 10ms);
    }
    EXPECT_EQ(b.bucket.objects().size(), before);
    co_await one->stop();
  });
}

TEST(Lease, keeps_a_second_process_of_the_broker_out_while_the_first_lives) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kBucket);
    auto two = co_await b.open(2, WalKind::kDisk);
    auto three = co_await b.open(3, WalKind::kBucket);  // one that is cut off alone claims nothing soon
    auto refused = co_await b.try_open(2, 1, b.options(WalKind::kDisk));
    EXPECT_EQ(refused.error().code(), Code::kExists);
    EXPECT_NE(refused.error().message().find("incarnation"), std::string::npos) << refused.error().to_string();
    EXPECT_TRUE(co_await two->hold_wal());
    // Dead for all that is known: its successor waits until the lease is over.
    const SteadyTime cut = b.loop.clock().now();
    b.cut_off.insert(9002);
    auto again = co_await b.open(2, WalKind::kDisk, 1);
    EXPECT_GE(b.loop.clock().now(), cut + kSession);
    EXPECT_TRUE(co_await again->hold_wal());
    EXPECT_FALSE(co_await two->hold_wal());
    co_await again->stop();
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Lease, is_not_waited_for_where_the_lock_shows_that_its_holder_ended) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kBucket);
    auto two = co_await b.open(2, WalKind::kDisk);
    auto three = co_await b.open(3, WalKind::kBucket);  // one that is cut off alone claims nothing soon
    b.cut_off.insert(9002);
    b.predecessor_ended = true;
    const SteadyTime begin = b.loop.clock().now();
    auto again = co_await b.open(2, WalKind::kDisk, 1);
    EXPECT_LT(b.loop.clock().now(), begin + kSession / 2);
    co_await again->stop();
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

// Hosts that all started anew: nobody's lock shows that the holder before ended.
TEST(Lease, of_each_is_counted_when_all_brokers_start_at_once_elsewhere) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    std::vector<std::unique_ptr<Cluster>> all;
    for (int id = 1; id <= 4; ++id) {
      auto one = co_await b.open(id, WalKind::kDisk);
      all.push_back(std::move(one));
    }
    for (int id = 1; id <= 4; ++id) b.cut_off.insert(static_cast<std::uint16_t>(9000 + id));
    std::vector<std::unique_ptr<Cluster>> again;
    TaskScope scope(b.loop.executor());
    for (int id = 1; id <= 4; ++id) {
      scope.spawn([](Leased& l, int which, std::vector<std::unique_ptr<Cluster>>& into) -> Task<void> {
        auto one = co_await l.open(which, WalKind::kDisk, 1);
        into.push_back(std::move(one));
      }(b, id, again));
      co_await sleep_for(b.loop.clock(), kSession / 4);
    }
    co_await b.until([&] { return again.size() == 4; }, "all of them");
    co_await scope.stop();
    for (auto& one : again) co_await one->stop();
    for (auto& one : all) co_await one->stop();
  });
}

TEST(Lease, is_counted_in_full_by_a_new_controller_that_takes_over_its_own_predecessors_wal) {
  Leased brokers;
  brokers.run([](Leased& b) -> Task<void> {
    auto one = co_await b.open(1, WalKind::kDisk);
    auto refused = co_await b.try_open(1, 1, b.options(WalKind::kDisk));
    EXPECT_EQ(refused.error().code(), Code::kExists) << "the first lives and says so";
    EXPECT_TRUE(co_await one->hold_wal());
    // The old process is cut off, and reads in the bucket that another has claimed its role.
    b.cut_off.insert(9001);
    const SteadyTime begin = b.loop.clock().now();
    auto again = co_await b.open(1, WalKind::kDisk, 1);
    EXPECT_GE(b.loop.clock().now(), begin + kSession + kSession / 4);
    EXPECT_TRUE(again->is_controller());
    EXPECT_TRUE(co_await again->hold_wal());
    EXPECT_FALSE(co_await one->hold_wal());
    co_await again->stop();
    co_await one->stop();
  });
}

}  // namespace
}  // namespace millrace::cluster
