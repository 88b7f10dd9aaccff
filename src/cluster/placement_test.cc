#include "cluster/placement.h"

#include <gtest/gtest.h>

#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

const Uuid kTopic = test::topic_id(1);

struct Placed {
  MetadataState state;
  std::uint64_t seq = 1;

  explicit Placed(std::int32_t brokers, std::int32_t partitions) {
    apply(ClaimRecord{1, 1, "h:1"});
    for (std::int32_t id = 1; id <= brokers; ++id) apply(RegisterBrokerRecord{.broker_id = id, .host = "h", .port = 1});
    apply(CreateTopicRecord{kTopic, "t", partitions, {}, 5});
  }
  template <class R>
  void apply(R record) {
    std::vector<Record> records;
    records.emplace_back(std::move(record));
    apply_all(std::move(records));
  }
  void apply_all(std::vector<Record> records) {
    const auto done = state.apply(LogSeq(seq), records);
    ASSERT_TRUE(done) << done.error().to_string();
    ++seq;
  }
  Candidates brokers(std::vector<std::int32_t> ids) const {
    Candidates all;
    for (const auto id : ids) all.push_back(&state.brokers().at(id));
    return all;
  }
  Incarnation incarnation(std::int32_t id) const { return state.brokers().at(id).current; }
  std::vector<std::int32_t> leaders() const {
    std::vector<std::int32_t> all;
    for (const auto& partition : state.topic(kTopic)->partitions) all.push_back(partition.leader_broker.value_or(-1));
    return all;
  }
};

TEST(Placement, new_partitions_go_round) {
  Placed placed(3, 7);
  std::vector<Record> records;
  assign_new(placed.state, placed.brokers({1, 2, 3}), kTopic, 0, 7, records);
  placed.apply_all(std::move(records));
  EXPECT_EQ(placed.leaders(), (std::vector<std::int32_t>{2, 3, 1, 2, 3, 1, 2}));
  assign_new(placed.state, {}, kTopic, 0, 7, records);
  EXPECT_TRUE(records.empty()) << "nobody to lead";
}

TEST(Placement, without_a_leader_the_last_one_comes_first_then_who_has_fewest) {
  Placed placed(3, 4);
  placed.apply_all(assign_leaderless(placed.state, placed.brokers({1})));
  EXPECT_EQ(placed.leaders(), (std::vector<std::int32_t>{1, 1, 1, 1}));
  const Incarnation before = placed.incarnation(1);
  placed.apply(FenceRecord{1, before});
  placed.apply(RecoveredRecord{1, before, SlotNumber(1), SlotNumber(1), {}});
  EXPECT_EQ(placed.state.leaderless().size(), 4u);
  auto elsewhere = assign_leaderless(placed.state, placed.brokers({2, 3}));
  placed.apply(RegisterBrokerRecord{.broker_id = 1, .host = "h", .port = 1});
  const auto back = assign_leaderless(placed.state, placed.brokers({1, 2, 3}));
  for (const auto& record : back) EXPECT_EQ(std::get<AssignLeaderRecord>(record).broker_id, 1);
  placed.apply_all(std::move(elsewhere));
  EXPECT_EQ(placed.leaders(), (std::vector<std::int32_t>{2, 3, 2, 3}));
  EXPECT_TRUE(assign_leaderless(placed.state, placed.brokers({1, 2, 3})).empty());
}

TEST(Placement, batches_that_lie_on_a_disk_wait_for_the_broker_that_holds_it) {
  Placed placed(2, 2);
  const auto on_disk = [] {
    return RegisterBrokerRecord{.broker_id = 7, .host = "h", .port = 1, .wal_kind = WalKind::kDisk};
  };
  placed.apply(on_disk());
  placed.apply_all(assign_leaderless(placed.state, placed.brokers({7})));
  const Incarnation before = placed.incarnation(7);
  placed.apply(FenceRecord{7, before});
  placed.apply(RecoveredRecord{7, before, SlotNumber(1), SlotNumber(5), {{{kTopic, 0}, 10}}});
  // Partition 1 never held anything: it goes where it likes.
  auto elsewhere = assign_leaderless(placed.state, placed.brokers({1, 2}));
  ASSERT_EQ(elsewhere.size(), 1u);
  EXPECT_EQ(std::get<AssignLeaderRecord>(elsewhere.front()).partition.partition, 1);
  placed.apply(MovePartitionRecord{{kTopic, 0}, 2});
  EXPECT_EQ(assign_leaderless(placed.state, placed.brokers({1, 2})).size(), 1u) << "not even where it shall move";
  placed.apply(on_disk());
  for (const auto& record : assign_leaderless(placed.state, placed.brokers({1, 2, 7})))
    EXPECT_EQ(std::get<AssignLeaderRecord>(record).broker_id, 7);
}

TEST(Placement, a_release_of_a_move_names_its_target_and_a_fenced_target_nobody) {
  Placed placed(3, 2);
  placed.apply_all(assign_leaderless(placed.state, placed.brokers({1})));
  const PartitionId id{kTopic, 0};
  const ReleaseRecord release{id, placed.incarnation(1), 0, 7, SlotNumber(3)};
  std::vector<Record> records;
  assign_moved(placed.state, release, records);
  EXPECT_TRUE(records.empty()) << "no move is under way";
  placed.apply(MovePartitionRecord{id, 2});
  assign_moved(placed.state, release, records);
  ASSERT_EQ(records.size(), 1u);
  const auto& assigned = std::get<AssignLeaderRecord>(records.front());
  EXPECT_EQ(assigned.broker_id, 2);
  EXPECT_EQ(assigned.epoch, 1);
  EXPECT_EQ(assigned.base_offset, 7);
  placed.apply(FenceRecord{2, placed.incarnation(2)});
  records.clear();
  assign_moved(placed.state, release, records);
  EXPECT_TRUE(records.empty());
}

TEST(Placement, a_draining_broker_gives_everything_away_unless_there_is_nobody) {
  Placed placed(3, 5);
  placed.apply_all(assign_leaderless(placed.state, placed.brokers({1})));
  EXPECT_TRUE(moves_off_draining(placed.state, placed.brokers({2, 3})).empty()) << "nobody drains";
  placed.apply(DrainBrokerRecord{1, true});
  auto moves = moves_off_draining(placed.state, placed.brokers({2, 3}));
  ASSERT_EQ(moves.size(), 5u);
  std::map<std::int32_t, int> targets;
  for (const auto& move : moves) ++targets[std::get<MovePartitionRecord>(move).to_broker];
  EXPECT_EQ(targets, (std::map<std::int32_t, int>{{2, 3}, {3, 2}}));
  placed.apply_all(std::move(moves));
  EXPECT_TRUE(moves_off_draining(placed.state, placed.brokers({2, 3})).empty()) << "all are under way";
  Placed alone(1, 2);
  alone.apply_all(assign_leaderless(alone.state, alone.brokers({1})));
  alone.apply(DrainBrokerRecord{1, true});
  EXPECT_TRUE(moves_off_draining(alone.state, alone.brokers({1})).empty());
}

}  // namespace
}  // namespace millrace::cluster
