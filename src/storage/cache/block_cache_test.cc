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
    return object::MemoryStore::get_range(std::move(key), range);
  }
  std::vector<object::ByteRange> ranges;
};

class BlockCacheTest : public testing::Test {
 public:
  template <class Body>
  void run(std::size_t budget, Body body) {
    BlockCache cache(scope_, loop_.clock(), store_, metrics_, budget);
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

}  // namespace
}  // namespace millrace::storage
