// ProducerTable: what a partition remembers of idempotent producers, with Kafka's rules (ProducerAppendInfo and
// ProducerStateEntry of 4.3): per producer id the epoch and the last five batches; an exact repeat of one of
// them is a duplicate, everything else must follow the last sequence; a new epoch starts at 0.
//
// Pure and deterministic. Costs about 200 bytes per producer id and O(log ids) per batch. Checkpoints: encode/decode
// (docs/formats/data-object.md); decode refuses anything malformed with kCorrupt.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "storage/api.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {

class ProducerTable {
 public:
  static constexpr std::size_t kBatchesKept = 5;

  struct Batch {
    std::int32_t base_sequence = 0;
    std::int32_t last_sequence = 0;
    std::int64_t base_offset = 0;
    std::int32_t offset_delta = 0;
    std::int64_t timestamp_ms = -1;
    bool operator==(const Batch&) const = default;
  };
  struct Entry {
    std::int16_t epoch = -1;
    std::uint8_t count = 0;  // of `batches`, oldest first
    std::array<Batch, kBatchesKept> batches{};
    std::int64_t last_write_ms = 0;  // by our clock, for expiry
    std::int32_t expected = -1;      // with count 0: the sequence that was refused first; not in checkpoints
    bool operator==(const Entry&) const = default;
  };
  struct Fresh {};
  using Verdict = std::variant<Fresh, Batch, AppendRefusal>;  // Batch: the original of this duplicate

  // Judges a batch that a client sent. Batches without producer id are always Fresh.
  Verdict check(const BatchHeader& batch) const;
  // Notes a batch that was appended (or is being replayed, in offset order).
  void note(const BatchHeader& batch, std::int64_t now_ms);
  // A batch was refused before it was judged (memory budget). If its producer is unknown, the batches that it sent
  // right behind must not be taken for a beginning: they wait for this one's repeat.
  void note_refused(const BatchHeader& batch, std::int64_t now_ms);
  // Forgets producers that wrote nothing since `before_ms` (producer.id.expiration.ms).
  void expire(std::int64_t before_ms);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  const std::map<std::int64_t, Entry>& entries() const { return entries_; }

  std::string encode() const;
  static Result<ProducerTable> decode(std::string_view bytes);
  bool operator==(const ProducerTable&) const = default;

 private:
  std::map<std::int64_t, Entry> entries_;  // by producer id; ordered, so that checkpoints are deterministic
};

}  // namespace millrace::storage
