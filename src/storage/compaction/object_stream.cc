#include "storage/compaction/object_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/record_batch.h"
#include "storage/cache/ranged_get.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kFooterGuess = 64 << 10;

}  // namespace

Task<Result<Slice>> ObjectStream::get(std::uint64_t position, std::uint64_t size) {
  const object::ByteRange range{position, size};
  Result<Slice> got = co_await get_range_again(parts_.store, parts_.clock, parts_.metrics, key_, range);
  if (got && got->size() != size)
    co_return fail(Code::kCorrupt, fmt::format("{} ends before byte {}", key_, position + size));
  co_return got;
}

Task<Result<Slice>> ObjectStream::bytes(std::uint64_t position, std::uint64_t size) {
  if (position > end_ || size > end_ - position) {
    co_return fail(Code::kCorrupt,
                   fmt::format("{}: bytes [{}, {}) lie beyond byte {}", key_, position, position + size, end_));
  }
  // 1. What is here already.
  const std::uint64_t chunk_end = chunk_at_ + chunk_.size();
  const bool begins_here = position >= chunk_at_ && position < chunk_end;
  if (begins_here && position + size <= chunk_end) co_return chunk_.sub(position - chunk_at_, size);
  Slice begin;
  if (begins_here) begin = chunk_.sub(position - chunk_at_);
  // 2. The next chunk.
  const std::uint64_t from = position + begin.size();
  const std::uint64_t rest = size - begin.size();
  const std::uint64_t want = std::min(std::max(rest, kChunkBytes), end_ - from);
  CO_TRY(Slice fetched, co_await get(from, want));
  chunk_ = fetched;
  chunk_at_ = from;
  if (begin.empty()) co_return chunk_.sub(0, size);
  SliceChain both;
  both.append(std::move(begin));
  both.append(chunk_.sub(0, rest));
  co_return both.flatten();
}

Task<Result<std::optional<ReadBatch>>> ObjectStream::next() {
  if (position_ >= extent_end_) co_return std::optional<ReadBatch>();
  const auto broken = [this] {
    return fail(Code::kCorrupt, fmt::format("{} holds no whole batch at byte {}", key_, position_));
  };
  if (extent_end_ - position_ < kBatchHeadBytes) co_return broken();
  CO_TRY(const Slice first, co_await bytes(position_, kBatchHeadBytes));
  const auto head = read_batch_header(first);
  if (!head || head->size > extent_end_ - position_) co_return broken();
  CO_TRY(Slice whole, co_await bytes(position_, head->size));
  // What was damaged on its way must not become durable anew.
  const auto view = kafka::BatchView::at_start_of(whole);
  if (!view || !view->crc_matches()) co_return broken();
  position_ += head->size;
  std::optional<ReadBatch> batch;
  batch.emplace();
  batch->head = *head;
  batch->bytes = std::move(whole);
  co_return batch;
}

Task<Result<ObjectIndex>> read_object_index(EngineParts& parts, std::string key, std::uint64_t object_size) {
  ObjectStream stream(parts, key, object_size);
  const std::uint64_t guess = std::min(kFooterGuess, object_size);
  CO_TRY(const Slice last, co_await stream.bytes(object_size - guess, guess));
  auto trailer = decode_object_trailer(last, object_size);
  if (!trailer) co_return fail(std::move(trailer).error().with(key));
  CO_TRY(const Slice footer, co_await stream.bytes(trailer->footer_at, trailer->footer_size));
  auto index = decode_object_footer(footer, *trailer);
  if (!index) co_return fail(std::move(index).error().with(key));
  co_return index;
}

}  // namespace millrace::storage
