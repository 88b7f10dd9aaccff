// The apply path: batches of several tables and the offsets they reach, in one DuckDB transaction.
//
// Per table: the planner's keys are deleted and its rows inserted, both straight from data chunks (no stage
// table, no PRIMARY KEY: MERGE and INSERT OR REPLACE are 25-50 times slower). Offsets live in
// __millrace.load_offsets and move with the data, so a restart goes on exactly where the data ends. Blocks;
// one thread (the writer's). On failure nothing is applied.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/engine/duck.h"
#include "sql/ingest/planner.h"

namespace millrace::sql::ingest {

using PartitionOffsets = std::map<std::int32_t, std::int64_t>;

// What one load brings to a transaction. `batch` may be null when only offsets move.
struct LoadDelta {
  std::string load;  // its identity in load_offsets
  const TableSchema* schema = nullptr;
  ChangeBatch* batch = nullptr;
  PartitionOffsets next_offsets;
  std::uint64_t errors = 0;  // in total so far; kept with the offsets
};

struct Applied {
  std::uint64_t changes = 0, rows_deleted = 0, rows_inserted = 0;
};

struct LoadProgress {
  PartitionOffsets next_offsets;
  std::uint64_t errors = 0;
  // Known only to a load that was just let go.
  PartitionOffsets end_offsets;
  std::uint64_t rows_applied = 0;
  std::string last_error;
};

class Applier {
 public:
  explicit Applier(engine::Connection& connection) : connection_(connection) {}

  // Makes the tables of __millrace that this class and the catalogue need.
  Result<void> prepare();
  Result<Applied> apply(std::vector<LoadDelta> deltas);
  Result<std::map<std::string, LoadProgress>> progress();
  // Forgets a load's offsets, inside the caller's transaction or its own.
  Result<void> forget(const std::string& load);

 private:
  Result<void> apply_table(LoadDelta& delta, Applied& applied);
  Result<void> fill_unchanged(const TableSchema& schema, ChangeBatch& batch, const Plan& plan);
  Result<void> remove_keys(const TableSchema& schema, ChangeBatch& batch, const Plan& plan);
  Result<void> insert_rows(const TableSchema& schema, ChangeBatch& batch, const Plan& plan);
  Result<void> write_offsets(const std::vector<LoadDelta>& deltas);

  engine::Connection& connection_;
};

}  // namespace millrace::sql::ingest
