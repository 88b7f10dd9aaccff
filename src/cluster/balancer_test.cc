#include "cluster/balancer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

// A cluster on paper: moves take effect at once, loads follow the partitions.
struct Paper {
  MetadataState state;
  std::uint64_t seq = 1;
  Balancer balancer;
  SteadyTime now{std::chrono::hours(1)};
  std::map<PartitionId, std::uint64_t> traffic;
  std::map<std::int32_t, std::uint32_t> cpu;
  const Uuid topic = test::topic_id(1);

  Paper(std::int32_t brokers, std::int32_t partitions, std::int32_t all_at) {
    apply(ClaimRecord{1, 1, "h:1"});
    for (std::int32_t id = 1; id <= brokers; ++id) apply(RegisterBrokerRecord{.broker_id = id, .host = "h", .port = 1});
    apply(CreateTopicRecord{topic, "t", partitions, {}, 5});
    for (std::int32_t p = 0; p < partitions; ++p) assign(p, all_at > 0 ? all_at : 1 + p % brokers, 0);
  }
  template <class R>
  void apply(R record) {
    std::vector<Record> records;
    records.emplace_back(std::move(record));
    ASSERT_TRUE(state.apply(LogSeq(seq), records));
    ++seq;
  }
  void assign(std::int32_t p, std::int32_t broker, std::int32_t epoch) {
    apply(AssignLeaderRecord{{topic, p}, broker, state.brokers().at(broker).current, epoch, 0});
  }
  Candidates brokers() const {
    Candidates all;
    for (const auto& [id, broker] : state.brokers()) all.push_back(&broker);
    return all;
  }
  std::map<std::int32_t, BrokerLoad> loads() const {
    std::map<std::int32_t, BrokerLoad> all;
    for (const auto& [id, permille] : cpu) all[id].cpu_permille = permille;
    for (const auto& [id, rate] : traffic) {
      auto& load = all[*state.partition(id)->leader_broker];
      load.bytes_per_second += rate;
      load.busiest.push_back({id, rate});
    }
    return all;
  }
  // One look of the controller; answers how many moves it made.
  std::size_t round() {
    const auto moves = balancer.plan(state, brokers(), loads(), now);
    for (const auto& move : moves) {
      const auto& record = std::get<MovePartitionRecord>(move);
      const auto& partition = *state.partition(record.partition);
      const auto epoch = partition.leader_epoch;
      apply(ReleaseRecord{record.partition, partition.leader_incarnation, epoch, 0, SlotNumber(1)});
      assign(record.partition.partition, record.to_broker, epoch + 1);
    }
    now += 5s;
    return moves.size();
  }
  std::size_t settle() {
    std::size_t moved = 0;
    for (int i = 0; i < 100; ++i) moved += round();
    return moved;
  }
  std::map<std::int32_t, int> led() const {
    std::map<std::int32_t, int> counts;
    for (const auto& partition : state.topic(topic)->partitions) ++counts[*partition.leader_broker];
    return counts;
  }
};

TEST(Balancer, a_broker_that_joins_gets_its_part_and_then_nothing_moves) {
  Paper paper(3, 60, 1);
  EXPECT_EQ(paper.round(), 10u) << "ten at a time";
  paper.settle();
  for (const auto& [id, count] : paper.led()) EXPECT_NEAR(count, 20, 2) << "broker " << id;
  EXPECT_EQ(paper.settle(), 0u);
}

TEST(Balancer, bytes_count_more_than_partitions) {
  Paper paper(2, 20, 0);
  // Broker 1 leads the even ones, of which four carry everything.
  for (std::int32_t p = 0; p < 8; p += 2) paper.traffic[{paper.topic, p}] = 10'000'000;
  paper.settle();
  std::map<std::int32_t, std::uint64_t> bytes;
  for (const auto& [id, load] : paper.loads()) bytes[id] = load.bytes_per_second;
  EXPECT_EQ(bytes[1], bytes[2]);
}

TEST(Balancer, a_partition_that_outweighs_all_is_not_thrown_to_and_fro) {
  Paper paper(3, 6, 0);
  paper.traffic[{paper.topic, 0}] = 500'000'000;
  const std::size_t moved = paper.settle();
  EXPECT_LE(moved, 2u) << "others make room, the hot one stays";
  EXPECT_EQ(paper.settle(), 0u);
}

TEST(Balancer, loads_that_swing_by_a_fifth_move_nothing) {
  Paper paper(3, 30, 0);
  auto random = make_seeded_random(5);
  std::size_t moved = 0;
  for (int i = 0; i < 2000; ++i) {
    for (std::int32_t p = 0; p < 30; ++p) paper.traffic[{paper.topic, p}] = 4'000'000 + random->below(2'000'000);
    for (std::int32_t id = 1; id <= 3; ++id) paper.cpu[id] = 400 + static_cast<std::uint32_t>(random->below(160));
    moved += paper.round();
  }
  EXPECT_EQ(moved, 0u);
}

TEST(Balancer, a_load_that_wanders_moves_each_partition_seldom) {
  Paper paper(3, 12, 0);
  auto random = make_seeded_random(9);
  std::size_t moved = 0;
  const int rounds = 1440;  // two hours
  for (int i = 0; i < rounds; ++i) {
    // Every ten minutes another quarter of the partitions is hot.
    for (std::int32_t p = 0; p < 12; ++p) paper.traffic[{paper.topic, p}] = p % 4 == i / 120 % 4 ? 20'000'000 : 500'000;
    moved += paper.round();
  }
  EXPECT_LT(moved, 12u * 12u * 2u) << "twelve changes, each answered once or twice per partition at most";
}

TEST(Balancer, what_somebody_moved_by_hand_stays_there) {
  Paper paper(3, 3, 0);
  for (std::int32_t p = 0; p < 2; ++p) {
    const PartitionId id{paper.topic, p};
    paper.apply(MovePartitionRecord{id, 3});
    paper.balancer.note_moves(paper.state, paper.now);
    paper.apply(ReleaseRecord{id, paper.state.partition(id)->leader_incarnation, 0, 0, SlotNumber(1)});
    paper.assign(p, 3, 1);
  }
  EXPECT_EQ(paper.round() + paper.round(), 1u) << "the third makes room, as nobody put it there";
  EXPECT_EQ(paper.led()[3], 2);
}

TEST(Balancer, waits_while_moves_are_under_way_and_with_one_broker) {
  Paper paper(3, 60, 1);
  paper.apply(MovePartitionRecord{{paper.topic, 0}, 2});
  EXPECT_TRUE(paper.balancer.plan(paper.state, paper.brokers(), {}, paper.now).empty());
  Paper one(1, 10, 1);
  EXPECT_EQ(one.settle(), 0u);
}

}  // namespace
}  // namespace millrace::cluster
