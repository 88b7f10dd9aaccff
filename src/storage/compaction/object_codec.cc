#include "storage/compaction/object_codec.h"

#include <algorithm>

#include "base/codec.h"
#include "base/crc32c.h"

namespace millrace::storage {
namespace {

constexpr std::uint32_t kObjectMagic = 0x4d524f42;  // "MROB"
constexpr std::uint16_t kObjectFormat = 1;
constexpr std::size_t kExtentBytes = 16 + 4 + 8 + 8 + 8 + 8 + 8 + 4;
constexpr std::size_t kPointBytes = 8 + 8 + 8;

}  // namespace

const IndexedExtent* ObjectIndex::find(const cluster::PartitionId& partition, std::int64_t base_offset) const {
  const auto at = std::lower_bound(extents.begin(), extents.end(), std::pair(partition, base_offset),
                                   [](const IndexedExtent& e, const auto& wanted) {
                                     return std::pair(e.extent.partition, e.extent.base_offset) < wanted;
                                   });
  if (at == extents.end() || at->extent.partition != partition || at->extent.base_offset != base_offset) return nullptr;
  return &*at;
}

ObjectBuilder::ObjectBuilder(cluster::LogSeq birth, std::int32_t broker_id, cluster::Incarnation incarnation) {
  std::string header;
  ByteWriter w(header);
  w.be(kObjectMagic);
  w.be(kObjectFormat);
  w.be(std::uint16_t{0});
  w.be(birth.value());
  w.be(incarnation.value());
  w.be(broker_id);
  header.resize(kObjectHeaderBytes - 4, '\0');
  w.be(crc32c(header));
  body_.append(Slice::of(std::move(header)));
}

void ObjectBuilder::add_batch(const cluster::PartitionId& partition, std::int64_t base_offset, std::int64_t next_offset,
                              std::int64_t max_timestamp_ms, SliceChain batch) {
  const std::uint64_t position = body_.size();
  auto& extents = index_.extents;
  if (!extent_begun_ && (extents.empty() || extents.back().extent.partition != partition)) {
    extents.push_back({{partition, base_offset, base_offset, position, 0, -1}, {}});
  }
  extent_begun_ = false;
  IndexedExtent& indexed = extents.back();
  CHECK(indexed.extent.partition == partition && base_offset >= indexed.extent.end_offset && next_offset > base_offset);
  if (indexed.points.empty() || position - indexed.points.back().position >= kIndexPointBytes) {
    indexed.points.push_back({base_offset, position, max_timestamp_ms});
  }
  indexed.points.back().max_timestamp_ms = std::max(indexed.points.back().max_timestamp_ms, max_timestamp_ms);
  indexed.extent.end_offset = next_offset;
  indexed.extent.size_bytes += batch.size();
  indexed.extent.max_timestamp_ms = std::max(indexed.extent.max_timestamp_ms, max_timestamp_ms);
  body_.append(std::move(batch));
}

void ObjectBuilder::begin_extent(const cluster::PartitionId& partition, std::int64_t base_offset) {
  CHECK(!extent_begun_);
  index_.extents.push_back({{partition, base_offset, base_offset, body_.size(), 0, -1}, {}});
  extent_begun_ = true;
}

void ObjectBuilder::add_state(const cluster::PartitionId& partition, std::int64_t follows, std::int64_t end_offset,
                              std::string state) {
  const std::uint32_t crc = crc32c(state);
  ByteWriter(state).be(crc);
  states_.push_back({partition, end_offset, body_.size(), state.size(), follows});
  body_.append(Slice::of(std::move(state)));
}

ObjectBuilder::Built ObjectBuilder::finish() {
  std::string footer;
  ByteWriter w(footer);
  Built built;
  w.be(static_cast<std::uint32_t>(index_.extents.size()));
  for (const auto& [extent, points] : index_.extents) {
    w.bytes(extent.partition.topic_id.view());
    w.be(extent.partition.partition);
    w.be(extent.base_offset);
    w.be(extent.end_offset);
    w.be(extent.position);
    w.be(extent.size_bytes);
    w.be(extent.max_timestamp_ms);
    w.be(static_cast<std::uint32_t>(points.size()));
    for (const auto& point : points) {
      w.be(point.base_offset);
      w.be(point.position);
      w.be(point.max_timestamp_ms);
    }
    built.extents.push_back(extent);
  }
  const auto size = static_cast<std::uint32_t>(footer.size());
  const auto crc = crc32c(footer);
  w.be(size);
  w.be(crc);
  w.be(kObjectMagic);
  body_.append(Slice::of(std::move(footer)));
  built.body = std::move(body_);
  built.states = std::move(states_);
  return built;
}

Result<ObjectTrailer> decode_object_trailer(std::string_view last_bytes, std::uint64_t object_size) {
  const std::size_t without_footer = kObjectHeaderBytes + kObjectTrailerBytes;
  if (object_size < without_footer || last_bytes.size() < kObjectTrailerBytes)
    return fail(Code::kCorrupt, "data object is shorter than its header and trailer");
  ByteReader r(last_bytes.substr(last_bytes.size() - kObjectTrailerBytes));
  ObjectTrailer trailer;
  trailer.footer_size = r.be<std::uint32_t>();
  trailer.footer_crc = r.be<std::uint32_t>();
  if (r.be<std::uint32_t>() != kObjectMagic)
    return fail(Code::kCorrupt, "data object does not end with its magic number");
  if (trailer.footer_size > object_size - without_footer)
    return fail(Code::kCorrupt, "data object claims a footer larger than itself");
  trailer.footer_at = object_size - kObjectTrailerBytes - trailer.footer_size;
  return trailer;
}

Result<ObjectIndex> decode_object_footer(std::string_view footer, const ObjectTrailer& trailer) {
  if (footer.size() != trailer.footer_size || crc32c(footer) != trailer.footer_crc) {
    return fail(Code::kCorrupt, "data object's footer does not match its checksum");
  }
  ByteReader r(footer);
  ObjectIndex index;
  const auto count = r.be<std::uint32_t>();
  if (count > r.remaining() / kExtentBytes) return fail(Code::kCorrupt, "data object's footer claims too many extents");
  index.extents.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    IndexedExtent item;
    const auto topic = r.bytes(16);
    if (r.ok()) std::copy(topic.begin(), topic.end(), item.extent.partition.topic_id.bytes.begin());
    item.extent.partition.partition = r.be<std::int32_t>();
    item.extent.base_offset = r.be<std::int64_t>();
    item.extent.end_offset = r.be<std::int64_t>();
    item.extent.position = r.be<std::uint64_t>();
    item.extent.size_bytes = r.be<std::uint64_t>();
    item.extent.max_timestamp_ms = r.be<std::int64_t>();
    const auto points = r.be<std::uint32_t>();
    if (!r.ok() || points == 0 || points > r.remaining() / kPointBytes) {
      return fail(Code::kCorrupt, "data object's footer has an impossible extent");
    }
    item.points.reserve(points);
    for (std::uint32_t k = 0; k < points; ++k) {
      IndexPoint point;
      point.base_offset = r.be<std::int64_t>();
      point.position = r.be<std::uint64_t>();
      point.max_timestamp_ms = r.be<std::int64_t>();
      if (point.position < item.extent.position || point.position - item.extent.position >= item.extent.size_bytes) {
        return fail(Code::kCorrupt, "data object's footer has a point outside its extent");
      }
      item.points.push_back(point);
    }
    index.extents.push_back(std::move(item));
  }
  if (!r.ok() || !r.at_end()) return fail(Code::kCorrupt, "data object's footer has bytes after its end");
  return index;
}

Result<std::string_view> open_state(std::string_view bytes) {
  if (bytes.size() < 4) return fail(Code::kCorrupt, "producer state is shorter than its checksum");
  const auto state = bytes.substr(0, bytes.size() - 4);
  if (crc32c(state) != load_be<std::uint32_t>(bytes.data() + state.size())) {
    return fail(Code::kCorrupt, "producer state does not match its checksum");
  }
  return state;
}

}  // namespace millrace::storage
