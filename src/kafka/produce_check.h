// What a broker checks of a record batch before it appends it, with Kafka's error codes (LogValidator).
//
// Header, size, checksum, offsets, sequence, timestamps and keys are checked; bytes stay as they are except
// for max_timestamp and the timestamp type, which are put right in place (checksum renewed). Records of
// uncompressed batches are always read. Those of compressed ones only when a rule needs them (a compacted
// topic, `read_compressed`, or another compression): otherwise the header's max_timestamp is believed.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "kafka/errors.h"
#include "kafka/record_batch.h"

namespace millrace::kafka {

struct ProduceRules {
  std::int16_t produce_version = 13;
  std::size_t batch_bytes_max = 1048588;                                     // max.message.bytes
  std::size_t segment_bytes_max = std::numeric_limits<std::int32_t>::max();  // segment.bytes
  bool keys_required = false;                                                // cleanup.policy has compact
  TimestampType timestamp_type = TimestampType::kCreateTime;                 // message.timestamp.type
  std::int64_t now_ms = 0;
  std::int64_t before_max_ms = std::numeric_limits<std::int64_t>::max();  // message.timestamp.before.max.ms
  std::int64_t after_max_ms = 3'600'000;                                  // message.timestamp.after.max.ms
  std::optional<Compression> compression;                                 // compression.type; absent: producer
  bool read_compressed = false;
};

struct RecordError {
  std::int32_t index = 0;
  std::string message;
};

struct Rejection {
  ErrorCode code;
  std::string message;
  std::vector<RecordError> record_errors;
};

struct CheckedBatch {
  // Exactly one whole batch. The given bytes, or recompressed ones.
  Slice batch;
  // What a Produce response says: -1 with CreateTime.
  std::int64_t log_append_time_ms = -1;
};

// `records` is the field of one partition in a Produce request; its buffer must not be shared with readers yet.
std::expected<CheckedBatch, Rejection> check_produced(const std::optional<Slice>& records, const ProduceRules& rules);

}  // namespace millrace::kafka
