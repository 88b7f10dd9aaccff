// The metadata log and its driver against real stores: whole, faulty and damaged.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/event_loop.h"
#include "cluster/api.h"
#include "cluster/bucket_layout.h"
#include "cluster/metadata_log.h"
#include "cluster/test_topics.h"
#include "object/faulty_store.h"
#include "object/memory_store.h"
#include "object/metered_store.h"
#include "object/open.h"

namespace millrace::cluster {
namespace {

struct World {
  explicit World(std::uint64_t seed = 1) : random(make_seeded_random(seed)) {}

  EventLoop loop;
  std::unique_ptr<Random> random;
  object::MemoryStore memory;
  object::FaultyStore store{memory, loop.executor(), loop.clock(), *random, {}};
  Metrics metrics;
  ClusterOptions options;

  Task<Result<std::unique_ptr<Cluster>>> open() {
    return open_cluster(loop.executor(), loop.clock(), *random, store, metrics, options);
  }
  // Opens, or fails the test.
  Task<std::unique_ptr<Cluster>> must_open() {
    auto opened = co_await open();
    if (!opened) ADD_FAILURE() << opened.error().to_string();
    CHECK(opened);
    co_return std::move(*opened);
  }
  void run(Task<void> (*body)(World&)) { loop.run_until_done(body(*this)); }
  std::size_t count(std::string_view prefix) const {
    std::size_t n = 0;
    for (const auto& [key, object] : memory.objects()) n += key.starts_with(prefix);
    return n;
  }
};

TEST(Cluster, topic_survives_a_restart_and_the_old_incarnation_is_fenced) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto first = co_await w.must_open();
    const Uuid cluster_id = first->cluster_id();
    const Incarnation old = first->incarnation();
    auto id = co_await make_topic(*first, "orders", 3);
    EXPECT_TRUE(id) << id.error().to_string();
    auto again = co_await make_topic(*first, "orders", 3);
    EXPECT_EQ(again.error().code(), Code::kExists);
    ConfigChanges changes{{"retention.ms", "1000"}};
    EXPECT_TRUE(co_await first->alter_topic_config(*id, changes));
    EXPECT_TRUE(co_await first->create_partitions(*id, 5));
    co_await first->stop();
    first.reset();

    auto second = co_await w.must_open();
    EXPECT_EQ(second->cluster_id(), cluster_id);
    EXPECT_GT(second->incarnation(), old);
    const TopicState* topic = second->state().topic_by_name("orders");
    CHECK(topic);
    EXPECT_EQ(topic->id, *id);
    EXPECT_EQ(topic->configs.at("retention.ms"), "1000");
    EXPECT_EQ(topic->partitions.size(), 5u);
    for (const auto& partition : topic->partitions) EXPECT_EQ(partition.leader_incarnation, old);
    const auto& incarnations = second->state().brokers().at(1).incarnations;
    EXPECT_EQ(incarnations.at(old).phase, IncarnationPhase::kFenced);
    EXPECT_EQ(incarnations.at(second->incarnation()).phase, IncarnationPhase::kLive);
    EXPECT_TRUE(co_await second->delete_topic(*id));
    EXPECT_FALSE(second->state().topic_by_name("orders"));
    co_await second->stop();
  });
}

Task<void> make_and_count(Cluster& cluster, std::string name, int& made, int& refused) {
  auto id = co_await make_topic(cluster, std::move(name), 1);
  if (id) ++made;
  if (!id && id.error().code() == Code::kExists) ++refused;
}

TEST(Cluster, commits_that_wait_share_an_entry_and_refusals_do_not_spoil_it) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    int made = 0, refused = 0;
    {
      TaskScope scope(w.loop.executor());
      for (int i = 0; i < 100; ++i)
        scope.spawn(make_and_count(*cluster, "topic-" + std::to_string(i % 50), made, refused));
      co_await scope.stop();
    }
    EXPECT_EQ(made, 50);
    EXPECT_EQ(refused, 50);
    EXPECT_LE(w.count(kLogPrefix), 4u) << "100 commits, but one entry was enough for those that waited";
    co_await cluster->stop();
    auto late = co_await make_topic(*cluster, "late", 1);
    EXPECT_EQ(late.error().code(), Code::kCancelled);
  });
}

Task<void> take_ids(Cluster& cluster, int count, std::set<std::int64_t>& ids) {
  for (int i = 0; i < count; ++i) {
    auto id = co_await cluster.allocate_producer_id();
    CHECK(id);
    EXPECT_TRUE(ids.insert(*id).second) << *id;
  }
}

TEST(Cluster, producer_ids_are_never_given_twice_also_after_a_restart) {
  World world;
  world.run([](World& w) -> Task<void> {
    std::set<std::int64_t> ids;
    for (int start = 0; start < 3; ++start) {
      auto cluster = co_await w.must_open();
      TaskScope scope(w.loop.executor());
      for (int i = 0; i < 4; ++i) scope.spawn(take_ids(*cluster, 300, ids));
      co_await scope.stop();
      co_await cluster->stop();
    }
    EXPECT_EQ(ids.size(), 3600u);
  });
}

TEST(Cluster, an_idle_cluster_writes_nothing) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    const std::uint64_t calls = w.store.counts().calls;
    co_await sleep_for(w.loop.clock(), 100ms);
    EXPECT_EQ(w.store.counts().calls, calls);
    EXPECT_EQ(w.memory.objects().size(), 2u) << "format and one entry";
    co_await cluster->stop();
  });
}

TEST(Cluster, snapshots_replace_the_log_and_restart_reads_only_what_follows) {
  World world;
  world.options.snapshot_after_entries = 20;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(co_await make_topic(*cluster, "t" + std::to_string(i), 1));
      co_await sleep_for(w.loop.clock(), 200us);
    }
    co_await cluster->stop();
    const std::string before = cluster->state().serialize();
    cluster.reset();
    EXPECT_EQ(w.count(kSnapshotPrefix), 2u);
    EXPECT_LT(w.count(kLogPrefix), 60u) << "entries below the floor are gone";
    MetadataLog log(w.loop.executor(), w.loop.clock(), *w.random, w.store, 5s);
    const std::uint64_t calls = w.store.counts().calls;
    EXPECT_TRUE(co_await log.open());
    EXPECT_EQ(log.state().serialize(), before);
    EXPECT_LT(w.store.counts().calls - calls, 70u);
    auto again = co_await w.must_open();
    EXPECT_EQ(again->state().topic_ids().size(), 100u);
    co_await again->stop();
  });
}

TEST(Cluster, a_damaged_snapshot_costs_only_a_longer_replay) {
  World world;
  world.options.snapshot_after_entries = 10;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    for (int i = 0; i < 45; ++i) {
      EXPECT_TRUE(co_await make_topic(*cluster, "t" + std::to_string(i), 1));
      co_await sleep_for(w.loop.clock(), 500us);
    }
    co_await cluster->stop();
    cluster.reset();
    auto snapshots = co_await w.memory.list(std::string(kSnapshotPrefix), "", 10);
    CHECK(snapshots && snapshots->size() == 2);
    std::vector<std::string> newest{snapshots->back().key};
    SliceChain garbage;
    garbage.append_copy("garbage");
    co_await w.memory.remove(newest);
    co_await w.memory.put_if_absent(newest.front(), garbage);
    auto again = co_await w.must_open();
    EXPECT_EQ(again->state().topic_ids().size(), 45u);
    co_await again->stop();
    again.reset();
    // Both gone: an error, and nothing is written.
    std::vector<std::string> both{snapshots->front().key, newest.front()};
    co_await w.memory.remove(both);
    const std::size_t objects = w.memory.objects().size();
    auto refused = co_await w.open();
    EXPECT_FALSE(refused);
    EXPECT_EQ(w.memory.objects().size(), objects);
  });
}

TEST(Cluster, damaged_entries_stop_the_start_and_name_the_object) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    EXPECT_TRUE(co_await make_topic(*cluster, "t", 1));
    co_await cluster->stop();
    cluster.reset();
    auto object = co_await w.memory.get(log_key(LogSeq(2)));
    std::string bytes(object->body.view());
    bytes[bytes.size() / 2] ^= 1;
    std::vector<std::string> keys{log_key(LogSeq(2))};
    co_await w.memory.remove(keys);
    SliceChain damaged;
    damaged.append_copy(bytes);
    co_await w.memory.put_if_absent(keys.front(), damaged);
    auto refused = co_await w.open();
    EXPECT_EQ(refused.error().code(), Code::kCorrupt);
    EXPECT_NE(refused.error().message().find(keys.front()), std::string::npos) << refused.error().to_string();
  });
}

TEST(Cluster, a_foreign_bucket_is_refused) {
  World world;
  world.run([](World& w) -> Task<void> {
    SliceChain foreign;
    foreign.append_copy("somebody else's");
    co_await w.memory.put_if_absent("format", foreign);
    auto refused = co_await w.open();
    EXPECT_EQ(refused.error().code(), Code::kCorrupt);
  });
}

TEST(Cluster, a_second_process_takes_over_and_the_first_is_fenced) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto first = co_await w.must_open();
    auto second = co_await w.must_open();
    auto lost = co_await make_topic(*first, "mine", 1);
    EXPECT_EQ(lost.error().code(), Code::kFenced);
    EXPECT_TRUE(first->fenced());
    EXPECT_TRUE(co_await make_topic(*second, "yours", 1));
    EXPECT_FALSE(second->state().topic_by_name("mine"));
    co_await first->stop();
    co_await second->stop();
  });
}

TEST(MetadataLog, an_entry_with_a_broken_chain_is_void_for_readers_and_writers) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    LogEntry orphan{.seq = LogSeq(2), .controller_epoch = 1, .writer_broker = 9};
    orphan.prev_hash.fill(0x77);
    orphan.records.emplace_back(ProducerIdsRecord{1 << 20});
    SliceChain bytes;
    bytes.append_copy(encode_entry(orphan));
    co_await w.memory.put_if_absent(log_key(LogSeq(2)), bytes);
    EXPECT_TRUE(co_await make_topic(*cluster, "t", 1)) << "steps over it";
    EXPECT_EQ(cluster->state().applied(), LogSeq(3));
    co_await cluster->stop();
    auto again = co_await w.must_open();
    EXPECT_EQ(again->state().next_producer_id(), 0);
    EXPECT_TRUE(again->state().topic_by_name("t"));
    co_await again->stop();
  });
}

TEST(MetadataLog, rule_5_an_entry_below_the_floor_is_no_commit) {
  World world;
  world.options.snapshot_after_entries = 5;
  world.run([](World& w) -> Task<void> {
    // A controller that slept while others went on, published snapshots and deleted the entry it is about to write.
    auto sleeper = co_await w.must_open();
    auto other = co_await w.must_open();
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(co_await make_topic(*other, "t" + std::to_string(i), 1));
      co_await sleep_for(w.loop.clock(), 500us);
    }
    auto gone = co_await w.memory.get(log_key(LogSeq(2)));
    EXPECT_EQ(gone.error().code(), Code::kNotFound) << "the test needs its slot to be free again";
    auto late = co_await make_topic(*sleeper, "late", 1);
    EXPECT_EQ(late.error().code(), Code::kFenced) << "its PUT succeeded, and must not count";
    co_await sleeper->stop();
    co_await other->stop();
    auto reader = co_await w.must_open();
    EXPECT_FALSE(reader->state().topic_by_name("late"));
    co_await reader->stop();
  });
}

TEST(MetadataLog, rule_4_a_reader_below_the_floor_reloads_the_snapshot) {
  World world;
  world.options.snapshot_after_entries = 5;
  world.run([](World& w) -> Task<void> {
    auto cluster = co_await w.must_open();
    MetadataLog reader(w.loop.executor(), w.loop.clock(), *w.random, w.store, 5s);
    EXPECT_TRUE(co_await reader.open());
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(co_await make_topic(*cluster, "t" + std::to_string(i), 1));
      co_await sleep_for(w.loop.clock(), 500us);
    }
    // A late PUT brings an entry back where the reader stands: valid by its chain, yet void.
    LogEntry ghost{.seq = reader.next(), .controller_epoch = 1, .writer_broker = 1};
    auto first = co_await w.memory.get(log_key(LogSeq(1)));
    EXPECT_FALSE(first);
    SliceChain bytes;
    bytes.append_copy(encode_entry(ghost));
    co_await w.memory.put_if_absent(log_key(reader.next()), bytes);
    EXPECT_TRUE(co_await reader.catch_up());
    EXPECT_EQ(reader.state().serialize(), cluster->state().serialize());
    co_await cluster->stop();
  });
}

TEST(MetadataLog, a_look_costs_two_gets_and_a_known_entry_no_more) {
  World world;
  world.run([](World& w) -> Task<void> {
    Metrics counted;
    const auto store = object::make_metered_store(std::make_unique<object::MemoryStore>(), nullptr, counted);
    const auto gets = [&counted] {
      double sum = 0;
      for (const char* op : {"get", "get_if_changed"})
        for (const char* result : {"ok", "missed"})
          sum += counted.counter("millrace_object_requests_total", "", {{"op", op}, {"result", result}}).Value();
      return sum;
    };
    auto opened = co_await open_cluster(w.loop.executor(), w.loop.clock(), *w.random, *store, w.metrics, w.options);
    CHECK(opened);
    Cluster& cluster = **opened;
    MetadataLog reader(w.loop.executor(), w.loop.clock(), *w.random, *store, 5s);
    EXPECT_TRUE(co_await reader.open());
    double before = gets();
    EXPECT_TRUE(co_await reader.catch_up());
    EXPECT_EQ(gets() - before, 2);
    for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(co_await make_topic(cluster, name, 1));
    const LogSeq known = cluster.state().applied();
    EXPECT_TRUE(co_await make_topic(cluster, "d", 1));
    before = gets();
    EXPECT_TRUE(co_await reader.catch_up(known));
    EXPECT_EQ(gets() - before, 4) << "three entries and the root";
    EXPECT_EQ(reader.state().applied(), known);
    EXPECT_TRUE(co_await reader.catch_up());
    EXPECT_EQ(reader.state().serialize(), cluster.state().serialize());
    co_await cluster.stop();
  });
}

Task<void> create_until_done(Cluster& cluster, std::string name, std::set<std::string>& acknowledged) {
  auto id = co_await make_topic(cluster, name, 2);
  if (id) acknowledged.insert(name);
}

TEST(MetadataLog, under_faults_and_restarts_every_acknowledged_commit_stays) {
  std::uint64_t fenced = 0, acked = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    World world(seed);
    world.options.commit_deadline = 300ms;
    world.options.snapshot_after_entries = 4;
    auto body = [](World& w, std::uint64_t& fences, std::uint64_t& acks) -> Task<void> {
      const object::FaultOptions faults{.lost_request = 0.05,
                                        .lost_reply = 0.1,
                                        .late_apply = 0.05,
                                        .duplicate = 0.1,
                                        .conflict = 0.1,
                                        .slow = 0.1,
                                        .timeout = 1ms,
                                        .slow_max = 2ms,
                                        .late_max = 50ms};
      std::set<std::string> acknowledged;
      for (int start = 0; start < 6; ++start) {
        w.store.options() = faults;
        if (start == 3) w.store.options().lost_request = 0.6;  // unknown outcomes up to the deadline
        auto opened = co_await w.open();
        if (!opened) continue;
        Cluster& cluster = **opened;
        for (const auto& name : acknowledged) EXPECT_TRUE(cluster.state().topic_by_name(name)) << name;
        TaskScope scope(w.loop.executor());
        for (int i = 0; i < 15; ++i) {
          scope.spawn(create_until_done(cluster, "t" + std::to_string(start) + "-" + std::to_string(i), acknowledged));
          co_await sleep_for(w.loop.clock(), 1ms);
        }
        co_await scope.stop();
        fences += cluster.fenced();
        co_await cluster.stop();
      }
      w.store.options() = {};
      co_await w.store.settle();
      auto last = co_await w.must_open();
      for (const auto& name : acknowledged) EXPECT_TRUE(last->state().topic_by_name(name)) << name;
      acks += acknowledged.size();
      co_await last->stop();
    };
    world.loop.run_until_done(body(world, fenced, acked));
  }
  EXPECT_GT(acked, 100u);
}

TEST(Cluster, runs_on_a_directory) {
  std::string pattern = "/tmp/cluster-test-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  EventLoop loop;
  auto body = [](EventLoop& l, std::string dir) -> Task<void> {
    BlockingPool files(4);
    Metrics metrics;
    auto random = make_system_random();
    for (int start = 0; start < 2; ++start) {
      auto store = object::open_store("file://" + dir, l.executor(), files, metrics);
      CHECK(store);
      const ClusterOptions options;
      auto cluster = co_await open_cluster(l.executor(), l.clock(), *random, **store, metrics, options);
      CHECK(cluster);
      if (start == 0) {
        EXPECT_TRUE(co_await make_topic(**cluster, "t", 3));
      }
      EXPECT_TRUE((*cluster)->state().topic_by_name("t"));
      co_await (*cluster)->stop();
    }
  };
  loop.run_until_done(body(loop, directory));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace millrace::cluster
