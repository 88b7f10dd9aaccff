#include "kafka/record_batch.h"

#include <fmt/format.h>

#include "base/crc32c.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kMagicEnd = 17;

// The whole size that a batch claims; kCorrupt when that or its magic cannot be. Needs kMagicEnd bytes.
Result<std::size_t> claimed_size(std::string_view bytes) {
  const auto length = load_be<std::int32_t>(bytes.data() + 8);
  const auto magic = static_cast<std::int8_t>(bytes[16]);
  if (magic != kMagicV2) {
    return fail(Code::kCorrupt, fmt::format("record batch magic {}, only 2 is supported", magic));
  }
  if (length < static_cast<std::int32_t>(kBatchHeaderSize - kBatchLengthEnd)) {
    return fail(Code::kCorrupt, fmt::format("record batch length {} is less than its header", length));
  }
  return static_cast<std::size_t>(length) + kBatchLengthEnd;
}

}  // namespace

Result<BatchView> BatchView::at_start_of(std::string_view bytes) {
  if (bytes.size() < kMagicEnd) return fail(Code::kCorrupt, fmt::format("{} bytes are no record batch", bytes.size()));
  TRY(const std::size_t size, claimed_size(bytes));
  if (size > bytes.size()) {
    return fail(Code::kCorrupt, fmt::format("a record batch of {} bytes in {} bytes", size, bytes.size()));
  }
  return BatchView(bytes.substr(0, size));
}

std::int32_t BatchView::last_sequence() const {
  const std::int64_t last = std::int64_t{base_sequence()} + last_offset_delta();
  return static_cast<std::int32_t>(last & 0x7fffffff);
}

std::uint32_t BatchView::computed_crc() const { return crc32c(bytes_.substr(kBatchCrcStart)); }

void set_base_offset(char* batch, std::int64_t offset) { store_be(batch, offset); }

void set_partition_leader_epoch(char* batch, std::int32_t epoch) { store_be(batch + 12, epoch); }

void set_max_timestamp(char* batch, std::size_t size, TimestampType type, std::int64_t timestamp_ms) {
  const auto old = load_be<std::int16_t>(batch + 21);
  const int bit = type == TimestampType::kLogAppendTime ? 8 : 0;
  store_be(batch + 21, static_cast<std::int16_t>((old & ~8) | bit));
  store_be(batch + 35, timestamp_ms);
  store_be(batch + 17, crc32c({batch + kBatchCrcStart, size - kBatchCrcStart}));
}

Result<std::optional<Slice>> BatchSplitter::next() {
  if (rest_.size() < kMagicEnd) return std::optional<Slice>();
  TRY(const std::size_t size, claimed_size(rest_.view()));
  if (size > rest_.size()) return std::optional<Slice>();
  std::optional<Slice> batch = rest_.sub(0, size);
  rest_ = rest_.sub(size);
  return batch;
}

}  // namespace millrace::kafka
