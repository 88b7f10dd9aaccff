#include "storage/log/producer_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr std::uint8_t kTableFormat = 1;

bool follows(std::int32_t last, std::int32_t next) {
  return std::int64_t{next} == std::int64_t{last} + 1 ||
         (next == 0 && last == std::numeric_limits<std::int32_t>::max());
}

}  // namespace

ProducerTable::Verdict ProducerTable::check(const BatchHeader& batch) const {
  if (!batch.has_producer()) return Fresh{};
  const auto found = entries_.find(batch.producer_id);
  // Unknown producer (expired, or its records were deleted): any sequence is taken, as Kafka does.
  if (found == entries_.end()) return Fresh{};
  const Entry& entry = found->second;

  if (batch.producer_epoch == entry.epoch) {
    const auto end = entry.batches.begin() + entry.count;
    const auto same = std::find_if(entry.batches.begin(), end, [&](const Batch& b) {
      return b.base_sequence == batch.base_sequence && b.last_sequence == batch.last_sequence();
    });
    if (same != end) return *same;
  }
  if (batch.producer_epoch < entry.epoch) return AppendRefusal::kInvalidProducerEpoch;
  if (batch.producer_epoch > entry.epoch) {
    if (batch.base_sequence != 0) return AppendRefusal::kOutOfOrderSequence;
    return Fresh{};
  }
  if (entry.count > 0 && !follows(entry.batches[entry.count - 1].last_sequence, batch.base_sequence)) {
    return AppendRefusal::kOutOfOrderSequence;
  }
  if (entry.count == 0 && entry.expected >= 0 && batch.base_sequence != entry.expected) {
    return AppendRefusal::kOutOfOrderSequence;
  }
  return Fresh{};
}

void ProducerTable::note_refused(const BatchHeader& batch, std::int64_t now_ms) {
  if (!batch.has_producer() || entries_.contains(batch.producer_id)) return;
  Entry& entry = entries_[batch.producer_id];
  entry.epoch = batch.producer_epoch;
  entry.expected = batch.base_sequence;
  entry.last_write_ms = now_ms;
}

void ProducerTable::note(const BatchHeader& batch, std::int64_t now_ms) {
  if (!batch.has_producer()) return;
  Entry& entry = entries_[batch.producer_id];
  if (entry.epoch != batch.producer_epoch) {
    entry.epoch = batch.producer_epoch;
    entry.count = 0;
  }
  entry.last_write_ms = now_ms;
  entry.expected = -1;
  if (batch.is_control()) return;  // markers carry no sequence
  if (entry.count == kBatchesKept) {
    std::move(entry.batches.begin() + 1, entry.batches.end(), entry.batches.begin());
    --entry.count;
  }
  entry.batches[entry.count++] = Batch{batch.base_sequence, batch.last_sequence(), batch.base_offset,
                                       batch.last_offset_delta, batch.max_timestamp};
}

void ProducerTable::expire(std::int64_t before_ms) {
  std::erase_if(entries_, [&](const auto& item) { return item.second.last_write_ms < before_ms; });
}

std::string ProducerTable::encode() const {
  std::string out;
  ByteWriter w(out);
  w.u8(kTableFormat);
  w.uvarint(entries_.size());
  for (const auto& [id, entry] : entries_) {
    w.be(id);
    w.be(entry.epoch);
    w.be(entry.last_write_ms);
    w.u8(entry.count);
    for (std::size_t i = 0; i < entry.count; ++i) {
      const Batch& b = entry.batches[i];
      w.be(b.base_sequence);
      w.be(b.last_sequence);
      w.be(b.base_offset);
      w.be(b.offset_delta);
      w.be(b.timestamp_ms);
    }
  }
  return out;
}

Result<ProducerTable> ProducerTable::decode(std::string_view bytes) {
  ByteReader r(bytes);
  ProducerTable table;
  const auto format = r.u8();
  if (r.ok() && format != kTableFormat) {
    return fail(Code::kUnsupported,
                fmt::format("producer state of format {}, this program reads {}", format, kTableFormat));
  }
  const auto count = r.uvarint64();
  for (std::uint64_t i = 0; i < count && r.ok(); ++i) {
    const auto id = r.be<std::int64_t>();
    Entry entry;
    entry.epoch = r.be<std::int16_t>();
    entry.last_write_ms = r.be<std::int64_t>();
    entry.count = r.u8();
    if (entry.count > kBatchesKept) return fail(Code::kCorrupt, "producer state claims more than five batches");
    for (std::size_t k = 0; k < entry.count; ++k) {
      Batch& b = entry.batches[k];
      b.base_sequence = r.be<std::int32_t>();
      b.last_sequence = r.be<std::int32_t>();
      b.base_offset = r.be<std::int64_t>();
      b.offset_delta = r.be<std::int32_t>();
      b.timestamp_ms = r.be<std::int64_t>();
    }
    if (r.ok()) table.entries_.emplace(id, entry);
  }
  if (!r.ok() || !r.at_end()) return fail(Code::kCorrupt, "producer state is cut short or has bytes after its end");
  return table;
}

}  // namespace millrace::storage
