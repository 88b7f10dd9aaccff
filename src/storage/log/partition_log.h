// PartitionLog: one partition's offsets, the index of its newest batches and its producers. Pure: no I/O, no clock.
//
// The index holds every batch that no registered object serves yet, and those whose bytes are still in memory. Two
// marks run through it: from `memory first` on the bytes are here, below `registered end` an object has them. An entry
// leaves the front when it is registered and evicted. Cost: 32 bytes a batch, plus 32 for a Slice while in
// memory; about 350 bytes for an idle partition.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "storage/api.h"
#include "storage/log/batch_header.h"
#include "storage/log/producer_table.h"
#include "storage/log/ring.h"

namespace millrace::storage {

// Slots of all incarnations that this process reads or writes, in log order (slot_directory.h).
using SlotRef = std::uint64_t;
inline constexpr std::size_t kSlotPositionMax = (1u << 24) - 1;

struct BatchEntry {
  std::int64_t base_offset = 0;
  std::int64_t max_timestamp_ms = -1;
  std::uint64_t slot : 40 = 0;
  std::uint64_t position : 24 = 0;  // in the slot; known once it was cut
  std::uint32_t size = 0;
  std::uint32_t last_offset_delta = 0;

  std::int64_t next_offset() const { return base_offset + last_offset_delta + 1; }
};
static_assert(sizeof(BatchEntry) == 32);

// A run of batches to hand out: bytes in memory, or a range of one slot.
struct TailPiece {
  Slice memory;
  SlotRef slot = 0;
  std::uint64_t position = 0;
  std::uint64_t size = 0;
  bool in_memory() const { return !memory.empty(); }
};
struct TailPlan {
  std::vector<TailPiece> pieces;
  std::int64_t next_offset = 0;
  std::uint64_t bytes = 0;
};

class PartitionLog {
 public:
  // Opens empty at `end`: offsets are assigned from there, all below it is durable elsewhere.
  void open(std::int32_t epoch, std::int64_t log_start, std::int64_t end);
  struct Appended {
    std::int64_t base_offset = 0;
    std::int64_t last_offset = 0;
    bool duplicate = false;
    std::int64_t timestamp_ms = -1;
    std::optional<SlotRef> slot;  // that must be acknowledged first; nothing: it was long ago
  };
  // Rejects, recognises, or assigns the next offsets and patches them into the batch's bytes (sole owner).
  std::expected<Appended, AppendRefusal> append(Slice batch, SlotRef slot, std::int64_t now_ms);
  // A batch found in a recovered slot, in offset order. kCorrupt unless it follows. `now_ms` counts as its producer's
  // last write, because record timestamps are the clients' own.
  Result<void> replay(const BatchHeader& batch, SlotRef slot, std::uint32_t position, std::int64_t now_ms);
  // The same of a batch whose producer is known to producers() already.
  Result<void> adopt(const BatchEntry& batch);

  // The slot was cut: its batches from index entry `first` on lie from `position` in it.
  void place(std::uint64_t first, std::size_t count, std::uint32_t position);
  // Everything appended into `slot` and before is durable. True when the high watermark moved.
  bool acknowledge(SlotRef slot);
  // Drops the bytes (not the entries) of batches up to `slot`; answers how many bytes.
  std::size_t evict(SlotRef slot);
  // Objects have other batches than memory for what lies below `end` (key compaction): what is registered of it is
  // forgotten here. Answers how many bytes.
  std::size_t drop_cleaned(std::int64_t end);
  // Objects serve all below `end` from now on.
  void registered(std::int64_t end);
  void raise_log_start(std::int64_t offset);

  // Batches from the one that holds `offset` (or the first after it), below the high watermark, at least one
  // whatever `max_bytes` says if `first_whole`. Nothing when the index begins after `offset`: objects have it.
  std::optional<TailPlan> plan_read(std::int64_t offset, std::size_t max_bytes, bool first_whole) const;
  // The first entry at or after `offset`; index().end() when there is none.
  std::uint64_t find(std::int64_t offset) const;

  std::int32_t epoch() const { return epoch_; }
  std::int64_t log_start() const { return log_start_; }
  std::int64_t high_watermark() const { return high_watermark_; }
  std::int64_t end() const { return end_; }
  std::int64_t registered_end() const { return registered_end_; }
  const Ring<BatchEntry>& index() const { return index_; }
  // Bytes of entry `i`, when in memory.
  const Slice* memory(std::uint64_t i) const {
    return i >= memory_.first() && i < memory_.end() ? &memory_[i] : nullptr;
  }
  std::uint64_t unregistered_bytes() const { return unregistered_bytes_; }

  ProducerTable& producers() { return producers_; }
  const ProducerTable& producers() const { return producers_; }

 private:
  void drop_front();

  std::int32_t epoch_ = -1;
  std::int64_t log_start_ = 0;
  std::int64_t high_watermark_ = 0;
  std::int64_t end_ = 0;
  std::int64_t registered_end_ = 0;
  std::uint64_t unregistered_bytes_ = 0;
  std::uint64_t unacknowledged_ = 0;  // first entry above the high watermark
  Ring<BatchEntry> index_;
  Ring<Slice> memory_;  // same indexes; a suffix of index_
  ProducerTable producers_;
};

}  // namespace millrace::storage
