#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "kafka/batch_builder.h"
#include "object/memory_store.h"
#include "storage/api.h"

namespace millrace::storage {
namespace {

struct Node {
  Node(EventLoop& loop, object::Store& bucket) : loop_(loop), bucket_(bucket) {}
  Task<void> start() {
    cluster::ClusterOptions cluster_options;
    auto opened =
        co_await cluster::open_cluster(loop_.executor(), loop_.clock(), *random, bucket_, metrics, cluster_options);
    EXPECT_TRUE(opened) << opened.error().to_string();
    cluster = std::move(*opened);
    auto made = co_await open_engine(loop_.executor(), loop_.clock(), *random, bucket_, *cluster, metrics, options);
    EXPECT_TRUE(made) << made.error().to_string();
    engine = std::move(*made);
  }
  void compact_at_once() {
    options.object_bytes_target = 1;
    options.object_interval = 1ms;
    options.tail_bytes_max = 0;
  }
  Task<void> until_compacted() {
    for (int i = 0; i < 500 && engine->status().wal_bytes > 0; ++i) co_await sleep_for(loop_.clock(), 10ms);
  }
  Task<void> stop() {
    co_await engine->stop();
    co_await cluster->stop();
  }
  EventLoop& loop_;
  object::Store& bucket_;
  EngineOptions options{.idle_puts_per_second_max = 1e6};
  std::unique_ptr<Random> random = make_seeded_random(7);
  Metrics metrics;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<Engine> engine;
};

Slice batch_of(std::string_view value, int records, std::int64_t producer = -1, std::int32_t sequence = -1,
               std::int64_t time_ms = 1000) {
  kafka::BatchBuilder builder({.producer_id = producer,
                               .producer_epoch = static_cast<std::int16_t>(producer < 0 ? -1 : 0),
                               .base_sequence = sequence});
  for (int i = 0; i < records; ++i) builder.add(time_ms + i, "k", value);
  return builder.finish();
}

std::vector<std::int64_t> offsets_in(const SliceChain& chain) {
  std::vector<std::int64_t> out;
  kafka::BatchSplitter splitter(chain.flatten());
  while (true) {
    auto next = splitter.next();
    if (!next || !*next) return out;
    out.push_back(kafka::BatchView::at_start_of(**next)->base_offset());
  }
}

#define ASSERT_CO(condition)           \
  do {                                 \
    const bool holds_ = (condition);   \
    EXPECT_TRUE(holds_) << #condition; \
    if (!holds_) co_return;            \
  } while (0)

Task<void> append_and_read(EventLoop& loop) {
  object::MemoryStore bucket;
  Node node(loop, bucket);
  co_await node.start();
  cluster::NewTopicSpec spec{"t", 2, {}};
  auto topic = co_await node.cluster->create_topic(spec);
  ASSERT_CO(topic.has_value());
  Partition* partition = node.engine->find({*topic, 0});
  ASSERT_CO(partition != nullptr);
  auto first = partition->append(batch_of("a", 3));
  auto second = partition->append(batch_of("b", 2));
  ASSERT_CO(first.has_value() && second.has_value());
  EXPECT_EQ(first->base_offset, 0);
  EXPECT_EQ(first->last_offset, 2);
  EXPECT_EQ(second->base_offset, 3);
  EXPECT_EQ(partition->high_watermark(), 0);
  auto durable = co_await second->durable.wait();
  EXPECT_TRUE(durable);
  EXPECT_EQ(partition->high_watermark(), 5);
  auto read = co_await partition->read(1, 1 << 20, ReadLimit::kAtLeastOneBatch);
  ASSERT_CO(read.has_value());
  EXPECT_EQ(offsets_in(read->batches), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(read->next_offset, 5);
  auto beyond = co_await partition->read(6, 100, ReadLimit::kStrict);
  EXPECT_FALSE(beyond);
  co_await node.stop();
}

TEST(Engine, appends_become_durable_and_are_read_back) {
  EventLoop loop;
  loop.run_until_done(append_and_read(loop));
}

// Three batches by one producer, kill (nothing is stopped in order), restart, retry, compact, restart, read.
Task<void> restart_and_compact(EventLoop& loop, object::MemoryStore& bucket,
                               std::vector<std::unique_ptr<Node>>& nodes) {
  auto& first = *nodes.emplace_back(std::make_unique<Node>(loop, bucket));
  co_await first.start();
  cluster::NewTopicSpec spec{"t", 1, {{"retention.ms", "-1"}}};
  auto topic = co_await first.cluster->create_topic(spec);
  ASSERT_CO(topic.has_value());
  const PartitionId id{*topic, 0};
  for (int i = 0; i < 3; ++i) {
    auto ticket = first.engine->find(id)->append(batch_of("a", 2, 9, i * 2, 1000 + 100 * i));
    ASSERT_CO(ticket.has_value());
    auto durable = co_await ticket->durable.wait();
    ASSERT_CO(durable.has_value());
  }
  co_await first.stop();

  auto& second = *nodes.emplace_back(std::make_unique<Node>(loop, bucket));
  second.compact_at_once();
  co_await second.start();
  Partition* partition = second.engine->find(id);
  ASSERT_CO(partition != nullptr);
  EXPECT_EQ(partition->high_watermark(), 6);
  EXPECT_EQ(partition->leader_epoch(), 1);
  EXPECT_EQ(partition->epoch_of(5), 0);
  EXPECT_EQ(partition->end_of_epoch(0).end_offset, 6);
  auto retried = partition->append(batch_of("a", 2, 9, 4));
  ASSERT_CO(retried.has_value());
  EXPECT_TRUE(retried->duplicate);
  EXPECT_EQ(retried->base_offset, 4);
  auto gap = partition->append(batch_of("a", 2, 9, 8));
  ASSERT_CO(!gap.has_value());
  EXPECT_EQ(gap.error(), AppendRefusal::kOutOfOrderSequence);
  auto next = partition->append(batch_of("z", 1, 9, 6, 5000));
  ASSERT_CO(next.has_value());
  auto durable = co_await next->durable.wait();
  EXPECT_TRUE(durable.has_value());
  co_await second.until_compacted();
  EXPECT_EQ(second.engine->status().wal_bytes, 0u);
  EXPECT_GE(second.engine->status().objects, 1u);
  EXPECT_EQ(second.engine->status().tail_bytes, 0u);
  auto read = co_await second.engine->find(id)->read(0, 1 << 20, ReadLimit::kAtLeastOneBatch);
  ASSERT_CO(read.has_value());
  EXPECT_EQ(offsets_in(read->batches).front(), 0);
  auto timed = co_await second.engine->find(id)->find_by_time(1150);
  ASSERT_CO(timed.has_value() && timed->has_value());
  EXPECT_EQ((*timed)->offset, 4);
  auto greatest = co_await second.engine->find(id)->find_max_timestamp();
  ASSERT_CO(greatest.has_value() && greatest->has_value());
  EXPECT_EQ((*greatest)->offset, 6);
  auto start = co_await second.engine->find(id)->delete_records_before(3);
  ASSERT_CO(start.has_value());
  EXPECT_EQ(*start, 3);
  co_await second.stop();

  auto& third = *nodes.emplace_back(std::make_unique<Node>(loop, bucket));
  co_await third.start();
  partition = third.engine->find(id);
  ASSERT_CO(partition != nullptr);
  EXPECT_EQ(partition->log_start_offset(), 3);
  EXPECT_EQ(partition->high_watermark(), 7);
  auto again = partition->append(batch_of("z", 1, 9, 6));
  ASSERT_CO(again.has_value());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset, 6);
  auto rest = co_await partition->read(3, 1 << 20, ReadLimit::kAtLeastOneBatch);
  ASSERT_CO(rest.has_value());
  EXPECT_EQ(offsets_in(rest->batches).front(), 2);
  co_await third.stop();
}

TEST(Engine, recovers_compacts_and_remembers_producers_over_restarts) {
  EventLoop loop;
  object::MemoryStore bucket;
  std::vector<std::unique_ptr<Node>> nodes;
  loop.run_until_done(restart_and_compact(loop, bucket, nodes));
}

}  // namespace
}  // namespace millrace::storage
