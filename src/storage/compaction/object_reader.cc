#include "storage/compaction/object_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr std::size_t kIndexesKept = 64;

std::unexpected<Error> misplaced(const ExtentPlace& place) {
  return fail(Code::kCorrupt, fmt::format("{} does not hold the batches that its index promises from offset {}",
                                          place.key, place.extent.base_offset));
}

}  // namespace

SliceChain part_of_chain(const SliceChain& chain, std::size_t position, std::size_t size) {
  SliceChain out;
  for (const auto& piece : chain.pieces()) {
    if (size == 0) break;
    if (position >= piece.size()) {
      position -= piece.size();
      continue;
    }
    const std::size_t take = std::min(size, piece.size() - position);
    out.append(piece.sub(position, take));
    size -= take;
    position = 0;
  }
  return out;
}

std::optional<BatchHeader> header_in_chain(const SliceChain& chain, std::size_t position) {
  char head[kBatchHeadBytes];
  std::size_t have = 0;
  for (const auto& piece : chain.pieces()) {
    if (position >= piece.size()) {
      position -= piece.size();
      continue;
    }
    const auto rest = piece.view().substr(position);
    if (have == 0 && rest.size() >= kBatchHeadBytes) return read_batch_header(rest);
    // Across the edge of two blocks.
    const std::size_t take = std::min(rest.size(), kBatchHeadBytes - have);
    std::memcpy(head + have, rest.data(), take);
    have += take;
    position = 0;
    if (have == kBatchHeadBytes) return read_batch_header({head, have});
  }
  return std::nullopt;
}

Task<Result<std::shared_ptr<const ObjectIndex>>> ObjectReader::index_of(std::string key, std::uint64_t object_size) {
  if (const auto found = indexes_.find(key); found != indexes_.end()) {
    ages_.splice(ages_.begin(), ages_, found->second.age);
    co_return found->second.index;
  }
  const std::uint64_t end_bytes = std::min<std::uint64_t>(kObjectTrailerBytes, object_size);
  CO_TRY(const SliceChain last, co_await cache_.read(key, object_size, object_size - end_bytes, end_bytes));
  auto trailer = decode_object_trailer(last.flatten(), object_size);
  if (!trailer) co_return fail(std::move(trailer).error().with(key));
  CO_TRY(const SliceChain footer, co_await cache_.read(key, object_size, trailer->footer_at, trailer->footer_size));
  const Slice flat = footer.flatten();
  auto decoded = decode_object_footer(flat, *trailer);
  if (!decoded) co_return fail(std::move(decoded).error().with(key));
  auto index = std::make_shared<const ObjectIndex>(std::move(*decoded));
  if (!indexes_.contains(key)) {
    ages_.push_front(key);
    indexes_[key] = Kept{index, ages_.begin()};
  }
  while (indexes_.size() > kIndexesKept) {
    indexes_.erase(ages_.back());
    ages_.pop_back();
  }
  co_return index;
}

Task<Result<ExtentRead>> ObjectReader::read(ExtentPlace place, std::int64_t offset, std::size_t max_bytes,
                                            bool first_whole) {
  CO_TRY(const std::shared_ptr<const ObjectIndex> index, co_await index_of(place.key, place.object_size));
  const IndexedExtent* indexed = index->find(place.extent.partition, place.extent.base_offset);
  if (!indexed) co_return misplaced(place);
  auto point = std::upper_bound(indexed->points.begin(), indexed->points.end(), offset,
                                [](std::int64_t wanted, const IndexPoint& p) { return wanted < p.base_offset; });
  if (point != indexed->points.begin()) --point;
  std::uint64_t position = point->position;
  const std::uint64_t extent_end = place.extent.position + place.extent.size_bytes;
  std::uint64_t want = std::max<std::uint64_t>(max_bytes, kBatchHeadBytes);
  ExtentRead out;
  while (position < extent_end) {
    // 1. One chunk: what is asked for, and never less than the batch that must be given whole.
    const std::uint64_t size = std::min(want, extent_end - position);
    CO_TRY(const SliceChain chunk, co_await cache_.read(place.key, place.object_size, position, size));
    // 2. Walk its batches.
    std::size_t at = 0, from = 0;
    bool found = false;
    std::uint64_t needed = 0;  // size of a batch that is cut off
    while (at < chunk.size()) {
      const auto head = header_in_chain(chunk, at);
      if (!head && chunk.size() - at >= kBatchHeadBytes) co_return misplaced(place);
      if (!head || at + head->size > chunk.size()) {
        needed = head ? head->size : kBatchHeadBytes;
        break;
      }
      if (head->last_offset() >= offset) {
        if (!found) from = at;
        if (at + head->size - from > max_bytes && (found || !first_whole)) {
          needed = 0;
          break;
        }
        found = true;
        out.next_offset = head->last_offset() + 1;
      }
      at += head->size;
      if (found && at - from >= max_bytes) break;
    }
    if (found) {
      out.batches = part_of_chain(chunk, from, at - from);
      co_return out;
    }
    // 3. Only older batches, or the wanted one is cut off: go on from there.
    if (needed == 0 && at < chunk.size()) co_return out;  // strict limit: nothing fits
    if (needed > 0 && position + at + needed > extent_end) co_return misplaced(place);
    if (needed > max_bytes && !first_whole) co_return out;
    position += at;
    want = std::max(want, needed);
  }
  co_return out;
}

Task<Result<Slice>> ObjectReader::find_batch_by_time(ExtentPlace place, std::int64_t from_offset,
                                                     std::int64_t timestamp_ms) {
  CO_TRY(const std::shared_ptr<const ObjectIndex> index, co_await index_of(place.key, place.object_size));
  const IndexedExtent* indexed = index->find(place.extent.partition, place.extent.base_offset);
  if (!indexed) co_return misplaced(place);
  const std::uint64_t extent_end = place.extent.position + place.extent.size_bytes;
  for (auto point = indexed->points.begin(); point != indexed->points.end(); ++point) {
    const auto next = std::next(point);
    if (point->max_timestamp_ms < timestamp_ms) continue;
    const std::uint64_t end = next == indexed->points.end() ? extent_end : next->position;
    CO_TRY(const SliceChain chunk,
           co_await cache_.read(place.key, place.object_size, point->position, end - point->position));
    for (std::size_t at = 0; at < chunk.size();) {
      const auto head = header_in_chain(chunk, at);
      if (!head || at + head->size > chunk.size()) co_return misplaced(place);
      if (head->max_timestamp >= timestamp_ms && head->last_offset() >= from_offset) {
        co_return part_of_chain(chunk, at, head->size).flatten();
      }
      at += head->size;
    }
  }
  co_return Slice();
}

}  // namespace millrace::storage
