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
    : errors(progress.errors),
      errors_applied(progress.errors),
      entry_(std::move(entry)),
      schema_(std::move(schema)),
      decoder_(schema_, {entry_.envelope, entry_.unknown_fields}) {
  for (const auto& [partition, next] : progress.next_offsets) partitions[partition] = {next, next, next, next};
}

void Load::decode(Piece piece) {
  LoadPartition& partition = partitions[piece.partition];
  if (stop || piece.asked != partition.decoded_next) return;
  if (!batch_) batch_ = std::make_unique<ChangeBatch>(schema_.columns.size());
  for (const auto& record : piece.records) {
    if (record.offset < partition.decoded_next) continue;  // a batch begins before the offset asked for
    auto decoded = decoder_.decode(view_of(record), *batch_);
    if (!decoded && refused(piece, record, decoded.error())) {
      partition.decoded_next = record.offset;
      return;
    }
    partition.decoded_next = record.offset + 1;
  }
  partition.decoded_next = std::max(partition.decoded_next, piece.next);
}

// True when the load must not go past the record.
bool Load::refused(const Piece& piece, const client::Record& record, const Error& error) {
  const std::string where =
      fmt::format("{}-{} offset {}: {}", entry_.topic, piece.partition, record.offset, error.message());
  if (entry_.automatic && !decoder_.missing_columns().empty()) {
    stop = LoadStop{where, decoder_.missing_columns()};
    return true;
  }
  ++errors;
  ++errors_since_start;
  last_error = where;
  if (entry_.max_error_number < 0 || errors_since_start <= static_cast<std::uint64_t>(entry_.max_error_number))
    return false;
  stop = LoadStop{
      fmt::format("{} bad records, max_error_number is {}. Stopped at {}. To skip it: ALTER ROUTINE LOAD FOR {} "
                  "PROPERTIES (\"max_error_number\" = \"{}\"), then RESUME ROUTINE LOAD FOR {}",
                  errors_since_start, entry_.max_error_number, where, entry_.job.to_string(),
                  entry_.max_error_number + 1, entry_.job.to_string()),
      {}};
  return true;
}

bool Load::has_open() const {
  if (batch_ && !batch_->changes.empty()) return true;
  for (const auto& [index, partition] : partitions) {
    if (partition.decoded_next > partition.applied_next) return true;
  }
  return false;
}

std::optional<Load::Open> Load::take() {
  if (!has_open()) return std::nullopt;
  Open open;
  open.errors = errors;
  if (batch_ && !batch_->changes.empty()) open.batch = std::move(batch_);
  batch_.reset();
  for (const auto& [index, partition] : partitions) open.next_offsets[index] = partition.decoded_next;
  return open;
}

void Load::applied(const PartitionOffsets& next_offsets, std::uint64_t changes, std::uint64_t errors_then) {
  errors_applied = errors_then;
  for (const auto& [index, next] : next_offsets) partitions[index].applied_next = next;
  rows_applied_ += changes;
}

void Load::rewind() {
  batch_.reset();
  // What is read again is counted again.
  errors_since_start -= std::min(errors_since_start, errors - errors_applied);
  errors = errors_applied;
  for (auto& [index, partition] : partitions) partition.fetch_next = partition.decoded_next = partition.applied_next;
}

LoadStatus Load::status(std::int64_t) const {
  LoadStatus status;
  status.database = entry_.job.database;
  status.job = entry_.job.name;
  status.table = entry_.table.name;
  status.topic = entry_.topic;
  status.state = state;
  status.reason = reason;
  status.automatic = entry_.automatic;
  status.rows_applied = rows_applied_;
  status.error_rows = errors;
  status.last_error = last_error;
  status.freshness_ms = freshness_ms;
  for (const auto& [index, partition] : partitions) {
    status.partitions.push_back({index, partition.applied_next, partition.end});
    status.lag += std::max<std::int64_t>(0, partition.end - partition.applied_next);
  }
  return status;
}

}  // namespace millrace::sql::ingest
