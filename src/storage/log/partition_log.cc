#include "storage/log/partition_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/record_batch.h"

namespace millrace::storage {

void PartitionLog::open(std::int32_t epoch, std::int64_t log_start, std::int64_t end) {
  CHECK(index_.empty());
  epoch_ = epoch;
  log_start_ = log_start;
  high_watermark_ = end_ = registered_end_ = end;
}

std::expected<PartitionLog::Appended, AppendRefusal> PartitionLog::append(Slice batch, SlotRef slot,
                                                                          std::int64_t now_ms) {
  auto head = read_batch_header(batch);
  CHECK(head && head->size == batch.size());  // kafka::check_produced answered for it
  const auto verdict = producers_.check(*head);
  if (const auto* refusal = std::get_if<AppendRefusal>(&verdict)) return std::unexpected(*refusal);
  if (const auto* original = std::get_if<ProducerTable::Batch>(&verdict)) {
    Appended answer{original->base_offset, original->base_offset + original->offset_delta, true, original->timestamp_ms,
                    std::nullopt};
    // Rule 16: a duplicate is answered only when its original's slot is.
    if (original->base_offset >= high_watermark_) {
      if (const auto at = find(original->base_offset); at < index_.end()) answer.slot = SlotRef{index_[at].slot};
    }
    return answer;
  }
  head->base_offset = end_;
  kafka::set_base_offset(batch.mutable_data(), end_);
  kafka::set_partition_leader_epoch(batch.mutable_data(), epoch_);
  producers_.note(*head, now_ms);
  end_ = head->last_offset() + 1;
  index_.push_back(BatchEntry{head->base_offset, head->max_timestamp, slot, 0, head->size,
                              static_cast<std::uint32_t>(head->last_offset_delta)});
  unregistered_bytes_ += head->size;
  if (memory_.empty()) memory_.start_at(index_.end() - 1);
  memory_.push_back(std::move(batch));
  return Appended{head->base_offset, head->last_offset(), false, head->max_timestamp, slot};
}

Result<void> PartitionLog::replay(const BatchHeader& batch, SlotRef slot, std::uint32_t position, std::int64_t now_ms) {
  TRY_VOID(adopt({batch.base_offset, batch.max_timestamp, slot, position, batch.size,
                  static_cast<std::uint32_t>(batch.last_offset_delta)}));
  producers_.note(batch, now_ms);
  return {};
}

Result<void> PartitionLog::adopt(const BatchEntry& batch) {
  if (batch.base_offset != end_) {
    return fail(Code::kCorrupt,
                fmt::format("a recovered slot goes on at offset {}, the log ends at {}", batch.base_offset, end_));
  }
  end_ = high_watermark_ = batch.next_offset();
  index_.push_back(batch);
  unacknowledged_ = index_.end();
  unregistered_bytes_ += batch.size;
  CHECK(memory_.empty());
  return {};
}

void PartitionLog::place(std::uint64_t first, std::size_t count, std::uint32_t position) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    CHECK(position <= kSlotPositionMax);
    index_[i].position = position;
    position += index_[i].size;
  }
}

bool PartitionLog::acknowledge(SlotRef slot) {
  unacknowledged_ = std::max(unacknowledged_, index_.first());
  const auto before = unacknowledged_;
  while (unacknowledged_ < index_.end() && index_[unacknowledged_].slot <= slot) ++unacknowledged_;
  if (unacknowledged_ == before) return false;
  high_watermark_ = index_[unacknowledged_ - 1].next_offset();
  return true;
}

std::size_t PartitionLog::evict(SlotRef slot) {
  std::size_t bytes = 0;
  while (!memory_.empty() && index_[memory_.first()].slot <= slot) {
    bytes += memory_.front().size();
    memory_.pop_front();
  }
  drop_front();
  return bytes;
}

std::size_t PartitionLog::drop_cleaned(std::int64_t end) {
  std::size_t bytes = 0;
  const std::int64_t below = std::min(end, registered_end_);
  while (!memory_.empty() && index_[memory_.first()].next_offset() <= below) {
    bytes += memory_.front().size();
    memory_.pop_front();
  }
  drop_front();
  return bytes;
}

void PartitionLog::registered(std::int64_t end) {
  auto at = find(registered_end_);
  while (at < index_.end() && index_[at].base_offset < end) unregistered_bytes_ -= index_[at++].size;
  registered_end_ = std::max(registered_end_, end);
  drop_front();
}

void PartitionLog::raise_log_start(std::int64_t offset) { log_start_ = std::max(log_start_, offset); }

void PartitionLog::drop_front() {
  const auto keep = memory_.empty() ? index_.end() : memory_.first();
  while (index_.first() < keep && index_.front().next_offset() <= registered_end_) index_.pop_front();
}

std::uint64_t PartitionLog::find(std::int64_t offset) const {
  std::uint64_t low = index_.first(), high = index_.end();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (index_[middle].next_offset() <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::optional<TailPlan> PartitionLog::plan_read(std::int64_t offset, std::size_t max_bytes, bool first_whole) const {
  if (index_.empty() || offset < index_.front().base_offset) return std::nullopt;
  TailPlan plan;
  plan.next_offset = offset;
  for (auto i = find(offset); i < index_.end(); ++i) {
    const BatchEntry& entry = index_[i];
    if (entry.next_offset() > high_watermark_) break;
    if (plan.bytes + entry.size > max_bytes && !(first_whole && plan.pieces.empty())) break;
    const Slice* bytes = memory(i);
    TailPiece* last = plan.pieces.empty() ? nullptr : &plan.pieces.back();
    if (bytes) {
      plan.pieces.push_back({*bytes, 0, 0, entry.size});
    } else if (last && !last->in_memory() && last->slot == entry.slot &&
               last->position + last->size == entry.position) {
      last->size += entry.size;
    } else {
      plan.pieces.push_back({{}, entry.slot, entry.position, entry.size});
    }
    plan.bytes += entry.size;
    plan.next_offset = entry.next_offset();
  }
  return plan;
}

}  // namespace millrace::storage
