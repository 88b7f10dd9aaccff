#include "sql/ingest/load.h"

#include <fmt/format.h>

namespace millrace::sql::ingest {
namespace {

RecordView view_of(const client::Record& record) {
  RecordView view;
  if (record.key) view.key = *record.key;
  if (record.value) view.value = *record.value;
  for (const auto& header : record.headers) {
    if (header.key == "__debezium.oldkey" && header.value) view.old_key = *header.value;
  }
  return view;
}

}  // namespace

Load::Load(LoadEntry entry, TableSchema schema, LoadProgress progress)
    : entry_(std::move(entry)),
      schema_(std::move(schema)),
      decoder_(schema_, {entry_.envelope, entry_.unknown_fields}),
      decode_errors_(progress.errors),
      decode_last_error_(progress.last_error),
      errors_(progress.errors),
      errors_applied_(progress.errors),
      rows_applied_(progress.rows_applied),
      last_error_(std::move(progress.last_error)) {
  for (const auto& [partition, next] : progress.next_offsets) {
    const auto end = progress.end_offsets.find(partition);
    partitions[partition] = {next, next, end == progress.end_offsets.end() ? next : end->second};
  }
}

void Load::decode(Piece piece) {
  // The first piece of a partition says where it begins.
  std::int64_t& next = decoded_.try_emplace(piece.partition, piece.asked).first->second;
  if (decode_stop_ || piece.asked != next) return;
  if (!batch_) batch_ = std::make_unique<ChangeBatch>(schema_.columns.size());
  for (const auto& record : piece.records) {
    if (record.offset < next) continue;  // a batch begins before the offset asked for
    auto decoded = decoder_.decode(view_of(record), *batch_);
    if (!decoded && refused(piece, record, decoded.error())) {
      next = record.offset;
      return;
    }
    next = record.offset + 1;
  }
  next = std::max(next, piece.next);
}

void Load::settle() {
  errors_ = decode_errors_;
  last_error_ = decode_last_error_;
  stop = decode_stop_;
}

// True when the load must not go past the record.
bool Load::refused(const Piece& piece, const client::Record& record, const Error& error) {
  const std::string where =
      fmt::format("{}-{} offset {}: {}", entry_.topic, piece.partition, record.offset, error.message());
  if (entry_.automatic && !decoder_.missing_columns().empty()) {
    decode_stop_ = LoadStop{where, decoder_.missing_columns()};
    return true;
  }
  ++decode_errors_;
  ++errors_since_start_;
  decode_last_error_ = where;
  if (entry_.max_error_number < 0 || errors_since_start_ <= static_cast<std::uint64_t>(entry_.max_error_number))
    return false;
  decode_stop_ = LoadStop{
      fmt::format("{} bad records, max_error_number is {}. Stopped at {}. To skip it: ALTER ROUTINE LOAD FOR {} "
                  "PROPERTIES (\"max_error_number\" = \"{}\"), then RESUME ROUTINE LOAD FOR {}",
                  errors_since_start_, entry_.max_error_number, where, entry_.job.to_string(),
                  entry_.max_error_number + 1, entry_.job.to_string()),
      {}};
  return true;
}

bool Load::has_open() const {
  if (batch_ && !batch_->changes.empty()) return true;
  for (const auto& [index, next] : decoded_) {
    const auto partition = partitions.find(index);
    if (partition != partitions.end() && next > partition->second.applied_next) return !applying;
  }
  return false;
}

std::size_t Load::open_rows() const { return batch_ ? batch_->changes.size() : 0; }

std::optional<Load::Open> Load::take() {
  if (!has_open()) return std::nullopt;
  Open open;
  if (batch_ && !batch_->changes.empty()) open.batch = std::move(batch_);
  batch_.reset();
  open.next_offsets = decoded_;
  open.errors = decode_errors_;
  return open;
}

void Load::applied(const Open& open) {
  for (const auto& [index, next] : open.next_offsets) partitions[index].applied_next = next;
  errors_applied_ = open.errors;
  if (open.batch) rows_applied_ += open.batch->changes.size();
}

void Load::rewind() {
  batch_.reset();
  decoded_.clear();
  // What is read again is counted again.
  errors_since_start_ -= std::min(errors_since_start_, decode_errors_ - errors_applied_);
  decode_errors_ = errors_applied_;
  decode_stop_.reset();
  settle();
  for (auto& [index, partition] : partitions) partition.fetch_next = partition.applied_next;
  rewind_wanted = false;
}

LoadProgress Load::progress() const {
  LoadProgress progress;
  progress.errors = errors_applied_;
  progress.rows_applied = rows_applied_;
  progress.last_error = last_error_;
  for (const auto& [index, partition] : partitions) {
    progress.next_offsets[index] = partition.applied_next;
    progress.end_offsets[index] = partition.end;
  }
  return progress;
}

LoadStatus Load::status() const {
  LoadStatus status;
  status.database = entry_.job.database;
  status.job = entry_.job.name;
  status.table = entry_.table.name;
  status.topic = entry_.topic;
  status.state = state;
  status.reason = reason;
  status.automatic = entry_.automatic;
  status.rows_applied = rows_applied_;
  status.error_rows = errors_;
  status.last_error = last_error_;
  status.freshness_ms = freshness_ms;
  for (const auto& [index, partition] : partitions) {
    status.partitions.push_back({index, partition.applied_next, partition.end});
    status.lag += std::max<std::int64_t>(0, partition.end - partition.applied_next);
  }
  return status;
}

}  // namespace millrace::sql::ingest
