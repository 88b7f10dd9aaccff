// Writes cells into DuckDB data chunks and hands full chunks to an appender: one that inserts into a table, or
// one that runs a statement over what was appended. Blocks; one thread.
#pragma once

#include <duckdb.h>

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/engine/duck.h"
#include "sql/ingest/column.h"
#include "sql/ingest/value.h"

namespace millrace::sql::ingest {

class ChunkWriter {
 public:
  // Rows go into the columns named, in that order; others get their defaults.
  static Result<std::unique_ptr<ChunkWriter>> into_table(engine::Connection& connection, const TableName& table,
                                                         std::span<const Column> columns);
  // `sql` sees the rows as the table `appended_data` with these column names.
  static Result<std::unique_ptr<ChunkWriter>> through_query(engine::Connection& connection, const std::string& sql,
                                                            std::span<const Column> columns);
  ~ChunkWriter();
  ChunkWriter(const ChunkWriter&) = delete;
  ChunkWriter& operator=(const ChunkWriter&) = delete;

  void set(std::size_t column, const Value& value);
  Result<void> end_row();
  // Everything is with DuckDB, within the connection's transaction.
  Result<void> finish();

 private:
  ChunkWriter(std::span<const Column> columns);
  Result<void> flush();
  Error appender_error();

  std::vector<TypeSpec> specs_;
  std::vector<duckdb_logical_type> types_;
  duckdb_appender appender_ = nullptr;
  duckdb_data_chunk chunk_ = nullptr;
  std::vector<duckdb_vector> vectors_;
  std::vector<void*> data_;
  idx_t rows_ = 0;
};

}  // namespace millrace::sql::ingest
