#include "kafka/batch_builder.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "kafka/compression.h"

namespace millrace::kafka {
namespace {

std::size_t varint_size(std::int64_t value) {
  auto raw = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  std::size_t size = 1;
  for (; raw >= 0x80; raw >>= 7) ++size;
  return size;
}

std::size_t sized_size(const std::optional<std::string_view>& bytes) {
  return bytes ? varint_size(static_cast<std::int64_t>(bytes->size())) + bytes->size() : 1;
}

void write_sized(ByteWriter& writer, const std::optional<std::string_view>& bytes) {
  writer.zigzag(bytes ? static_cast<std::int64_t>(bytes->size()) : -1);
  if (bytes) writer.bytes(*bytes);
}

}  // namespace

BatchBuilder::BatchBuilder(BatchOptions options) : options_(options) {
  out_.reserve(std::max(options.size_hint, kBatchHeaderSize));
  out_.resize(kBatchHeaderSize);
}

void BatchBuilder::add(std::int64_t timestamp_ms, std::optional<std::string_view> key,
                       std::optional<std::string_view> value, std::span<const HeaderView> headers,
                       std::int32_t offset_delta) {
  if (offset_delta < 0) offset_delta = last_offset_delta_ + 1;
  CHECK(offset_delta > last_offset_delta_);
  last_offset_delta_ = offset_delta;
  if (count_++ == 0) base_timestamp_ = timestamp_ms;
  max_timestamp_ = std::max(max_timestamp_, timestamp_ms);

  const std::int64_t timestamp_delta = timestamp_ms - base_timestamp_;
  std::size_t size = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + sized_size(key) +
                     sized_size(value) + varint_size(static_cast<std::int64_t>(headers.size()));
  for (const HeaderView& header : headers) size += sized_size(header.key) + sized_size(header.value);

  ByteWriter writer(out_);
  writer.zigzag(static_cast<std::int64_t>(size));
  writer.u8(0);
  writer.zigzag(timestamp_delta);
  writer.zigzag(offset_delta);
  write_sized(writer, key);
  write_sized(writer, value);
  writer.zigzag(static_cast<std::int64_t>(headers.size()));
  for (const HeaderView& header : headers) {
    write_sized(writer, header.key);
    write_sized(writer, header.value);
  }
}

void BatchBuilder::add_control(std::int64_t timestamp_ms, const ControlRecord& record) {
  CHECK(options_.control);
  std::string key, value;
  ByteWriter key_writer(key), value_writer(value);
  key_writer.be(std::int16_t{0});
  key_writer.be(static_cast<std::int16_t>(record.type));
  value_writer.be(std::int16_t{0});
  value_writer.be(record.coordinator_epoch);
  add(timestamp_ms, key, value);
}

Slice BatchBuilder::finish() {
  if (options_.compression != Compression::kNone) {
    const std::string packed = deflate(options_.compression, std::string_view(out_).substr(kBatchHeaderSize));
    out_.resize(kBatchHeaderSize);
    out_ += packed;
  }
  int attributes = static_cast<int>(options_.compression);
  if (options_.log_append_time_ms) attributes |= 8;
  if (options_.transactional) attributes |= 16;
  if (options_.control) attributes |= 32;

  char* head = out_.data();
  store_be(head, options_.base_offset);
  store_be(head + 8, static_cast<std::int32_t>(out_.size() - kBatchLengthEnd));
  store_be(head + 12, options_.partition_leader_epoch);
  head[16] = kMagicV2;
  store_be(head + 21, static_cast<std::int16_t>(attributes));
  store_be(head + 23, last_offset_delta_);
  store_be(head + 27, base_timestamp_);
  store_be(head + 35, options_.log_append_time_ms.value_or(max_timestamp_));
  store_be(head + 43, options_.producer_id);
  store_be(head + 51, options_.producer_epoch);
  store_be(head + 53, options_.base_sequence);
  store_be(head + 57, count_);
  store_be(head + 17, crc32c(std::string_view(out_).substr(kBatchCrcStart)));
  return Slice::of(std::move(out_));
}

}  // namespace millrace::kafka
