// One routine load while it runs: where it reads, what it decoded and what it met. The pump drives it.
//
// On the executor's thread, except `decode`, which the pump runs on a pool. Functions marked [not while decoding]
// touch what decode touches; status() and the public fields do not.
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
  // Makes what decode met visible in the public fields. [not while decoding]
  void settle();

  // Takes what is open, to be applied: nothing when nothing moved. [not while decoding]
  struct Open {
    std::unique_ptr<ChangeBatch> batch;  // null: only offsets moved
    PartitionOffsets next_offsets;
    std::uint64_t errors = 0;
  };
  std::optional<Open> take();
  bool has_open() const;          // [not while decoding]
  std::size_t open_rows() const;  // [not while decoding]
  void applied(const Open& open);
  // Back to what is applied, for fetching and decoding. [not while decoding]
  void rewind();

  LoadStatus status() const;
  // Where another Load of the same job goes on.
  LoadProgress progress() const;

  std::map<std::int32_t, LoadPartition> partitions;
  LoadState state = LoadState::kNeedSchedule;
  std::string reason;
  std::optional<LoadStop> stop;  // decode stands at a record and takes no more
  std::int64_t freshness_ms = -1;
  bool applying = false, rewind_wanted = false;

 private:
  bool refused(const Piece& piece, const client::Record& record, const Error& error);

  LoadEntry entry_;
  TableSchema schema_;
  EnvelopeDecoder decoder_;
  // decode's own.
  std::unique_ptr<ChangeBatch> batch_;
  PartitionOffsets decoded_;  // everything before it is in the open batch or on its way to the table
  std::optional<LoadStop> decode_stop_;
  std::uint64_t decode_errors_ = 0, errors_since_start_ = 0;
  std::string decode_last_error_;
  // What the executor's thread shows.
  std::uint64_t errors_ = 0, errors_applied_ = 0, rows_applied_ = 0;
  std::string last_error_;
};

}  // namespace millrace::sql::ingest
