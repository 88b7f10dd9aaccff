// Several brokers on one bucket: partitions go from one to the other, planned or because one is gone, and nothing that
// was acknowledged is lost or doubled on the way.
#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "cluster/test_peers.h"
#include "kafka/batch_builder.h"
#include "object/memory_store.h"
#include "storage/api.h"
#include "storage/takeover/handover_codec.h"

namespace millrace::storage {
namespace {

// Counts how often each slot is read whole.
struct Bucket : object::MemoryStore {
  Task<Result<object::Object>> get(std::string key) override {
    if (key.starts_with("wal/") && objects().contains(key)) ++slots_read[key];
    return object::MemoryStore::get(std::move(key));
  }
  std::map<std::string, int> slots_read;
};

struct Fleet {
  EventLoop loop;
  Bucket bucket;
  std::unique_ptr<Random> random = make_seeded_random(11);
  std::map<std::uint16_t, cluster::Cluster*> nodes;
  std::set<std::uint16_t> cut_off;

  void run(Task<void> (*body)(Fleet&)) { loop.run_until_done(body(*this)); }
  Task<void> until(std::function<bool()> holds, const char* what) {
    const SteadyTime deadline = loop.clock().now() + 10s;
    while (!holds() && loop.clock().now() < deadline) co_await sleep_for(loop.clock(), 5ms);
    EXPECT_TRUE(holds()) << what;
  }
};

// One broker of the fleet.
struct Member {
  Member(Fleet& fleet_in, std::int32_t id_in) : fleet(fleet_in), id(id_in) {}

  Task<void> start() {
    cluster::ClusterOptions cluster_options;
    cluster_options.broker_id = id;
    cluster_options.advertised_port = port();
    cluster_options.controller_timeout = 100ms;
    cluster_options.controller_check_interval = 200ms;
    cluster_options.broker_timeout = 300ms;
    cluster_options.broker_session_timeout = 900ms;
    peers = std::make_unique<cluster::test::TestPeers>(fleet.nodes, fleet.cut_off, port());
    auto opened = co_await cluster::open_cluster(fleet.loop.executor(), fleet.loop.clock(), *fleet.random, fleet.bucket,
                                                 metrics, cluster_options, peers.get());
    CHECK(opened);
    cluster = std::move(*opened);
    fleet.nodes[port()] = cluster.get();
    EngineOptions options{.idle_puts_per_second_max = 1e6};
    options.object_bytes_target = object_bytes_target;
    options.object_interval = object_interval;
    auto made = co_await open_engine(fleet.loop.executor(), fleet.loop.clock(), *fleet.random, fleet.bucket, *cluster,
                                     metrics, options);
    CHECK(made);
    engine = std::move(*made);
  }
  Task<void> stop() {
    co_await engine->stop();
    co_await cluster->stop();
  }
  std::uint16_t port() const { return static_cast<std::uint16_t>(9000 + id); }

  Fleet& fleet;
  std::int32_t id;
  std::size_t object_bytes_target = 128 << 20;
  Duration object_interval = 60s;
  Metrics metrics;
  std::unique_ptr<cluster::test::TestPeers> peers;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<Engine> engine;
};

Slice numbered(std::int32_t sequence) {
  kafka::BatchBuilder builder({.producer_id = 7, .producer_epoch = 0, .base_sequence = sequence});
  builder.add(1000 + sequence, "k", std::to_string(sequence));
  return builder.finish();
}

Task<std::int64_t> append(Member& member, PartitionId id, std::int32_t sequence) {
  Partition* partition = member.engine->find(id);
  if (!partition) co_return -1;
  auto ticket = partition->append(numbered(sequence));
  if (!ticket) co_return -1;
  const Result<void> durable = co_await ticket->durable.wait();
  co_return durable ? ticket->base_offset : -1;
}

Task<PartitionId> one_partition(Member& member) {
  cluster::NewTopicSpec spec{"t", 1, {{"retention.ms", "-1"}}};
  auto made = co_await member.cluster->create_topic(spec);
  CHECK(made);
  co_return PartitionId{*made, 0};
}

struct Led {
  PartitionId id;
  Member *leader, *other;
};
Task<Led> start_with_a_partition(Member& one, Member& two) {
  co_await one.start();
  co_await two.start();
  const PartitionId id = co_await one_partition(one);
  const bool by_one = *one.cluster->state().partition(id)->leader_broker == 1;
  const Led led{id, by_one ? &one : &two, by_one ? &two : &one};
  co_return led;
}

Task<void> move_to(Member& to, PartitionId id) {
  std::vector<cluster::Record> records;
  records.emplace_back(cluster::MovePartitionRecord{id, to.id});
  auto committed = co_await to.cluster->commit(std::move(records));
  EXPECT_TRUE(committed) << committed.error().to_string();
  co_await to.fleet.until([&] { return to.engine->find(id) != nullptr; }, "the partition at its new leader");
}

Task<std::size_t> records_in(Member& member, PartitionId id) {
  Partition* partition = member.engine->find(id);
  CHECK(partition);
  const std::int64_t end = partition->high_watermark();
  std::int64_t at = 0;
  while (at < end) {
    auto read = co_await member.engine->find(id)->read(at, 1 << 20, ReadLimit::kAtLeastOneBatch);
    EXPECT_TRUE(read) << read.error().to_string();
    if (!read || read->next_offset == at) break;
    at = read->next_offset;
  }
  co_return static_cast<std::size_t>(at);
}

TEST(Takeover, a_partition_moves_there_and_back_with_its_producers_and_unregistered_batches) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2);
    const Led led = co_await start_with_a_partition(one, two);
    const PartitionId id = led.id;
    Member *from = led.leader, *to = led.other;
    std::int32_t sequence = 0;
    const auto slots_read = f.bucket.slots_read;
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 3; ++i, ++sequence) EXPECT_EQ(co_await append(*from, id, sequence), sequence);
      co_await move_to(*to, id);
      EXPECT_EQ(from->engine->find(id), nullptr);
      EXPECT_EQ(co_await append(*to, id, sequence - 1), sequence - 1) << "a repeat over the move is a duplicate";
      EXPECT_EQ(to->engine->find(id)->high_watermark(), sequence);
      EXPECT_EQ(to->engine->find(id)->leader_epoch(), round + 1);
      EXPECT_EQ(co_await records_in(*to, id), static_cast<std::size_t>(sequence));
      std::swap(from, to);
    }
    EXPECT_EQ(one.cluster->state().partition(id)->past.size(), 4u) << "nothing was uploaded on the way";
    EXPECT_EQ(f.bucket.slots_read, slots_read) << "each leader was told where the batches are";
    co_await two.stop();
    co_await one.stop();
  });
}

TEST(Takeover, what_a_past_leader_cannot_say_is_read_out_of_the_slots) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2);
    const Led led = co_await start_with_a_partition(one, two);
    const PartitionId id = led.id;
    Member *from = led.leader, *to = led.other;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await append(*from, id, i), i);
    const std::size_t slots_read = f.bucket.slots_read.size();
    from->cluster->answer_storage({});
    co_await move_to(*to, id);
    EXPECT_GE(f.bucket.slots_read.size(), slots_read + 3);
    EXPECT_EQ(co_await append(*to, id, 2), 2) << "a duplicate";
    EXPECT_EQ(co_await append(*to, id, 3), 3);
    EXPECT_EQ(co_await records_in(*to, id), 4u);
    co_await two.stop();
    co_await one.stop();
  });
}

Task<std::size_t> told(Member& asks, cluster::WalId of, PartitionId id, std::int64_t end) {
  std::vector<HandoverWish> wishes;
  wishes.push_back({id, 0, end});
  std::string question = encode_question(wishes);
  const auto answer = co_await asks.cluster->ask_storage(of, std::move(question), 1s);
  EXPECT_TRUE(answer) << answer.error().to_string();
  if (!answer) co_return 0;
  const auto handover = decode_handover(*answer);
  EXPECT_TRUE(handover) << handover.error().to_string();
  co_return handover ? handover->partitions.size() : 0;
}

// Rules 10, 11, 43: only what can never change any more.
TEST(Takeover, a_leader_tells_of_what_it_released_with_that_end_alone) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2);
    const Led led = co_await start_with_a_partition(one, two);
    const PartitionId id = led.id;
    Member *from = led.leader, *to = led.other;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await append(*from, id, i), i);
    const cluster::WalId leader = from->cluster->wal();
    EXPECT_EQ(co_await told(*to, leader, id, 3), 0u) << "it still leads";
    co_await move_to(*to, id);
    EXPECT_EQ(co_await told(*to, leader, id, 3), 1u);
    EXPECT_EQ(co_await told(*from, leader, id, 3), 1u) << "it may ask itself";
    EXPECT_EQ(co_await told(*to, leader, id, 2), 0u);
    EXPECT_EQ(co_await told(*to, leader, id, 4), 0u);
    const cluster::WalId other{leader.broker_id, cluster::Incarnation(leader.incarnation.value() + 1)};
    const auto refused = co_await to->cluster->ask_storage(other, "", 1s);
    EXPECT_FALSE(refused) << "another incarnation";
    const SteadyTime deadline = f.loop.clock().now() + 5s;
    co_await from->engine->handed_over(deadline);
    EXPECT_LT(f.loop.clock().now(), deadline) << "it was asked";
    co_await two.stop();
    co_await one.stop();
  });
}

TEST(Takeover, slots_of_several_leaders_become_objects_in_offset_order) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2);
    one.object_interval = two.object_interval = 400ms;
    const Led led = co_await start_with_a_partition(one, two);
    const PartitionId id = led.id;
    Member *from = led.leader, *to = led.other;
    std::int32_t sequence = 0;
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 3; ++i, ++sequence) EXPECT_EQ(co_await append(*from, id, sequence), sequence);
      co_await move_to(*to, id);
      std::swap(from, to);
    }
    const auto* state = one.cluster->state().partition(id);
    co_await f.until([&] { return state->registered_end() == sequence; }, "all in objects");
    EXPECT_TRUE(state->past.empty());
    EXPECT_EQ(co_await records_in(*from, id), static_cast<std::size_t>(sequence));
    co_await f.until([&] { return from->engine->status().wal_bytes == 0; }, "no slot left");
    EXPECT_EQ(co_await append(*from, id, sequence - 1), sequence - 1) << "still a duplicate";
    co_await two.stop();
    co_await one.stop();
  });
}

TEST(Takeover, a_silent_broker_is_fenced_and_the_others_go_on_with_its_partitions) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2), three(f, 3);
    co_await one.start();
    co_await two.start();
    co_await three.start();
    cluster::NewTopicSpec spec{"t", 6, {{"retention.ms", "-1"}}};
    auto made = co_await one.cluster->create_topic(spec);
    CHECK(made);
    std::vector<PartitionId> lost;
    co_await f.until([&] { return three.cluster->state().topic(*made) != nullptr; }, "the topic at broker 3");
    for (std::int32_t p = 0; p < 6; ++p) {
      const PartitionId id{*made, p};
      if (*one.cluster->state().partition(id)->leader_broker != 3) continue;
      for (int i = 0; i < 5; ++i) EXPECT_EQ(co_await append(three, id, i), i);
      lost.push_back(id);
    }
    EXPECT_EQ(lost.size(), 2u);
    f.cut_off.insert(three.port());
    const std::string wal_of_three = wal_prefix(3, three.cluster->incarnation());
    for (const auto& id : lost) {
      Member* now = nullptr;
      co_await f.until(
          [&] {
            for (Member* member : {&one, &two}) now = member->engine->find(id) ? member : now;
            return now != nullptr;
          },
          "a new leader");
      EXPECT_EQ(co_await append(*now, id, 4), 4) << "the last one again: a duplicate";
      EXPECT_EQ(co_await append(*now, id, 5), 5);
      EXPECT_EQ(co_await records_in(*now, id), 6u);
      EXPECT_EQ(co_await append(three, id, 5), -1) << "the zombie acknowledges nothing";
    }
    EXPECT_TRUE(three.engine->status().fenced);
    for (const auto& [key, times] : f.bucket.slots_read) {
      const bool of_three = key.starts_with(wal_of_three);
      EXPECT_TRUE(!of_three || times == 1) << key << ": who recovered it told the others";
    }
    EXPECT_TRUE(f.bucket.slots_read.contains(slot_key({3, three.cluster->incarnation(), SlotNumber(5)})));
    co_await three.stop();
    co_await two.stop();
    co_await one.stop();
  });
}

// What a bucket shows when another recoverer has come to the end, and compaction deleted the slots: the one that this
// PUT met is gone when it is looked at.
struct Compacted : object::MemoryStore {
  Task<Result<std::string>> put_if_absent(std::string, SliceChain) override {
    co_await yield_now();
    co_return fail(Code::kExists, "there is such an object");
  }
};

TEST(Takeover, a_slot_that_is_gone_again_is_no_damage) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Compacted bucket;
    const RecoveryContext context{f.loop.executor(), f.loop.clock(), *f.random, bucket, Incarnation(9), 1s};
    const cluster::IncarnationState fenced{.phase = cluster::IncarnationPhase::kFenced};
    const auto read = co_await recover_wal(context, 1, Incarnation(3), fenced);
    EXPECT_FALSE(read);
    EXPECT_EQ(read.error().code(), Code::kNotFound) << "its recoverer asks the metadata";
  });
}

TEST(Takeover, a_broker_that_drains_ends_with_nothing) {
  Fleet fleet;
  fleet.run([](Fleet& f) -> Task<void> {
    Member one(f, 1), two(f, 2);
    co_await one.start();
    co_await two.start();
    cluster::NewTopicSpec spec{"t", 8, {}};
    auto made = co_await one.cluster->create_topic(spec);
    CHECK(made);
    std::vector<cluster::Record> records;
    records.emplace_back(cluster::DrainBrokerRecord{2, true});
    auto committed = co_await two.cluster->commit(std::move(records));
    EXPECT_TRUE(committed);
    const auto all_at_one = [&] {
      for (const auto& partition : one.cluster->state().topic(*made)->partitions) {
        if (partition.leader_broker != 1) return false;
      }
      return true;
    };
    co_await f.until(all_at_one, "broker 2 to be empty");
    for (std::int32_t p = 0; p < 8; ++p) EXPECT_EQ(co_await append(one, {*made, p}, 0), 0);
    co_await two.stop();
    co_await one.stop();
  });
}

}  // namespace
}  // namespace millrace::storage
