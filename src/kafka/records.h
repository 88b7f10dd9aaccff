// The records inside a v2 batch: reading them one by one from (decompressed) bytes, and finding one by time.
//
// Views point into the bytes that the reader was given. Broken bytes answer kCorrupt and nothing is read
// beyond them; a batch that inflates beyond the given bound answers kExhausted.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/result.h"
#include "kafka/record_batch.h"

namespace millrace::kafka {

// How far one batch may inflate unless the caller says otherwise.
inline constexpr std::size_t kInflatedBytesMax = 128u << 20;

struct HeaderView {
  std::string_view key;
  std::optional<std::string_view> value;
};

struct RecordView {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = kNoTimestamp;
  std::int32_t offset_delta = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::int32_t header_count = 0;
  // Parsed by headers_of.
  std::string_view header_bytes;
};

Result<std::vector<HeaderView>> headers_of(const RecordView& record);

// The record bytes of a whole batch: a part of it when it is not compressed, else inflated into a new buffer.
Result<Slice> record_bytes(const Slice& batch, std::size_t bytes_max = kInflatedBytesMax);

class RecordReader {
 public:
  // `records` is what record_bytes gave for `batch`; both must outlive the views given out.
  RecordReader(const BatchView& batch, std::string_view records);
  // False after the last one. The bytes must end exactly there.
  Result<bool> next(RecordView& record);

 private:
  ByteReader reader_;
  std::int64_t base_offset_;
  std::int64_t base_timestamp_;
  // With LogAppendTime all records have the batch's own time.
  std::optional<std::int64_t> append_time_;
  std::int32_t left_;
};

// Calls `f(const RecordView&)` for each record of one batch; f may answer false to stop early.
template <class F>
Result<void> for_each_record(const Slice& batch, F f, std::size_t bytes_max = kInflatedBytesMax) {
  TRY(const BatchView view, BatchView::at_start_of(batch));
  TRY(const Slice records, record_bytes(batch, bytes_max));
  RecordReader reader(view, records);
  RecordView record;
  while (true) {
    TRY(const bool more, reader.next(record));
    if (!more) return {};
    if constexpr (std::is_same_v<decltype(f(record)), bool>) {
      if (!f(record)) return {};
    } else {
      f(record);
    }
  }
}

struct TimedOffset {
  std::int64_t offset;
  std::int64_t timestamp_ms;
  bool operator==(const TimedOffset&) const = default;
};
// The first record of the batch whose timestamp is `timestamp_ms` or later.
Result<std::optional<TimedOffset>> find_by_time(const Slice& batch, std::int64_t timestamp_ms);
// The first record of the batch that has its greatest timestamp.
Result<std::optional<TimedOffset>> find_greatest_time(const Slice& batch);

// What ends a transaction, as the key and value of a control record (KIP-98).
enum class ControlType : std::int16_t { kAbort = 0, kCommit = 1 };
struct ControlRecord {
  ControlType type;
  std::int32_t coordinator_epoch = 0;
};
// kUnsupported for types that brokers write for themselves (leader changes, snapshots).
Result<ControlRecord> parse_control_record(const RecordView& record);

}  // namespace millrace::kafka
