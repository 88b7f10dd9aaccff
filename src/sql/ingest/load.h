// One routine load while it runs: where it reads, what it decoded and what it met. The pump drives it.
//
// On the executor's thread, except `decode`, which the pump runs on a pool while nothing else touches the
// decoder and the open batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/api.h"
#include "sql/ingest/catalog.h"
#include "sql/ingest/envelope.h"
#include "sql/ingest/log.h"

namespace millrace::sql::ingest {

struct LoadPartition {
  std::int64_t fetch_next = 0;    // asked for next
  std::int64_t decoded_next = 0;  // everything before it is in the open batch or applied
  std::int64_t applied_next = 0;  // everything before it is in the table
  std::int64_t end = 0;
};

// Why decoding stopped at a record.
struct LoadStop {
  std::string reason;
  std::vector<Column> missing;  // not empty: the table lacks these columns
};

class Load {
 public:
  Load(LoadEntry entry, TableSchema schema, LoadProgress progress);

  const LoadEntry& entry() const { return entry_; }
  const TableSchema& schema() const { return schema_; }

  struct Piece {
    std::int32_t partition = 0;
    std::int64_t asked = 0, next = 0;
    std::vector<client::Record> records;
    std::size_t bytes = 0;
  };
  // Moves records into the open batch. A piece that is not the next one (the load went back meanwhile) is dropped.
  void decode(Piece piece);

  // Takes what is open, to be applied: nothing when nothing moved.
  struct Open {
    std::unique_ptr<ChangeBatch> batch;  // null: only offsets moved
    PartitionOffsets next_offsets;
    std::uint64_t errors = 0;
  };
  std::optional<Open> take();
  bool has_open() const;
  std::size_t open_rows() const { return batch_ ? batch_->changes.size() : 0; }
  void applied(const PartitionOffsets& next_offsets, std::uint64_t changes, std::uint64_t errors_then);
  // Back to what is applied, for fetching and decoding.
  void rewind();

  LoadStatus status(std::int64_t now_ms) const;

  std::map<std::int32_t, LoadPartition> partitions;
  LoadState state = LoadState::kNeedSchedule;
  std::string reason;
  std::optional<LoadStop> stop;  // set by decode
  std::int64_t freshness_ms = -1;
  bool applying = false;
  std::uint64_t errors = 0, errors_since_start = 0, errors_applied = 0;
  std::string last_error;

 private:
  bool refused(const Piece& piece, const client::Record& record, const Error& error);

  LoadEntry entry_;
  TableSchema schema_;
  EnvelopeDecoder decoder_;
  std::unique_ptr<ChangeBatch> batch_;
  std::uint64_t rows_applied_ = 0;
};

}  // namespace millrace::sql::ingest
