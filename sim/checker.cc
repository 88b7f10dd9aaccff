#include "sim/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/record_batch.h"
#include "kafka/records.h"

namespace millrace::sim {

void PartitionModel::violation(std::string what) {
  if (!gone) violations_.add(fmt::format("{}: {}", name_, what));
}

void PartitionModel::place(std::int64_t offset, const std::string& record, const char* by) {
  const auto [at, fresh] = by_offset_.emplace(offset, record);
  if (!fresh && at->second != record) {
    violation(fmt::format("offset {} holds {} ({}), it held {}", offset, record, by, at->second));
  }
  const auto [where, first] = by_record_.emplace(record, offset);
  if (!first && where->second != offset) {
    violation(fmt::format("{} is at offset {} ({}) and at {}", record, offset, by, where->second));
  }
}

std::int64_t Promises::to(std::int32_t epoch) const {
  std::int64_t most = 0;
  for (const auto& [of, high_watermark] : by_epoch_) {
    if (of <= epoch) most = std::max(most, high_watermark);
  }
  return most;
}

void PartitionModel::acknowledged(std::int64_t base_offset, const std::vector<std::string>& records,
                                  std::int32_t epoch) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto offset = base_offset + static_cast<std::int64_t>(i);
    place(offset, records[i], "acknowledged");
    acked_.emplace(offset, records[i]);
  }
  promises_.add(epoch, base_offset + static_cast<std::int64_t>(records.size()));
}

void PartitionModel::read(std::int64_t offset, std::int32_t epoch, const Promises& promises,
                          const storage::ReadResult& answer) {
  const std::int64_t promised = promises.to(epoch);
  if (answer.high_watermark < promised) {
    violation(fmt::format("the high watermark fell from {} to {}", promised, answer.high_watermark));
  }
  if (answer.log_start_offset > std::max(start_maybe_, start_)) {
    violation(fmt::format("the log begins at {}, nobody deleted beyond {}", answer.log_start_offset, start_maybe_));
  }
  promises_.add(epoch, answer.high_watermark);
  if (offset < promised && answer.batches.empty())
    violation(fmt::format("nothing is read at {} below {}", offset, promised));
  std::int64_t next = -1;
  kafka::BatchSplitter splitter(answer.batches.flatten());
  for (;;) {
    auto batch = splitter.next();
    if (!batch) return violation("a read answers broken batches: " + batch.error().to_string());
    if (!*batch) break;
    const auto view = *kafka::BatchView::at_start_of(**batch);
    if (!view.crc_matches()) violation(fmt::format("the batch at {} has a wrong checksum", view.base_offset()));
    if (next < 0 && ((view.base_offset() > offset && !compacted_) || view.next_offset() <= offset)) {
      violation(fmt::format("a read at {} begins with the batch at {}", offset, view.base_offset()));
    }
    if (next >= 0 && (compacted_ ? view.base_offset() < next : view.base_offset() != next))
      violation(fmt::format("{} follows {}", view.base_offset(), next));
    next = view.next_offset();
    if (next > answer.high_watermark) violation(fmt::format("offset {} is shown above the high watermark", next - 1));
    auto done = kafka::for_each_record(**batch, [&](const kafka::RecordView& record) {
      // A tombstone says in a header what it is.
      const auto headers = kafka::headers_of(record);
      const bool named = headers && !headers->empty() && headers->front().value;
      const std::string value(named ? *headers->front().value : record.value.value_or(""));
      if (record.value.has_value() == named) violation(fmt::format("{} has lost its value, or found one", value));
      place(record.offset, value, "read");
      read_last_[record.offset] = value;
    });
    if (!done) violation("broken records: " + done.error().to_string());
  }
  if (next >= 0 && next != answer.next_offset)
    violation(fmt::format("next is {}, answered {}", next, answer.next_offset));
}

void PartitionModel::read_failed(std::int64_t offset, std::int32_t epoch, const Promises& promises,
                                 const Error& error) {
  if (error.code() == Code::kCorrupt || error.code() == Code::kInternal) {
    violation(fmt::format("reading {}: {}", offset, error.to_string()));
  }
  if (error.code() == Code::kInvalid && offset >= start_maybe_ && offset <= promises.to(epoch)) {
    violation(fmt::format("offset {} was promised: {}", offset, error.to_string()));
  }
}

void PartitionModel::found_first(std::optional<std::int64_t> offset, std::int32_t epoch, const Promises& promises) {
  if (compacted_) return;  // which record is the first one is up to the keys
  const std::int64_t promised = promises.to(epoch);
  if (!offset && promised > start_maybe_)
    violation(fmt::format("a search by time finds nothing, though [{}, {}) was promised", start_maybe_, promised));
  if (offset && *offset > start_maybe_ && *offset >= promised && promised > start_maybe_)
    violation(fmt::format("a search by time skips to {}, [{}, {}) was promised", *offset, start_maybe_, promised));
}

void PartitionModel::finish(std::int64_t log_start, std::int64_t end) {
  if (log_start < start_) violation(fmt::format("the log begins at {}, it was deleted before {}", log_start, start_));
  if (end < high_watermark()) violation(fmt::format("the log ends at {}, {} was promised", end, high_watermark()));
  const auto newest = newest_by_key();
  for (const auto& [offset, record] : acked_) {
    if (offset < log_start) continue;
    const auto found = read_last_.find(offset);
    if (found == read_last_.end()) {
      if (compacted_ && (newest.at(key_of(record)) > offset || is_tombstone(record))) continue;
      violation(fmt::format("acknowledged {} at offset {} is lost", record, offset));
    } else if (found->second != record) {
      violation(fmt::format("offset {} holds {}, {} was acknowledged there", offset, found->second, record));
    }
  }
}

// "PRODUCER:SEQUENCE:text": five keys, every seventh record deletes its key.
std::string PartitionModel::key_of(const std::string& record) {
  return "k" + std::to_string(std::stoll(record.substr(record.find(':') + 1)) * 3 / 2 % 5);
}

bool PartitionModel::is_tombstone(const std::string& record) {
  return std::stoll(record.substr(record.find(':') + 1)) % 7 == 3;
}

std::map<std::string, std::int64_t> PartitionModel::newest_by_key() const {
  std::map<std::string, std::int64_t> newest;
  if (!compacted_) return newest;
  for (const auto& [offset, record] : by_offset_) newest[key_of(record)] = offset;
  return newest;
}

}  // namespace millrace::sim
