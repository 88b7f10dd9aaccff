// The whole log, engine and cluster as in production, on a disk that loses power at each step: what was acknowledged is
// there once, in order, and so it stays.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "disk/shared_bucket.h"
#include "disk/sim_disk.h"
#include "disk/wal_store.h"
#include "storage/api.h"

namespace millrace::disk {
namespace {

// A record batch v2 with one record.
Slice batch_with(std::string_view value) {
  std::string record;
  ByteWriter r(record);
  r.u8(0);
  r.zigzag(0);
  r.zigzag(0);
  r.zigzag(-1);
  r.zigzag(static_cast<std::int64_t>(value.size()));
  r.bytes(value);
  r.zigzag(0);
  std::string covered;
  ByteWriter c(covered);
  c.be(std::int16_t{0});     // attributes
  c.be(std::int32_t{0});     // last offset delta
  c.be(std::int64_t{1000});  // timestamps
  c.be(std::int64_t{1000});  //
  c.be(std::int64_t{-1});    // producer
  c.be(std::int16_t{-1});    //
  c.be(std::int32_t{-1});    //
  c.be(std::int32_t{1});     // records
  c.zigzag(static_cast<std::int64_t>(record.size()));
  c.bytes(record);
  std::string batch;
  ByteWriter w(batch);
  w.be(std::int64_t{0});
  w.be(static_cast<std::int32_t>(4 + 1 + 4 + covered.size()));
  w.be(std::int32_t{-1});
  w.u8(2);
  w.be(crc32c(covered));
  w.bytes(covered);
  return Slice::of(std::move(batch));
}

std::string value_of(int number) { return fmt::format("<{}:{}>", number, std::string(300 + number * 97 % 2000, 'v')); }

// One process: disk, store, cluster, engine.
struct Process {
  Process(EventLoop& l, object::Store& b) : loop(l), bucket(b) {}

  Task<Result<void>> start(SimVolume& volume) {
    CO_TRY(auto disk, volume.attach(loop.clock()));
    WalStoreOptions wal;
    wal.segment_bytes = 24 << 10;
    wal.spares_max = 1;
    wal.still_held = [this] { return cluster->hold_wal(); };
    auto shared = std::make_unique<SharedBucket>(bucket);
    CO_TRY(store, co_await open_wal_store(loop.executor(), loop.clock(), *random, metrics, std::move(shared),
                                          std::move(disk), std::move(wal)));
    cluster::ClusterOptions cluster_options;
    cluster_options.wal_kind = cluster::WalKind::kDisk;
    cluster_options.wal_ended_here = [this](cluster::WalId id) { return store->ended_here(id); };
    CO_TRY(cluster,
           co_await cluster::open_cluster(loop.executor(), loop.clock(), *random, *store, metrics, cluster_options));
    storage::EngineOptions options;
    options.idle_puts_per_second_max = 1e6;
    options.cut_interval = Duration(0);
    options.object_bytes_target = 8 << 10;  // so that slots leave the disk and segments are used again
    options.tail_bytes_max = 0;             // so that reads go to the disk and the bucket
    options.put_unknown_deadline = 300ms;
    CO_TRY(engine,
           co_await storage::open_engine(loop.executor(), loop.clock(), *random, *store, *cluster, metrics, options));
    co_return Result<void>();
  }
  Task<void> stop() {
    if (engine) co_await engine->stop();
    if (cluster) co_await cluster->stop();
    if (store) co_await store->stop();
    engine.reset();
    cluster.reset();
    store.reset();
  }

  EventLoop& loop;
  object::Store& bucket;
  std::unique_ptr<Random> random = make_system_random();
  Metrics metrics;
  std::unique_ptr<WalStore> store;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<storage::Engine> engine;
};

struct Story {
  cluster::PartitionId partition;
  std::map<std::int64_t, int> acked;  // offset -> number
  int next = 0;
};

// Up to two appends under way, until 30 are acknowledged or the disk is dead.
Task<void> append_some(Process& process, Story& story) {
  for (int i = 0; i < 15; ++i) {
    auto* partition = process.engine->find(story.partition);
    if (!partition) co_return;
    std::vector<std::pair<storage::AppendTicket, int>> tickets;
    for (int j = 0; j < 2; ++j) {
      const int number = story.next++;
      auto ticket = partition->append(batch_with(value_of(number)));
      if (!ticket) co_return;
      tickets.emplace_back(std::move(*ticket), number);
      co_await yield_now();
    }
    for (const auto& [ticket, number] : tickets) {
      const Result<void> durable = co_await ticket.durable.wait();
      if (!durable) co_return;
      story.acked[ticket.base_offset] = number;
    }
  }
}

Task<void> check_all(Process& process, const Story& story, std::string what) {
  std::map<std::int64_t, std::string> found;
  auto* partition = process.engine->find(story.partition);
  EXPECT_NE(partition, nullptr) << what;
  if (!partition) co_return;
  const std::int64_t end = partition->high_watermark();
  std::int64_t offset = 0;
  while (offset < end) {
    const auto read =
        co_await process.engine->find(story.partition)->read(offset, 1 << 20, storage::ReadLimit::kStrict);
    EXPECT_TRUE(read) << what << ": " << (read ? "" : read.error().to_string());
    if (!read || read->next_offset <= offset) break;
    const Slice bytes = read->batches.flatten();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 12 + load_be<std::uint32_t>(bytes.data() + at + 8);
      const std::string_view batch = bytes.view().substr(at, size);
      const auto value = batch.substr(batch.find('<'), batch.rfind('>') + 1 - batch.find('<'));
      EXPECT_TRUE(found.emplace(load_be<std::int64_t>(batch.data()), value).second) << what << ": an offset twice";
      at += size;
    }
    offset = read->next_offset;
  }
  for (const auto& [at, number] : story.acked) {
    EXPECT_EQ(found[at], value_of(number)) << what << ": offset " << at << " of " << end;
  }
}

Task<void> lose_power_at(EventLoop& loop, std::uint64_t step, bool& survived) {
  object::MemoryStore bucket;
  const auto random = make_seeded_random(step);
  SimVolume volume(*random);
  Story story;
  {
    Process first(loop, bucket);
    EXPECT_TRUE(co_await first.start(volume));
    cluster::NewTopicSpec spec{"t", 1, {{"retention.ms", "-1"}}};
    const auto topic = co_await first.cluster->create_topic(spec);
    EXPECT_TRUE(topic);
    story.partition = {*topic, 0};
    volume.die_at_step(step);
    co_await append_some(first, story);
    survived = !volume.died();
    co_await first.stop();
  }
  if (survived) volume.crash();
  for (int life = 0; life < 3; ++life) {
    Process next(loop, bucket);
    const Result<void> started = co_await next.start(volume);
    EXPECT_TRUE(started) << "step " << step << ": " << (started ? "" : started.error().to_string());
    if (started) {
      co_await check_all(next, story, fmt::format("step {}, life {}", step, life));
      if (life == 1) co_await append_some(next, story);
    }
    co_await next.stop();
    volume.crash();
  }
}

TEST(EngineOnDisk, power_lost_at_any_step_costs_no_acknowledged_record) {
  configure_logging(LogFormat::kText, LogLevel::kError);
  EventLoop loop;
  bool survived = false;
  std::uint64_t deaths = 0;
  for (std::uint64_t step = 1; !survived && step < 400; step += step < 20 ? 1 : 5) {
    loop.run_until_done(lose_power_at(loop, step, survived));
    deaths += survived ? 0 : 1;
  }
  configure_logging(LogFormat::kText, LogLevel::kInfo);
  EXPECT_GT(deaths, 15u);
}

}  // namespace
}  // namespace millrace::disk
