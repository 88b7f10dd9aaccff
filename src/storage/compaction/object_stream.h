// ObjectStream: the batches of one data object's extents in ascending order, by ranged GETs of its own: what merges and
// key compaction read goes past the block cache, which belongs to consumers. One chunk of 1 MiB is in memory at a time;
// the batches that it gives out are Slices of it.
//
// Fails: kNotFound (the object is gone: plan anew), kCorrupt (a batch's place or checksum is wrong), kUnavailable or
// kTimeout after five attempts. One thread.
#pragma once

#include <optional>
#include <string>

#include "storage/compaction/object_codec.h"
#include "storage/engine_parts.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {

struct ReadBatch {
  BatchHeader head;
  Slice bytes;
};

class ObjectStream {
 public:
  static constexpr std::uint64_t kChunkBytes = 1 << 20;

  // Reads no byte at or beyond `end`.
  ObjectStream(EngineParts& parts, std::string key, std::uint64_t end)
      : parts_(parts), key_(std::move(key)), end_(end) {}

  // The next batches are those of this extent, which lies behind the one before.
  void open(const cluster::Extent& extent) {
    position_ = extent.position;
    extent_end_ = extent.position + extent.size_bytes;
  }
  // Nothing at the extent's end.
  Task<Result<std::optional<ReadBatch>>> next();
  // Any bytes, best in ascending order.
  Task<Result<Slice>> bytes(std::uint64_t position, std::uint64_t size);

 private:
  Task<Result<Slice>> get(std::uint64_t position, std::uint64_t size);

  EngineParts& parts_;
  std::string key_;
  std::uint64_t end_;
  std::uint64_t position_ = 0, extent_end_ = 0;
  std::uint64_t chunk_at_ = 0;
  Slice chunk_;
};

// The footer of an object, past the cache.
Task<Result<ObjectIndex>> read_object_index(EngineParts& parts, std::string key, std::uint64_t object_size);

}  // namespace millrace::storage
