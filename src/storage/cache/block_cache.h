// BlockCache: parts of immutable objects (slots, data objects) in memory, in blocks of 1 MiB, least recently used out
// first. Readers of a block that is on its way wait for the same GET. A miss that goes on where a cached block ends
// reads 4 blocks ahead in one GET. Answers are Slices of the blocks: nothing is copied.
//
// Fails: kNotFound (the object is gone: look the place up anew), kCorrupt (shorter than its index says),
// kUnavailable/kTimeout after five attempts. The budget bounds what the cache holds, not what readers still hold. One
// thread.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "object/store.h"
#include "storage/metrics.h"

namespace millrace::storage {

class BlockCache {
 public:
  static constexpr std::uint64_t kBlockBytes = 1 << 20;
  static constexpr std::uint64_t kReadAheadBlocks = 4;

  BlockCache(Clock& clock, object::Store& store, StorageMetrics& metrics, std::size_t bytes_max)
      : clock_(clock), store_(store), metrics_(metrics), bytes_max_(bytes_max) {}

  // Bytes [position, position + size) of an object of `object_size` bytes.
  Task<Result<SliceChain>> read(std::string key, std::uint64_t object_size, std::uint64_t position, std::uint64_t size);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Block {
    Promise<Result<Slice>> data;
    std::size_t size = 0;  // once it arrived
    std::list<std::string>::iterator age;
  };

  static std::string name(const std::string& key, std::uint64_t block);
  Task<void> fetch(std::string key, std::uint64_t object_size, std::uint64_t first, std::uint64_t count);
  Task<Result<Slice>> get(std::string key, object::ByteRange range);
  void evict();

  Clock& clock_;
  object::Store& store_;
  StorageMetrics& metrics_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Block> blocks_;
  std::list<std::string> ages_;  // newest first; only blocks that arrived
};

}  // namespace millrace::storage
