#include "storage/log/led_partition.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/record_batch.h"
#include "kafka/records.h"

namespace millrace::storage {
namespace {

constexpr int kReadAttempts = 8;

}  // namespace

bool LedPartition::refresh() {
  const auto applied = parts_.cluster.state().applied().value();
  if (applied == seen_) return leads_;
  seen_ = applied;
  const auto* current = state();
  const bool led_before = leads_;
  leads_ = current && !deleted && current->led_by(parts_.cluster.wal()) && current->leader_epoch == log.epoch();
  if (current) log.raise_log_start(current->log_start_offset);
  // Objects serve all that is registered, whoever compacted it, and also when this process never learned that its own
  // Register was committed.
  if (leads_ && current->registered_end() > log.registered_end()) log.registered(current->registered_end());
  if (current) parts_.tail_bytes -= log.drop_cleaned(current->clean_until);
  if (!current) deleted = true;
  if (led_before && !leads_) wake_watchers();
  return leads_;
}

std::int64_t LedPartition::log_start_offset() const {
  const auto* current = state();
  return current ? std::max(current->log_start_offset, log.log_start()) : log.log_start();
}

std::uint64_t LedPartition::size_bytes() const {
  std::uint64_t bytes = log.unregistered_bytes();
  if (const auto* current = state()) {
    for (const auto& [base, held] : current->extents) bytes += held.extent.size_bytes;
  }
  return bytes;
}

std::expected<AppendTicket, AppendRefusal> LedPartition::append(Slice batch) {
  if (parts_.stopping || parts_.committer.fenced().is_set()) return std::unexpected(AppendRefusal::kStopped);
  if (!refresh() || !accepts_) return std::unexpected(AppendRefusal::kNotLeader);
  const std::size_t bytes = batch.size();
  if (parts_.committer.unacked_bytes() + bytes > parts_.options.unacked_bytes_max) {
    parts_.metrics.overloaded.Increment();
    if (const auto head = read_batch_header(batch)) log.producers().note_refused(*head, parts_.clock.wall_ms());
    return std::unexpected(AppendRefusal::kOverloaded);
  }
  const SlotRef slot = parts_.committer.slot_for(bytes);
  // It may have sent a full slot, and a disk that takes no more writes says so at once.
  if (parts_.committer.fenced().is_set()) return std::unexpected(AppendRefusal::kStopped);
  const auto entry = log.index().end();
  auto appended = log.append(batch, slot, parts_.clock.wall_ms());
  if (!appended) return std::unexpected(appended.error());

  AppendTicket ticket{.base_offset = appended->base_offset,
                      .last_offset = appended->last_offset,
                      .log_start_offset = log.log_start(),
                      .duplicate = appended->duplicate};
  if (load_be<std::int16_t>(batch.data() + kafka::kBatchCrcStart) & 8)
    ticket.log_append_time_ms = appended->timestamp_ms;
  if (appended->duplicate) {
    parts_.metrics.duplicates.Increment();
    // Rule 16: answered when the original is.
    if (appended->slot && parts_.options.sabotage != Sabotage::kAckDuplicatesEarly) {
      ticket.durable = parts_.slots[*appended->slot].durable;
    } else {
      ticket.durable.set(Result<void>());
    }
    return ticket;
  }
  parts_.tail_bytes += bytes;
  traffic_bytes += bytes;
  parts_.metrics.appended_batches.Increment();
  parts_.metrics.appended_bytes.Increment(static_cast<double>(bytes));
  ticket.durable = parts_.committer.add(shared_from_this(), std::move(batch), entry);
  return ticket;
}

// ---- reading ----

Task<Result<ReadResult>> LedPartition::read(std::int64_t offset, std::size_t max_bytes, ReadLimit limit) {
  return read_from(shared_from_this(), offset, max_bytes, limit == ReadLimit::kAtLeastOneBatch);
}

std::optional<ExtentPlace> LedPartition::extent_at(std::int64_t offset) const {
  const auto* current = state();
  if (!current) return std::nullopt;
  auto at = current->extents.upper_bound(offset);
  if (at != current->extents.begin() && std::prev(at)->second.extent.end_offset > offset) --at;
  if (at == current->extents.end()) return std::nullopt;
  const auto object = parts_.cluster.state().objects().find(at->second.key);
  if (object == parts_.cluster.state().objects().end()) return std::nullopt;
  return ExtentPlace{at->second.key, object->second.size_bytes, at->second.extent};
}

Task<Result<ReadResult>> LedPartition::read_from(std::shared_ptr<LedPartition> self, std::int64_t offset,
                                                 std::size_t max_bytes, bool first_whole) {
  std::optional<Error> last;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (!self->refresh()) co_return fail(Code::kFenced, "this broker does not lead the partition");
    const auto& log = self->log;
    ReadResult out{.next_offset = offset,
                   .high_watermark = log.high_watermark(),
                   .last_stable_offset = log.high_watermark(),
                   .log_start_offset = log.log_start()};
    if (offset < log.log_start() || offset > log.end()) {
      co_return fail(Code::kInvalid,
                     fmt::format("offset {} is not within [{}, {}]", offset, log.log_start(), log.end()));
    }
    if (offset >= log.high_watermark()) co_return out;

    // 1. The tail: memory, or slots that no object replaced yet.
    if (auto plan = log.plan_read(offset, max_bytes, first_whole)) {
      Result<void> loaded = co_await load(self, std::move(*plan), out);
      if (loaded) {
        self->traffic_bytes += out.batches.size();
        co_return out;
      }
      last = std::move(loaded).error();
    } else if (auto place = self->extent_at(offset)) {
      // 2. Data objects.
      Result<ExtentRead> got = co_await self->parts_.objects.read(*place, offset, max_bytes, first_whole);
      if (got && got->next_offset >= 0) {
        out.batches = std::move(got->batches);
        self->traffic_bytes += out.batches.size();
        out.next_offset = got->next_offset;
        co_return out;
      }
      if (got && place->extent.end_offset > offset) co_return out;  // nothing fits into max_bytes
      last = got ? Error(Code::kCorrupt, "an extent ends early") : std::move(got).error();
    } else {
      last = Error(Code::kNotFound, fmt::format("no object holds offset {} any more", offset));
    }
    // 3. Rule 18: a 404 below a known end means that the place moved (compaction, retention), never the log's end.
    if (last->code() != Code::kNotFound) break;
    Result<void> current = co_await look_again(self, attempt);
    if (!current) co_return fail(Code::kUnavailable, current.error().message());
  }
  if (last->code() == Code::kNotFound) last = Error(Code::kCorrupt, last->message());
  co_return fail(std::move(*last).with(fmt::format("reading offset {}", offset)));
}

// The entry that says where the batches are now was committed before they went, but this broker may not have read it.
Task<Result<void>> LedPartition::look_again(std::shared_ptr<LedPartition> self, int attempt) {
  if (attempt == 0 || self->parts_.cluster.state().applied().value() != self->seen_) {
    co_await yield_now();
    co_return Result<void>();
  }
  co_return co_await self->parts_.cluster.prove_live();
}

Task<Result<void>> LedPartition::load(std::shared_ptr<LedPartition> self, TailPlan plan, ReadResult& out) {
  const std::int64_t next_offset = plan.next_offset;
  for (auto& piece : plan.pieces) {
    if (piece.in_memory()) {
      out.batches.append(std::move(piece.memory));
      continue;
    }
    // Replaced and forgotten while an earlier piece was read: look again.
    const std::optional<SlotPlace> place = self->place_of(piece.slot);
    if (!place) co_return fail(Code::kNotFound, "a slot was compacted while it was read");
    const std::string key = slot_key(place->address);
    const std::uint64_t object_size = place->object_size;
    CO_TRY(SliceChain bytes, co_await self->parts_.cache.read(key, object_size, piece.position, piece.size));
    out.batches.append(std::move(bytes));
  }
  out.next_offset = next_offset;
  co_return Result<void>();
}

std::optional<SlotPlace> LedPartition::place_of(SlotRef ref) const {
  if (PastSlots::is_past(ref)) {
    const SlotPlace* past = parts_.past.find(ref);
    return past ? std::optional(*past) : std::nullopt;
  }
  if (!parts_.slots.holds(ref)) return std::nullopt;
  return SlotPlace{parts_.slots[ref].address, parts_.slots[ref].object_size};
}

// ---- searching ----

std::int64_t LedPartition::greatest_timestamp() const {
  std::int64_t greatest = -1;
  if (const auto* current = state()) {
    for (const auto& [base, held] : current->extents) greatest = std::max(greatest, held.extent.max_timestamp_ms);
  }
  for (auto i = log.index().first(); i < log.index().end() && log.index()[i].next_offset() <= log.high_watermark();
       ++i) {
    if (log.index()[i].base_offset >= log.log_start()) greatest = std::max(greatest, log.index()[i].max_timestamp_ms);
  }
  return greatest;
}

Task<Result<std::optional<TimedOffset>>> LedPartition::find_by_time(std::int64_t timestamp_ms) {
  return search_time(shared_from_this(), timestamp_ms);
}

Task<Result<std::optional<TimedOffset>>> LedPartition::find_max_timestamp() {
  auto self = shared_from_this();
  // An extent's maximum may lie below the log start; then the search finds nothing and the next lower one is not
  // known: rare enough to answer with what is found at or above any time.
  const std::int64_t greatest = self->greatest_timestamp();
  if (greatest < 0 || self->log.high_watermark() == self->log_start_offset()) {
    co_return std::optional<TimedOffset>();
  }
  co_return co_await search_time(self, greatest);
}

Task<Result<std::optional<TimedOffset>>> LedPartition::search_time(std::shared_ptr<LedPartition> self,
                                                                   std::int64_t timestamp_ms) {
  if (!self->refresh()) co_return fail(Code::kFenced, "this broker does not lead the partition");
  std::int64_t from = self->log.log_start();
  while (from < self->log.high_watermark()) {
    // 1. The next batch whose greatest timestamp is late enough.
    Slice batch;
    const auto& index = self->log.index();
    if (!index.empty() && from >= index.front().base_offset) {
      auto i = self->log.find(from);
      while (i < index.end() && index[i].max_timestamp_ms < timestamp_ms) ++i;
      if (i == index.end() || index[i].next_offset() > self->log.high_watermark()) break;
      from = std::max(from, index[i].base_offset);
      CO_TRY(ReadResult got, co_await read_from(self, from, 1, true));
      batch = got.batches.flatten();
    } else if (auto place = self->extent_at(from)) {
      if (place->extent.max_timestamp_ms >= timestamp_ms) {
        Result<Slice> found = co_await self->parts_.objects.find_batch_by_time(*place, from, timestamp_ms);
        if (!found && found.error().code() == Code::kNotFound) {
          CO_TRY(ReadResult again, co_await read_from(self, from, 1, true));  // moved, or a real error
          continue;
        }
        if (!found) co_return fail(std::move(found).error());
        batch = std::move(*found);
      }
      if (batch.empty()) {
        from = place->extent.end_offset;
        continue;
      }
    } else {
      if (index.empty()) break;
      from = index.front().base_offset;
      continue;
    }
    // 2. The record inside it, unless it lies below the log start.
    CO_TRY(const kafka::BatchView view, kafka::BatchView::at_start_of(batch));
    std::optional<TimedOffset> answer;
    const std::int64_t log_start = self->log.log_start();
    CO_TRY_VOID(kafka::for_each_record(batch, [&](const kafka::RecordView& record) {
      if (record.timestamp_ms < timestamp_ms || record.offset < log_start) return true;
      answer = TimedOffset{record.offset, record.timestamp_ms, view.partition_leader_epoch()};
      return false;
    }));
    if (answer) co_return answer;
    from = view.next_offset();
  }
  co_return std::optional<TimedOffset>();
}

// ---- epochs and log start ----

EpochEnd LedPartition::end_of_epoch(std::int32_t epoch) const {
  const auto* current = state();
  if (!current || current->epochs.empty()) return {};
  const auto& epochs = current->epochs;
  if (epoch == epochs.back().epoch) return {epoch, log.end()};
  if (epoch > epochs.back().epoch) return {};
  const auto above = std::upper_bound(epochs.begin(), epochs.end(), epoch,
                                      [](std::int32_t wanted, const auto& e) { return wanted < e.epoch; });
  if (above == epochs.begin()) return {epoch, above->start_offset};
  return {std::prev(above)->epoch, above->start_offset};
}

std::int32_t LedPartition::epoch_of(std::int64_t offset) const {
  const auto* current = state();
  if (!current) return -1;
  std::int32_t epoch = -1;
  for (const auto& start : current->epochs) {
    if (start.start_offset > offset) break;
    epoch = start.epoch;
  }
  return epoch;
}

Task<Result<std::int64_t>> LedPartition::delete_records_before(std::int64_t offset) {
  return raise_log_start(shared_from_this(), offset);
}

Task<Result<std::int64_t>> LedPartition::raise_log_start(std::shared_ptr<LedPartition> self, std::int64_t offset) {
  if (!self->refresh()) co_return fail(Code::kFenced, "this broker does not lead the partition");
  if (offset > self->log.high_watermark()) {
    co_return fail(Code::kInvalid,
                   fmt::format("offset {} is above the high watermark {}", offset, self->log.high_watermark()));
  }
  if (offset > self->log.log_start()) {
    std::vector<cluster::Record> records;
    records.emplace_back(cluster::SetLogStartRecord{{{self->LivePartition::id, offset}}});
    CO_TRY_VOID(co_await self->parts_.cluster.commit(std::move(records)));
    self->refresh();
  }
  co_return self->log.log_start();
}

}  // namespace millrace::storage
