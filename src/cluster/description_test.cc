// What a described cluster says of a state: who lives and leads, what has no leader, what moves.
#include "cluster/description.h"

#include <gtest/gtest.h>

#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

struct Described {
  MetadataState state;
  std::uint64_t last = 0;

  void apply(std::vector<Record> records) {
    const auto done = state.apply(LogSeq(++last), records);
    ASSERT_TRUE(done) << done.error().to_string();
  }
  void register_broker(std::int32_t id) {
    apply({RegisterBrokerRecord{id, "host", 9092, "rack", WalKind::kBucket, 1}});
  }
  void lead(std::int32_t partition, std::int32_t broker) {
    apply({AssignLeaderRecord{{test::topic_id(1), partition}, broker, state.brokers().at(broker).current, 0, 0}});
  }
};

TEST(Description, tells_leaders_moves_and_partitions_without_a_leader) {
  Described world;
  world.apply({ClaimRecord{1, 1, "host:9092"}});
  world.register_broker(1);
  world.register_broker(2);
  world.register_broker(3);
  world.apply({CreateTopicRecord{test::topic_id(1), "orders", 3, {}, 0}});
  world.lead(0, 1);
  world.lead(1, 2);
  world.apply({MovePartitionRecord{{test::topic_id(1), 0}, 3}, DrainBrokerRecord{1, true}});

  auto cluster = describe_state(world.state);
  EXPECT_EQ(cluster.controller_id, 1);
  EXPECT_EQ(cluster.applied, LogSeq(world.last));
  ASSERT_EQ(cluster.brokers.size(), 3u);
  EXPECT_TRUE(cluster.broker(1)->live && cluster.broker(1)->draining);
  EXPECT_EQ(cluster.broker(1)->partitions_led, 1u);
  EXPECT_EQ(cluster.broker(3)->partitions_led, 0u);
  EXPECT_EQ(cluster.partitions, 3u);
  EXPECT_EQ(cluster.leaderless, 1u);
  EXPECT_EQ(cluster.leaderless_listed.front(), (PartitionDescription{"orders", 2, -1, -1}));
  EXPECT_EQ(cluster.moves, 1u);
  EXPECT_EQ(cluster.moves_listed.front(), (PartitionDescription{"orders", 0, 1, 3}));

  // A fenced broker leads nothing that anybody could ask it for, also while its WAL is not recovered.
  world.apply({FenceRecord{2, world.state.brokers().at(2).current}});
  cluster = describe_state(world.state);
  EXPECT_FALSE(cluster.broker(2)->live);
  EXPECT_EQ(cluster.broker(2)->wals_to_recover, 1u);
  EXPECT_EQ(cluster.broker(2)->partitions_led, 0u);
  EXPECT_EQ(cluster.leaderless, 2u);
  EXPECT_EQ(cluster.leaderless_listed.front(), (PartitionDescription{"orders", 1, 2, -1}));
}

}  // namespace
}  // namespace millrace::cluster
