// Builds one v2 batch: records are appended straight into the buffer that becomes the batch.
//
//   BatchBuilder builder({.compression = Compression::kZstd});
//   builder.add(now_ms, key, value);
//   Slice batch = builder.finish();
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "kafka/record_batch.h"
#include "kafka/records.h"

namespace millrace::kafka {

struct BatchOptions {
  Compression compression = Compression::kNone;
  std::int64_t base_offset = 0;
  std::int32_t partition_leader_epoch = -1;
  std::int64_t producer_id = kNoProducerId;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  bool transactional = false;
  bool control = false;
  // When set, the batch carries this LogAppendTime and readers see it on every record.
  std::optional<std::int64_t> log_append_time_ms;
  // Bytes to reserve at once; a good guess saves copies.
  std::size_t size_hint = 1024;
};

class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options);

  // offset_delta: -1 for the next one; else it must be greater than the last (compaction leaves gaps).
  void add(std::int64_t timestamp_ms, std::optional<std::string_view> key, std::optional<std::string_view> value,
           std::span<const HeaderView> headers = {}, std::int32_t offset_delta = -1);
  void add_control(std::int64_t timestamp_ms, const ControlRecord& record);

  std::int32_t record_count() const { return count_; }
  // Before compression, header included.
  std::size_t size() const { return out_.size(); }
  // The batch; the builder is spent. A batch may be empty (compaction keeps such).
  Slice finish();

 private:
  BatchOptions options_;
  std::string out_;
  std::int32_t count_ = 0;
  std::int32_t last_offset_delta_ = -1;
  std::int64_t base_timestamp_ = kNoTimestamp;
  std::int64_t max_timestamp_ = kNoTimestamp;
};

}  // namespace millrace::kafka
