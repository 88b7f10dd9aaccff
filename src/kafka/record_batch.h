// Kafka record batches, format v2 (KIP-98): a view of the 61-byte header, the few fields a broker patches in
// place, and splitting a blob of batches. Nothing is copied; records stay as the producer wrote them.
//
//   0 base_offset i64 | 8 batch_length i32 (of what follows it) | 12 partition_leader_epoch i32 | 16 magic i8 |
//   17 crc u32 (CRC-32C of all from 21 on) | 21 attributes i16 | 23 last_offset_delta i32 | 27 base_timestamp i64 |
//   35 max_timestamp i64 | 43 producer_id i64 | 51 producer_epoch i16 | 53 base_sequence i32 | 57 count i32 | records
//
// A BatchView trusts only what `at_start_of` checked (size and magic); see produce_check.h for batches from clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/result.h"

namespace millrace::kafka {

inline constexpr std::size_t kBatchHeaderSize = 61;
// base_offset and batch_length, which batch_length does not count.
inline constexpr std::size_t kBatchLengthEnd = 12;
inline constexpr std::size_t kBatchCrcStart = 21;
inline constexpr std::int8_t kMagicV2 = 2;
inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int64_t kNoProducerId = -1;

enum class Compression : std::int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
enum class TimestampType { kCreateTime, kLogAppendTime };

class BatchView {
 public:
  // The batch that `bytes` begin with, whole (kCorrupt otherwise). More may follow.
  static Result<BatchView> at_start_of(std::string_view bytes);

  std::string_view bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  // What follows the header: compressed as compression() says.
  std::string_view records() const { return bytes_.substr(kBatchHeaderSize); }

  std::int64_t base_offset() const { return at<std::int64_t>(0); }
  std::int32_t partition_leader_epoch() const { return at<std::int32_t>(12); }
  std::uint32_t crc() const { return at<std::uint32_t>(17); }
  std::int16_t attributes() const { return at<std::int16_t>(21); }
  std::int32_t last_offset_delta() const { return at<std::int32_t>(23); }
  std::int64_t base_timestamp() const { return at<std::int64_t>(27); }
  std::int64_t max_timestamp() const { return at<std::int64_t>(35); }
  std::int64_t producer_id() const { return at<std::int64_t>(43); }
  std::int16_t producer_epoch() const { return at<std::int16_t>(51); }
  std::int32_t base_sequence() const { return at<std::int32_t>(53); }
  std::int32_t record_count() const { return at<std::int32_t>(57); }

  std::int64_t last_offset() const { return base_offset() + last_offset_delta(); }
  std::int64_t next_offset() const { return last_offset() + 1; }
  // Sequences wrap from 2^31-1 to 0.
  std::int32_t last_sequence() const;
  bool has_producer() const { return producer_id() != kNoProducerId; }
  // 0..7: only 0..4 are in Compression.
  std::int8_t compression_bits() const { return static_cast<std::int8_t>(attributes() & 7); }
  Compression compression() const { return static_cast<Compression>(compression_bits()); }
  TimestampType timestamp_type() const {
    return attributes() & 8 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool is_transactional() const { return attributes() & 16; }
  bool is_control() const { return attributes() & 32; }
  // The base timestamp is when tombstones may go, not a record's (KIP-534).
  bool has_delete_horizon() const { return attributes() & 64; }

  std::uint32_t computed_crc() const;
  bool crc_matches() const { return crc() == computed_crc(); }

 private:
  explicit BatchView(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T at(std::size_t offset) const {
    return load_be<T>(bytes_.data() + offset);
  }
  std::string_view bytes_;
};

// Patches of a batch that nobody else sees yet. The first two are outside the checksum; the third renews it.
void set_base_offset(char* batch, std::int64_t offset);
void set_partition_leader_epoch(char* batch, std::int32_t epoch);
void set_max_timestamp(char* batch, std::size_t size, TimestampType type, std::int64_t timestamp_ms);

// Takes a blob of batches apart. Ends at the last whole one: a Fetch answer may be cut off inside a batch.
class BatchSplitter {
 public:
  explicit BatchSplitter(Slice blob) : rest_(std::move(blob)) {}
  // Nothing at the end; kCorrupt when what follows is no v2 batch.
  Result<std::optional<Slice>> next();
  // What `next` has not given out.
  const Slice& rest() const { return rest_; }

 private:
  Slice rest_;
};

}  // namespace millrace::kafka
