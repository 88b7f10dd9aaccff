// The head of a Kafka record batch v2 by value: what storage indexes, readable from the first 61 bytes alone (the rest
// may lie in the next block of a chain, which kafka::BatchView could not view), and valid after the bytes moved on.
// Layout: kafka/record_batch.h.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/codec.h"

namespace millrace::storage {

inline constexpr std::size_t kBatchHeadBytes = 61;
inline constexpr std::size_t kBatchPrefixBytes = 12;  // base offset and batch length

struct BatchHeader {
  std::int64_t base_offset = 0;
  std::uint32_t size = 0;  // of the whole batch, prefix included
  std::int32_t leader_epoch = -1;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = -1;
  std::int64_t max_timestamp = -1;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;

  std::int64_t last_offset() const { return base_offset + last_offset_delta; }
  bool has_producer() const { return producer_id >= 0; }
  bool is_control() const { return (attributes & 0x20) != 0; }
  bool is_transactional() const { return (attributes & 0x10) != 0; }
  // Kafka's incrementSequence: wraps from 2^31-1 to 0.
  std::int32_t last_sequence() const {
    constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
    if (base_sequence > kMax - last_offset_delta) return last_offset_delta - (kMax - base_sequence) - 1;
    return base_sequence + last_offset_delta;
  }
};

// Nothing when `bytes` cannot begin with a v2 batch (too short, other magic, impossible length or delta). Does
// not look at records or CRC.
inline std::optional<BatchHeader> read_batch_header(std::string_view bytes) {
  if (bytes.size() < kBatchHeadBytes) return std::nullopt;
  const char* p = bytes.data();
  const auto length = load_be<std::int32_t>(p + 8);
  if (p[16] != 2 || length < static_cast<std::int32_t>(kBatchHeadBytes - kBatchPrefixBytes)) return std::nullopt;
  BatchHeader h;
  h.base_offset = load_be<std::int64_t>(p);
  h.size = static_cast<std::uint32_t>(length) + kBatchPrefixBytes;
  h.leader_epoch = load_be<std::int32_t>(p + 12);
  h.crc = load_be<std::uint32_t>(p + 17);
  h.attributes = load_be<std::int16_t>(p + 21);
  h.last_offset_delta = load_be<std::int32_t>(p + 23);
  h.base_timestamp = load_be<std::int64_t>(p + 27);
  h.max_timestamp = load_be<std::int64_t>(p + 35);
  h.producer_id = load_be<std::int64_t>(p + 43);
  h.producer_epoch = load_be<std::int16_t>(p + 51);
  h.base_sequence = load_be<std::int32_t>(p + 53);
  if (h.last_offset_delta < 0) return std::nullopt;
  return h;
}

}  // namespace millrace::storage
