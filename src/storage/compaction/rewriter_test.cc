// Merges and key compaction through a whole engine over a bucket in memory.
#include "storage/compaction/rewriter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "kafka/batch_builder.h"
#include "object/faulty_store.h"
#include "object/memory_store.h"
#include "storage/api.h"

namespace millrace::storage {
namespace {

using Configs = std::map<std::string, std::string>;

// A broker whose objects are small and come quickly.
struct Broker {
  Broker(EventLoop& loop_in, object::Store& bucket_in) : loop(loop_in), bucket(bucket_in) {
    options.object_interval = 1ms;
    options.rewrite_interval = 5ms;
    options.retention_check_interval = 20ms;
    options.merge_fan_in = 4;
  }
  Task<void> start() {
    cluster::ClusterOptions one;
    one.commit_deadline = options.put_unknown_deadline;
    auto opened = co_await cluster::open_cluster(loop.executor(), loop.clock(), *random, bucket, metrics, one);
    CHECK(opened);
    cluster = std::move(*opened);
    auto made = co_await open_engine(loop.executor(), loop.clock(), *random, bucket, *cluster, metrics, options);
    CHECK(made);
    engine = std::move(*made);
  }
  Task<void> stop() {
    co_await engine->stop();
    co_await cluster->stop();
  }
  Task<PartitionId> create(Configs configs) {
    cluster::NewTopicSpec spec{"t", 1, std::move(configs)};
    auto topic = co_await cluster->create_topic(spec);
    CHECK(topic);
    co_return PartitionId{*topic, 0};
  }
  Task<std::int64_t> append(PartitionId id, Slice batch) {
    auto ticket = engine->find(id)->append(std::move(batch));
    CHECK(ticket);
    auto durable = co_await ticket->durable.wait();
    EXPECT_TRUE(durable);
    co_return ticket->base_offset;
  }
  Task<bool> until(std::function<bool()> holds) {
    for (int i = 0; i < 1000 && !holds(); ++i) co_await sleep_for(loop.clock(), 5ms);
    co_return holds();
  }
  const cluster::PartitionState& metadata(PartitionId id) const { return *cluster->state().partition(id); }
  // "offset key=value" of all records, and that the log was read to its end.
  Task<std::vector<std::string>> records(PartitionId id) {
    std::vector<std::string> out;
    Partition* partition = engine->find(id);
    std::int64_t at = partition->log_start_offset();
    while (at < engine->find(id)->high_watermark()) {
      auto got = co_await engine->find(id)->read(at, 300, ReadLimit::kAtLeastOneBatch);
      EXPECT_TRUE(got) << got.error().to_string();
      if (!got || got->next_offset <= at) co_return out;
      kafka::BatchSplitter splitter(got->batches.flatten());
      for (auto batch = splitter.next(); batch && *batch; batch = splitter.next()) {
        EXPECT_TRUE(kafka::BatchView::at_start_of(**batch)->crc_matches());
        auto read = kafka::for_each_record(**batch, [&out](const kafka::RecordView& record) {
          out.push_back(fmt::format("{} {}={}", record.offset, *record.key, record.value.value_or("gone")));
        });
        EXPECT_TRUE(read);
      }
      at = got->next_offset;
    }
    co_return out;
  }

  EventLoop& loop;
  object::Store& bucket;
  EngineOptions options{.idle_puts_per_second_max = 1e6};
  std::unique_ptr<Random> random = make_seeded_random(9);
  Metrics metrics;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<Engine> engine;
};
using Brokers = std::vector<std::unique_ptr<Broker>>;

Slice one_record(std::string_view key, std::optional<std::string_view> value, std::int64_t time_ms,
                 std::int32_t sequence = -1) {
  kafka::BatchBuilder builder({.producer_id = sequence < 0 ? -1 : 5,
                               .producer_epoch = static_cast<std::int16_t>(sequence < 0 ? -1 : 0),
                               .base_sequence = sequence});
  builder.add(time_ms, key, value);
  return builder.finish();
}

Task<void> merge_and_restart(EventLoop& loop, object::Store& bucket, Brokers& brokers) {
  Broker& first = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  co_await first.start();
  const Configs configs = {{"retention.ms", "-1"}};
  const PartitionId id = co_await first.create(configs);
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string value = std::to_string(i);
    const Slice batch = one_record("k", value, 1000 + i, i);
    co_await first.append(id, batch);
    expected.push_back(fmt::format("{} k={}", i, value));
    // Each in an object of its own.
    const std::function<bool()> is_registered = [&] { return first.metadata(id).registered_end() == i + 1; };
    const bool registered = co_await first.until(is_registered);
    EXPECT_TRUE(registered);
  }
  const std::function<bool()> is_merged = [&] { return first.metadata(id).extents.size() <= 4; };
  const bool merged = co_await first.until(is_merged);
  EXPECT_TRUE(merged) << first.metadata(id).extents.size() << " extents are left of 40";
  const std::function<bool()> is_collected = [&] { return first.cluster->state().objects().size() <= 5; };
  const bool collected = co_await first.until(is_collected);
  EXPECT_TRUE(collected) << first.cluster->state().objects().size();
  const auto read = co_await first.records(id);
  EXPECT_EQ(read, expected);
  co_await first.stop();

  Broker& second = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  co_await second.start();
  const auto again = co_await second.records(id);
  EXPECT_EQ(again, expected);
  auto duplicate = second.engine->find(id)->append(one_record("k", "39", 1039, 39));
  EXPECT_TRUE(duplicate && duplicate->duplicate && duplicate->base_offset == 39) << "producers were carried over";
  const auto timed = co_await second.engine->find(id)->find_by_time(1017);
  EXPECT_TRUE(timed && *timed && (*timed)->offset == 17);
  co_await second.stop();
}

TEST(Rewriter, small_objects_become_one_and_nothing_is_lost) {
  EventLoop loop;
  object::MemoryStore bucket;
  Brokers brokers;
  loop.run_until_done(merge_and_restart(loop, bucket, brokers));
}

Task<void> retain_merged(EventLoop& loop, object::Store& bucket, Brokers& brokers) {
  Broker& broker = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  co_await broker.start();
  const Configs configs = {{"retention.bytes", "800"}, {"retention.ms", "-1"}};
  const PartitionId id = co_await broker.create(configs);
  for (int i = 0; i < 60; ++i) {
    const Slice batch = one_record("k", std::to_string(i), 1000 + i);
    co_await broker.append(id, batch);
    const std::function<bool()> is_registered = [&] { return broker.metadata(id).registered_end() == i + 1; };
    const bool registered = co_await broker.until(is_registered);
    EXPECT_TRUE(registered);
  }
  const auto bytes = [&] {
    std::uint64_t all = 0;
    for (const auto& [base, held] : broker.metadata(id).extents) all += held.extent.size_bytes;
    return all;
  };
  // Extents are joined up to an eighth of the limit, so what is kept beyond is less than one of these.
  const std::function<bool()> is_retained = [&] { return bytes() < 800 + 100; };
  const bool retained = co_await broker.until(is_retained);
  EXPECT_TRUE(retained) << bytes();
  EXPECT_GE(bytes(), 800u);
  const auto records = co_await broker.records(id);
  EXPECT_EQ(records.empty() ? "" : records.back(), "59 k=59");
  co_await broker.stop();
}

TEST(Rewriter, retention_by_size_still_works_on_what_was_merged) {
  EventLoop loop;
  object::MemoryStore bucket;
  Brokers brokers;
  loop.run_until_done(retain_merged(loop, bucket, brokers));
}

Task<void> clean_and_restart(EventLoop& loop, object::Store& bucket, Brokers& brokers, std::size_t map_bytes) {
  Broker& first = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  first.options.cleaner_map_bytes = map_bytes;
  co_await first.start();
  const Configs configs = {
      {"cleanup.policy", "compact"}, {"min.cleanable.dirty.ratio", "0"}, {"delete.retention.ms", "1"}};
  const PartitionId id = co_await first.create(configs);
  std::int64_t at = 0;
  for (int round = 0; round < 10; ++round) {
    for (int key = 0; key < 4; ++key, ++at) {
      const std::string name = fmt::format("k{}", key), value = std::to_string(round);
      const Slice batch = one_record(name, value, 1000 + at, static_cast<std::int32_t>(at));
      co_await first.append(id, batch);
    }
  }
  const Slice tombstone = one_record("k1", std::nullopt, 2000, 40);
  co_await first.append(id, tombstone);
  const std::vector<std::string> expected = {"36 k0=9", "38 k2=9", "39 k3=9"};
  std::vector<std::string> left;
  for (int i = 0; i < 400 && left != expected; ++i) {
    co_await sleep_for(loop.clock(), 10ms);
    left = co_await first.records(id);
  }
  EXPECT_EQ(left, expected) << "the newest of each key, and the tombstone gone after its time";
  EXPECT_EQ(first.metadata(id).clean_until, 41);
  EXPECT_EQ(first.engine->find(id)->log_start_offset(), 0);
  const auto timed = co_await first.engine->find(id)->find_by_time(1010);
  EXPECT_TRUE(timed && *timed && (*timed)->offset == 36) << "over gaps";
  const auto nothing = co_await first.engine->find(id)->find_by_time(1500);
  EXPECT_TRUE(nothing && !*nothing);
  auto duplicate = first.engine->find(id)->append(one_record("k0", "9", 1036, 36));
  EXPECT_TRUE(duplicate && duplicate->duplicate);
  co_await first.stop();

  Broker& second = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  co_await second.start();
  EXPECT_EQ(second.engine->find(id)->high_watermark(), 41) << "an emptied batch holds the end";
  const auto again = co_await second.records(id);
  EXPECT_EQ(again, expected);
  const Slice batch = one_record("k1", "new", 3000, 41);
  const auto next = co_await second.append(id, batch);
  EXPECT_EQ(next, 41);
  co_await second.stop();
}

TEST(Rewriter, key_compaction_keeps_the_newest_of_each_key_over_restarts) {
  EventLoop loop;
  object::MemoryStore bucket;
  Brokers brokers;
  loop.run_until_done(clean_and_restart(loop, bucket, brokers, 32 << 20));
}

TEST(Rewriter, a_small_key_map_takes_more_passes_to_the_same_end) {
  EventLoop loop;
  object::MemoryStore bucket;
  Brokers brokers;
  loop.run_until_done(clean_and_restart(loop, bucket, brokers, 3 * KeyMap::kEntryBytes));
}

// The bucket is cut off right after the first rewritten object came to be: nothing says that it exists.
Task<void> cut_before_commit(EventLoop& loop, object::MemoryStore& bucket, Brokers& brokers) {
  Broker& writer = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  writer.options.merge_fan_in = 0;
  writer.options.cleaner_enabled = false;
  co_await writer.start();
  const Configs configs = {{"cleanup.policy", "compact"}, {"min.cleanable.dirty.ratio", "0"}};
  const PartitionId id = co_await writer.create(configs);
  for (int i = 0; i < 12; ++i) {
    const Slice batch = one_record(i % 2 ? "odd" : "even", std::to_string(i), 1000 + i, i);
    co_await writer.append(id, batch);
    const std::function<bool()> is_registered = [&] { return writer.metadata(id).registered_end() == i + 1; };
    const bool registered = co_await writer.until(is_registered);
    EXPECT_TRUE(registered);
  }
  co_await writer.stop();

  auto random = make_seeded_random(3);
  object::FaultyStore faulty(bucket, loop.executor(), loop.clock(), *random, {});
  bool uploaded = false;
  faulty.set_hook([&](object::FaultyStore::Step step, std::string_view operation, std::string_view key) {
    if (step != object::FaultyStore::Step::kAfter || !operation.starts_with("put") || !key.starts_with("obj/")) return;
    uploaded = true;
    faulty.cut(true);
  });
  Broker& cut = *brokers.emplace_back(std::make_unique<Broker>(loop, faulty));
  cut.options.put_unknown_deadline = 300ms;
  co_await cut.start();
  const std::function<bool()> was_uploaded = [&] { return uploaded; };
  const bool happened = co_await cut.until(was_uploaded);
  EXPECT_TRUE(happened);
  co_await cut.stop();
  co_await faulty.settle();

  Broker& next = *brokers.emplace_back(std::make_unique<Broker>(loop, bucket));
  next.options.rewrite_interval = 200ms;
  co_await next.start();
  const std::vector<std::string> expected = {"10 even=10", "11 odd=11"};
  std::vector<std::string> left;
  for (int i = 0; i < 200 && left != expected; ++i) {
    co_await sleep_for(loop.clock(), 10ms);
    left = co_await next.records(id);
  }
  EXPECT_EQ(left, expected);
  // What nobody names is gone, and all that is named is there.
  std::vector<std::string> there, named;
  for (int i = 0; i < 200; ++i) {
    co_await sleep_for(loop.clock(), 10ms);
    const auto listed = co_await bucket.list("obj/", "", 1000);
    there.clear();
    named.clear();
    for (const auto& one : *listed) there.push_back(one.key);
    for (const auto& [key, object] : next.cluster->state().objects()) named.push_back(key);
    std::sort(named.begin(), named.end());
    if (there == named) break;
  }
  EXPECT_EQ(there, named);
  co_await next.stop();
}

TEST(Rewriter, an_upload_without_its_record_changes_nothing_and_is_collected) {
  EventLoop loop;
  object::MemoryStore bucket;
  Brokers brokers;
  loop.run_until_done(cut_before_commit(loop, bucket, brokers));
}

}  // namespace
}  // namespace millrace::storage
