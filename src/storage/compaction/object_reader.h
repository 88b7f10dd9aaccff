// ObjectReader: batches out of registered data objects, by the sparse index in each object's footer (the newest 64
// footers stay in memory) and the block cache. Errors are the BlockCache's. One thread.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "storage/cache/block_cache.h"
#include "storage/compaction/object_codec.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {

// Where an extent is: by value, because the metadata state may change while reading.
struct ExtentPlace {
  std::string key;
  std::uint64_t object_size = 0;
  cluster::Extent extent;
};

struct ExtentRead {
  SliceChain batches;
  std::int64_t next_offset = -1;  // -1: nothing fitted
};

// The head of the batch at `position` of a chain; nothing when fewer than 61 bytes follow.
std::optional<BatchHeader> header_in_chain(const SliceChain& chain, std::size_t position);
SliceChain part_of_chain(const SliceChain& chain, std::size_t position, std::size_t size);

class ObjectReader {
 public:
  ObjectReader(BlockCache& cache) : cache_(cache) {}

  // Batches from the one that holds `offset`, up to `max_bytes`; at least one if `first_whole`.
  Task<Result<ExtentRead>> read(ExtentPlace place, std::int64_t offset, std::size_t max_bytes, bool first_whole);
  // The first batch at or after `from_offset` with max timestamp >= `timestamp_ms`, whole; empty when there is none.
  Task<Result<Slice>> find_batch_by_time(ExtentPlace place, std::int64_t from_offset, std::int64_t timestamp_ms);

 private:
  Task<Result<std::shared_ptr<const ObjectIndex>>> index_of(std::string key, std::uint64_t object_size);

  struct Kept {
    std::shared_ptr<const ObjectIndex> index;
    std::list<std::string>::iterator age;
  };
  BlockCache& cache_;
  std::unordered_map<std::string, Kept> indexes_;
  std::list<std::string> ages_;
};

}  // namespace millrace::storage
