#include "kafka/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/compression.h"

namespace millrace::kafka {
namespace {

// A varint length and so many bytes; -1 is null. Sets the reader bad for anything else below zero.
std::optional<std::string_view> sized(ByteReader& reader) {
  const std::int32_t size = reader.zigzag32();
  if (size == -1) return std::nullopt;
  if (size < 0) {
    reader.set_bad();
    return std::nullopt;
  }
  return reader.bytes(static_cast<std::size_t>(size));
}

bool skip_headers(ByteReader& reader, std::int32_t count) {
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    if (!sized(reader)) reader.set_bad();
    sized(reader);
  }
  return reader.ok();
}

}  // namespace

Result<std::vector<HeaderView>> headers_of(const RecordView& record) {
  std::vector<HeaderView> headers;
  ByteReader reader(record.header_bytes);
  for (std::int32_t i = 0; i < record.header_count && reader.ok(); ++i) {
    const auto key = sized(reader);
    if (!key) reader.set_bad();
    const auto value = sized(reader);
    if (reader.ok()) headers.push_back({*key, value});
  }
  if (!reader.ok() || !reader.at_end()) return fail(Code::kCorrupt, "broken record headers");
  return headers;
}

Result<Slice> record_bytes(const Slice& batch, std::size_t bytes_max) {
  TRY(const BatchView view, BatchView::at_start_of(batch));
  if (view.compression_bits() == 0) return batch.sub(kBatchHeaderSize, view.size() - kBatchHeaderSize);
  TRY(std::string bytes, inflate(view.compression(), view.records(), bytes_max));
  return Slice::of(std::move(bytes));
}

RecordReader::RecordReader(const BatchView& batch, std::string_view records)
    : reader_(records),
      base_offset_(batch.base_offset()),
      base_timestamp_(batch.base_timestamp()),
      left_(batch.record_count()) {
  if (batch.timestamp_type() == TimestampType::kLogAppendTime) append_time_ = batch.max_timestamp();
}

Result<bool> RecordReader::next(RecordView& record) {
  if (left_ <= 0) {
    if (!reader_.at_end()) {
      return fail(Code::kCorrupt, fmt::format("{} bytes follow the last record of a batch", reader_.remaining()));
    }
    return false;
  }
  const std::int32_t size = reader_.zigzag32();
  if (!reader_.ok() || size < 0 || static_cast<std::size_t>(size) > reader_.remaining()) {
    return fail(Code::kCorrupt, fmt::format("a record of {} bytes where {} are left", size, reader_.remaining()));
  }
  ByteReader body(reader_.bytes(static_cast<std::size_t>(size)));
  body.u8();  // attributes, unused so far
  const std::int64_t timestamp_delta = body.zigzag64();
  record.offset_delta = body.zigzag32();
  record.offset = base_offset_ + record.offset_delta;
  // Added as unsigned: hostile deltas may wrap.
  record.timestamp_ms = append_time_ ? *append_time_
                                     : static_cast<std::int64_t>(static_cast<std::uint64_t>(base_timestamp_) +
                                                                 static_cast<std::uint64_t>(timestamp_delta));
  record.key = sized(body);
  record.value = sized(body);
  record.header_count = body.zigzag32();
  const std::size_t headers_size = body.remaining();
  ByteReader headers = body;
  if (!body.ok() || record.header_count < 0 || !skip_headers(headers, record.header_count) || !headers.at_end()) {
    return fail(Code::kCorrupt, "a record whose fields do not fit its length");
  }
  record.header_bytes = body.bytes(headers_size);
  --left_;
  return true;
}

Result<std::optional<TimedOffset>> find_by_time(const Slice& batch, std::int64_t timestamp_ms) {
  std::optional<TimedOffset> found;
  TRY_VOID(for_each_record(batch, [&](const RecordView& record) {
    if (record.timestamp_ms >= timestamp_ms) found = TimedOffset{record.offset, record.timestamp_ms};
    return !found.has_value();
  }));
  return found;
}

Result<std::optional<TimedOffset>> find_greatest_time(const Slice& batch) {
  std::optional<TimedOffset> found;
  TRY_VOID(for_each_record(batch, [&](const RecordView& record) {
    if (!found || record.timestamp_ms > found->timestamp_ms) found = TimedOffset{record.offset, record.timestamp_ms};
  }));
  return found;
}

Result<ControlRecord> parse_control_record(const RecordView& record) {
  if (!record.key) return fail(Code::kCorrupt, "a control record without a key");
  ByteReader key(*record.key);
  const auto version = key.be<std::int16_t>();
  const auto type = key.be<std::int16_t>();
  if (!key.ok() || version < 0) return fail(Code::kCorrupt, "a control record with a broken key");
  if (type != 0 && type != 1) return fail(Code::kUnsupported, fmt::format("control record type {}", type));
  ControlRecord control{.type = static_cast<ControlType>(type)};
  ByteReader value(record.value.value_or(std::string_view()));
  value.be<std::int16_t>();
  control.coordinator_epoch = value.be<std::int32_t>();
  if (!value.ok()) return fail(Code::kCorrupt, "an end-of-transaction record with a broken value");
  return control;
}

}  // namespace millrace::kafka
