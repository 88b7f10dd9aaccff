// What is read when: once for many readers, ahead of one that goes on, and never more than the budget allows.
#include "storage/cache/block_cache.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "object/memory_store.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kBlock = BlockCache::kBlockBytes;
constexpr std::uint64_t kObjectBytes = 12 * kBlock + 100;

// Counts the ranges that were asked of it.
class CountingStore final : public object::MemoryStore {
 public:
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override {
    ranges.push_back(range);
    return get_later(std::move(key), range);
  }
  Task<Result<Slice>> get_later(std::string key, object::ByteRange range) {
    if (held) co_await held->wait();
    co_return co_await object::MemoryStore::get_range(std::move(key), range);
  }
  std::unique_ptr<Event> held;  // answers wait for it
  std::vector<object::ByteRange> ranges;
};

// A disk that may be told to break.
class MemoryBlocks final : public object::BlockFile {
 public:
  explicit MemoryBlocks(std::uint32_t blocks) : kept(blocks) {}
  std::uint32_t blocks() const override { return static_cast<std::uint32_t>(kept.size()); }
  Task<Result<void>> write(std::uint32_t block, Slice bytes) override {
    kept[block] = std::string(bytes.view());
    co_return Result<void>();
  }
  Task<Result<Slice>> read(std::uint32_t block, std::size_t size) override {
    ++reads;
    co_return Slice::copy_of(std::string_view(kept[block]).substr(0, size));
  }
  std::vector<std::string> kept;
  int reads = 0;
};

class BlockCacheTest : public testing::Test {
 public:
  template <class Body>
  void run(std::size_t budget, Body body) {
    BlockCache cache(scope_, loop_.clock(), store_, metrics_, {.bytes = budget, .bytes_in_flight = in_flight_}, disk_);
    loop_.run_until_done(over(cache, body));
  }
  template <class Body>
  Task<void> over(BlockCache& cache, Body& body) {
    SliceChain whole;
    whole.append(Slice::of(std::string(kObjectBytes, 'x')));
    EXPECT_TRUE(co_await store_.put_if_absent("o", whole));
    co_await body(*this, cache);
    co_await scope_.stop();
  }
  Task<void> read(BlockCache& cache, std::uint64_t position, std::uint64_t size) {
    auto got = co_await cache.read("o", kObjectBytes, position, size);
    EXPECT_TRUE(got && got->size() == size);
    co_await yield_now();  // for what is read in the background
    co_await yield_now();
  }

  EventLoop loop_;
  Metrics registry_;
  StorageMetrics metrics_{registry_};
  CountingStore store_;
  std::size_t in_flight_ = 64 << 20;
  std::shared_ptr<MemoryBlocks> disk_;
  TaskScope scope_{loop_.executor()};
};

TEST_F(BlockCacheTest, a_sequential_reader_waits_for_the_store_twice_only) {
  run(128 << 20, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (std::uint64_t block = 0; block < 12; ++block) {
      const std::size_t before = t.store_.ranges.size();
      const bool cached = block >= 2;
      co_await t.read(cache, block * kBlock, 1000);
      // Blocks 1-4 are read on a miss; from then on each last block asks for the next four.
      EXPECT_TRUE(!cached || t.store_.ranges.size() - before == (block == 4 || block == 8 ? 1U : 0U)) << block;
    }
    EXPECT_EQ(t.store_.ranges.size(), 4U);
    EXPECT_EQ(cache.bytes(), kObjectBytes);
  });
}

TEST_F(BlockCacheTest, a_reader_that_jumps_reads_what_it_asks_for) {
  run(128 << 20, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (const std::uint64_t block : {9, 3, 6}) co_await t.read(cache, block * kBlock, 1000);
    EXPECT_EQ(cache.bytes(), 3 * kBlock);
    co_await t.read(cache, 12 * kBlock, 100);
    EXPECT_EQ(cache.bytes(), 3 * kBlock + 100);
  });
}

TEST_F(BlockCacheTest, a_small_budget_is_not_spent_on_what_nobody_asked_for) {
  run(6 * kBlock, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (std::uint64_t block = 0; block < 5; ++block) co_await t.read(cache, block * kBlock, 1000);
    EXPECT_EQ(t.store_.ranges.size(), 2U);
    EXPECT_LE(cache.bytes(), 6 * kBlock);
  });
}

TEST_F(BlockCacheTest, a_block_in_the_middle_of_what_is_missing_is_not_read_twice) {
  run(128 << 20, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (const std::uint64_t block : {3, 0, 1}) co_await t.read(cache, block * kBlock, 1000);
    EXPECT_EQ(cache.bytes(), 4 * kBlock);  // 0 to 3
    co_await t.read(cache, 2 * kBlock, 1000);
    EXPECT_EQ(t.store_.ranges.size(), 3U);
  });
}

TEST_F(BlockCacheTest, what_memory_gives_up_comes_from_the_disk) {
  disk_ = std::make_shared<MemoryBlocks>(8);
  run(2 * kBlock, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (const std::uint64_t block : {0, 2, 4, 6}) co_await t.read(cache, block * kBlock, 1000);
    EXPECT_EQ(t.store_.ranges.size(), 4U);
    co_await t.read(cache, 0, 1000);
    co_await t.read(cache, 2 * kBlock, 1000);
    EXPECT_EQ(t.store_.ranges.size(), 4U);
    EXPECT_EQ(t.disk_->reads, 2);
    EXPECT_LE(cache.bytes(), 2 * kBlock);
  });
}

TEST_F(BlockCacheTest, a_block_that_the_disk_broke_comes_from_the_bucket) {
  disk_ = std::make_shared<MemoryBlocks>(8);
  run(kBlock, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (const std::uint64_t block : {0, 2}) co_await t.read(cache, block * kBlock, 1000);
    t.disk_->kept[0][17] ^= 1;
    auto got = co_await cache.read("o", kObjectBytes, 0, 1000);
    EXPECT_TRUE(got && got->flatten() == Slice::of(std::string(1000, 'x')));
    EXPECT_EQ(t.store_.ranges.size(), 3U);
    EXPECT_EQ(t.disk_->reads, 1);
  });
}

TEST_F(BlockCacheTest, a_full_disk_forgets_the_oldest) {
  disk_ = std::make_shared<MemoryBlocks>(2);
  run(kBlock, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    for (const std::uint64_t block : {0, 2, 4, 6}) co_await t.read(cache, block * kBlock, 1000);
    co_await t.read(cache, 2 * kBlock, 1000);  // the disk has 2 and 4
    EXPECT_EQ(t.disk_->reads, 1);
    co_await t.read(cache, 0, 1000);
    EXPECT_EQ(t.disk_->reads, 1);
    EXPECT_EQ(t.store_.ranges.size(), 5U);
  });
}

TEST_F(BlockCacheTest, readers_beyond_the_budget_wait_for_their_turn) {
  in_flight_ = 2 * kBlock;
  run(128 << 20, [](BlockCacheTest& t, BlockCache& cache) -> Task<void> {
    t.store_.held = std::make_unique<Event>();
    TaskScope readers(t.loop_.executor());
    for (const std::uint64_t block : {0, 2, 4, 6}) readers.spawn(t.read(cache, block * kBlock, 1000));
    for (int i = 0; i < 5; ++i) co_await yield_now();
    EXPECT_EQ(t.store_.ranges.size(), 2U);
    t.store_.held->set();
    co_await readers.stop();
    EXPECT_EQ(t.store_.ranges.size(), 4U);
  });
}

}  // namespace
}  // namespace millrace::storage
