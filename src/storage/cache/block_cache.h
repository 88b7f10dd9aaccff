// BlockCache: parts of immutable objects (slots, data objects) in memory, in blocks of 1 MiB, least recently used out
// first. Readers of a block that is on its way wait for the same GET. Who reads on where a cached block ends gets the
// next 4 blocks by one GET, and the 4 after them in the background once the last of what is cached is read: a consumer
// that catches up waits for the store once, not at every fourth block. Answers are Slices of the blocks: nothing is
// copied.
//
// Below memory there may be a DiskTier. GETs are bounded by a budget of their own: readers that catch up wait for each
// other, in the order in which they came, and never for, or before, what producers write.
//
// Fails: kNotFound (the object is gone: look the place up anew), kCorrupt (shorter than its index says),
// kUnavailable/kTimeout after five attempts. The budget bounds what the cache holds, not what readers still hold. One
// thread.
#pragma once

#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/byte_budget.h"
#include "base/clock.h"
#include "object/store.h"
#include "storage/api.h"
#include "storage/cache/disk_tier.h"
#include "storage/metrics.h"

namespace millrace::storage {

class BlockCache {
 public:
  static constexpr std::uint64_t kBlockBytes = kCacheBlockBytes;
  static constexpr std::uint64_t kReadAheadBlocks = 4;

  struct Limits {
    std::size_t bytes = 0;                   // held in memory
    std::size_t bytes_in_flight = 64 << 20;  // of GETs under way
  };
  // Reads ahead in `scope`, whose Tasks end before the cache does. `disk` may be null.
  BlockCache(TaskScope& scope, Clock& clock, object::Store& store, StorageMetrics& metrics, Limits limits,
             std::shared_ptr<object::BlockFile> disk = nullptr)
      : scope_(scope),
        clock_(clock),
        store_(store),
        metrics_(metrics),
        bytes_max_(limits.bytes),
        reads_(limits.bytes_in_flight),
        disk_(scope, std::move(disk), metrics) {}

  // Bytes [position, position + size) of an object of `object_size` bytes.
  Task<Result<SliceChain>> read(std::string key, std::uint64_t object_size, std::uint64_t position, std::uint64_t size);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Block {
    Promise<Result<Slice>> data;
    Slice bytes;  // once it arrived
    std::list<std::string>::iterator age;
  };

  void read_ahead(const std::string& key, std::uint64_t object_size, std::uint64_t block);
  using Run = std::vector<Promise<Result<Slice>>>;  // of adjacent blocks
  Run claim(const std::string& key, std::uint64_t first, std::uint64_t last);
  static std::string name(const std::string& key, std::uint64_t block);
  Task<void> fetch(std::string key, std::uint64_t object_size, std::uint64_t first, Run promises);
  Task<Result<Slice>> get_block_run(std::string key, object::ByteRange range);
  Task<Result<Slice>> get(std::string key, object::ByteRange range);
  void evict();

  TaskScope& scope_;
  Clock& clock_;
  object::Store& store_;
  StorageMetrics& metrics_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  ByteBudget reads_;
  DiskTier disk_;
  std::unordered_map<std::string, Block> blocks_;
  std::list<std::string> ages_;  // newest first; only blocks that arrived
};

}  // namespace millrace::storage
