// Data objects (docs/formats/data-object.md): the batches of many partitions sorted by partition and offset, their
// producer state, and a footer with a sparse index. Building copies no batch; decoding refuses malformed bytes
// (kCorrupt) and never allocates by a claimed length. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cluster/records.h"

namespace millrace::storage {

inline constexpr std::size_t kObjectHeaderBytes = 64;
inline constexpr std::size_t kObjectTrailerBytes = 12;
// One index point for at least that many bytes of batches.
inline constexpr std::uint64_t kIndexPointBytes = 32 << 10;

// The batches from `position` (in the object) up to the next point.
struct IndexPoint {
  std::int64_t base_offset = 0;
  std::uint64_t position = 0;
  std::int64_t max_timestamp_ms = -1;
  bool operator==(const IndexPoint&) const = default;
};
struct IndexedExtent {
  cluster::Extent extent;
  std::vector<IndexPoint> points;  // ascending, the first at the extent's begin
};
struct ObjectIndex {
  std::vector<IndexedExtent> extents;  // by partition, then base offset
  const IndexedExtent* find(const cluster::PartitionId& partition, std::int64_t base_offset) const;
};

// Everything in order: for each partition batches by offset, then all states.
class ObjectBuilder {
 public:
  ObjectBuilder(cluster::LogSeq birth, std::int32_t broker_id, cluster::Incarnation incarnation);

  // A batch of `partition` that follows the previous one of it without overlap. `batch` may be in pieces.
  void add_batch(const cluster::PartitionId& partition, std::int64_t base_offset, std::int64_t next_offset,
                 std::int64_t max_timestamp_ms, SliceChain batch);
  // What follows begins an extent that serves offsets from `base_offset` on, also where its first batch begins later
  // (key compaction leaves gaps).
  void begin_extent(const cluster::PartitionId& partition, std::int64_t base_offset);
  // Producers as of `end_offset`, made from those as of `follows`.
  void add_state(const cluster::PartitionId& partition, std::int64_t follows, std::int64_t end_offset,
                 std::string state);

  struct Built {
    SliceChain body;
    std::vector<cluster::Extent> extents;
    std::vector<cluster::StateExtent> states;
  };
  Built finish();
  std::uint64_t size() const { return body_.size(); }

 private:
  SliceChain body_;
  ObjectIndex index_;
  bool extent_begun_ = false;
  std::vector<cluster::StateExtent> states_;
};

struct ObjectTrailer {
  std::uint32_t footer_size = 0;
  std::uint32_t footer_crc = 0;
  std::uint64_t footer_at = 0;  // in the object
};
// `last_bytes` of an object of `object_size`: at least its trailer, or all of it.
Result<ObjectTrailer> decode_object_trailer(std::string_view last_bytes, std::uint64_t object_size);
Result<ObjectIndex> decode_object_footer(std::string_view footer, const ObjectTrailer& trailer);
// A state extent's bytes without their checksum.
Result<std::string_view> open_state(std::string_view bytes);

}  // namespace millrace::storage
