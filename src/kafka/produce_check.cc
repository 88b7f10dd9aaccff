#include "kafka/produce_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/batch_builder.h"
#include "kafka/compression.h"
#include "kafka/records.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kFirstZstdProduce = 7;
constexpr std::size_t kRecordErrorsMax = 1000;

std::unexpected<Rejection> reject(ErrorCode code, std::string message) {
  return std::unexpected(Rejection{code, std::move(message), {}});
}

// The header's own rules, in the order in which Kafka looks.
std::expected<void, Rejection> check_header(const BatchView& batch, const ProduceRules& rules) {
  if (batch.compression_bits() > static_cast<std::int8_t>(Compression::kZstd)) {
    return reject(ErrorCode::kInvalidRecord, fmt::format("unknown compression type {}", batch.compression_bits()));
  }
  if (batch.compression() == Compression::kZstd && rules.produce_version < kFirstZstdProduce) {
    return reject(ErrorCode::kUnsupportedCompressionType, "zstd needs Produce version 7 or later");
  }
  if (batch.base_offset() != 0) {
    return reject(ErrorCode::kInvalidRecord,
                  fmt::format("the base offset of a produced batch must be 0, not {}", batch.base_offset()));
  }
  if (batch.size() > rules.batch_bytes_max) {
    return reject(ErrorCode::kMessageTooLarge,
                  fmt::format("the batch has {} bytes, max.message.bytes is {}", batch.size(), rules.batch_bytes_max));
  }
  if (!batch.crc_matches()) {
    return reject(ErrorCode::kCorruptMessage, fmt::format("the batch says CRC {:#010x}, its bytes have {:#010x}",
                                                          batch.crc(), batch.computed_crc()));
  }
  if (batch.record_count() <= 0 || batch.last_offset_delta() != batch.record_count() - 1) {
    return reject(ErrorCode::kInvalidRecord,
                  fmt::format("{} records but last offset delta {}", batch.record_count(), batch.last_offset_delta()));
  }
  if (batch.is_control()) return reject(ErrorCode::kInvalidRecord, "clients may not write control records");
  if (batch.has_producer() && batch.base_sequence() < 0) {
    return reject(ErrorCode::kInvalidRecord, fmt::format("base sequence {} of producer {} is negative",
                                                         batch.base_sequence(), batch.producer_id()));
  }
  if (batch.timestamp_type() == TimestampType::kLogAppendTime) {
    return reject(ErrorCode::kInvalidTimestamp, "a producer may not set the timestamp type to LogAppendTime");
  }
  return {};
}

bool timestamp_allowed(std::int64_t timestamp_ms, const ProduceRules& rules) {
  if (rules.timestamp_type == TimestampType::kLogAppendTime || timestamp_ms == kNoTimestamp) return true;
  // Hostile timestamps may lie further away than a difference can say.
  constexpr std::int64_t kFurthest = std::numeric_limits<std::int64_t>::max();
  std::int64_t ahead = 0;
  if (__builtin_sub_overflow(timestamp_ms, rules.now_ms, &ahead)) ahead = timestamp_ms > 0 ? kFurthest : -kFurthest;
  ahead = std::max(ahead, -kFurthest);
  return ahead <= rules.after_max_ms && -ahead <= rules.before_max_ms;
}

std::string out_of_range(std::int64_t timestamp_ms, const ProduceRules& rules) {
  return fmt::format("timestamp {} is out of range: it must be at most {} ms before and {} ms after {}", timestamp_ms,
                     rules.before_max_ms, rules.after_max_ms, rules.now_ms);
}

// Reads every record; answers the greatest timestamp.
std::expected<std::int64_t, Rejection> check_records(const BatchView& batch, std::string_view records,
                                                     const ProduceRules& rules) {
  RecordReader reader(batch, records);
  RecordView record;
  std::int64_t max_timestamp = kNoTimestamp;
  Rejection rejection{ErrorCode::kInvalidRecord, {}, {}};
  for (std::int32_t index = 0;; ++index) {
    const auto more = reader.next(record);
    if (!more) return reject(ErrorCode::kInvalidRecord, more.error().message());
    if (!*more) break;
    if (record.offset_delta != index) {
      return reject(ErrorCode::kInvalidRecord,
                    fmt::format("record {} of the batch has offset delta {}", index, record.offset_delta));
    }
    max_timestamp = std::max(max_timestamp, record.timestamp_ms);
    if (rejection.record_errors.size() >= kRecordErrorsMax) continue;
    if (rules.keys_required && !record.key) {
      rejection.record_errors.push_back({index, "a compacted topic cannot accept a record without key"});
    } else if (!timestamp_allowed(record.timestamp_ms, rules)) {
      rejection.code = ErrorCode::kInvalidTimestamp;
      rejection.record_errors.push_back({index, out_of_range(record.timestamp_ms, rules)});
    }
  }
  if (rejection.record_errors.empty()) return max_timestamp;
  rejection.message = fmt::format("{} of {} records were refused, the first because {}", rejection.record_errors.size(),
                                  batch.record_count(), rejection.record_errors.front().message);
  return std::unexpected(std::move(rejection));
}

// The same records under another compression.
Slice recompressed(const BatchView& batch, std::string_view records, Compression compression) {
  const std::string packed = deflate(compression, records);
  std::string out(batch.bytes().substr(0, kBatchHeaderSize));
  out += packed;
  store_be(out.data() + 8, static_cast<std::int32_t>(out.size() - kBatchLengthEnd));
  store_be(out.data() + 21,
           static_cast<std::int16_t>((batch.attributes() & ~7) | static_cast<std::int16_t>(compression)));
  return Slice::of(std::move(out));
}

std::expected<BatchView, Rejection> single_batch(const std::optional<Slice>& records) {
  if (!records || records->empty()) {
    return reject(ErrorCode::kInvalidRecord, "a Produce request needs one record batch for each partition");
  }
  const auto batch = BatchView::at_start_of(*records);
  if (!batch) {
    // As Kafka's reader: an impossible length or magic is damage, which repeating may mend; bytes that end too
    // early are no batch at all, and the formats of old are refused for good.
    const std::string_view bytes = *records;
    const bool damaged = bytes.size() >= kBatchHeaderSize && (bytes[16] < 0 || bytes[16] >= kMagicV2) &&
                         (bytes[16] != kMagicV2 || load_be<std::int32_t>(bytes.data() + 8) <
                                                       static_cast<std::int32_t>(kBatchHeaderSize - kBatchLengthEnd));
    return reject(damaged ? ErrorCode::kCorruptMessage : ErrorCode::kInvalidRecord, batch.error().message());
  }
  if (batch->size() != records->size()) {
    return reject(ErrorCode::kInvalidRecord, "a Produce request must have exactly one record batch for each partition");
  }
  return *batch;
}

}  // namespace

std::expected<CheckedBatch, Rejection> check_produced(const std::optional<Slice>& records, const ProduceRules& rules) {
  const auto batch = single_batch(records);
  if (!batch) return std::unexpected(batch.error());
  if (auto header = check_header(*batch, rules); !header) return std::unexpected(std::move(header).error());

  const Compression target = rules.compression.value_or(batch->compression());
  const bool packed = batch->compression() != Compression::kNone;
  const bool convert = target != batch->compression();
  Slice bytes = *records;
  std::int64_t max_timestamp = batch->max_timestamp();
  if (!packed || convert || rules.keys_required || rules.read_compressed) {
    const auto plain = record_bytes(bytes);
    if (!plain) return reject(ErrorCode::kInvalidRecord, plain.error().message());
    const auto greatest = check_records(*batch, *plain, rules);
    if (!greatest) return std::unexpected(greatest.error());
    max_timestamp = *greatest;
    if (convert) bytes = recompressed(*batch, *plain, target);
  } else if (!timestamp_allowed(max_timestamp, rules) || !timestamp_allowed(batch->base_timestamp(), rules)) {
    return reject(ErrorCode::kInvalidTimestamp, out_of_range(max_timestamp, rules));
  }
  if (bytes.size() > rules.segment_bytes_max) {
    return reject(ErrorCode::kRecordListTooLarge,
                  fmt::format("the batch has {} bytes, segment.bytes is {}", bytes.size(), rules.segment_bytes_max));
  }

  CheckedBatch checked{.batch = bytes};
  if (rules.timestamp_type == TimestampType::kLogAppendTime) {
    checked.log_append_time_ms = rules.now_ms;
    max_timestamp = rules.now_ms;
  }
  if (convert || rules.timestamp_type != batch->timestamp_type() || max_timestamp != batch->max_timestamp()) {
    set_max_timestamp(checked.batch.mutable_data(), checked.batch.size(), rules.timestamp_type, max_timestamp);
  }
  return checked;
}

}  // namespace millrace::kafka
