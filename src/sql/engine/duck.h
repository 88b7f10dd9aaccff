// DuckDB's C API as owned objects: Database, Connection, Rows. Nothing outside sql/engine and
// sql/ingest/applier.cc names duckdb.h.
//
// All calls block: they run on a BlockingPool or a test's own thread. A Connection is used by one thread at a
// time, except `interrupt`. Errors carry DuckDB's message; kCancelled after an interrupt, kCorrupt when the
// file is not one of DuckDB's or the instance is lost for good, kExhausted when memory ran out.
#pragma once

#include <duckdb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/session.h"

namespace millrace::sql::engine {

struct DatabaseOptions {
  std::string path;  // empty: in memory
  int threads = 2;
  std::uint64_t memory_limit_bytes = 0;  // 0: DuckDB's default
};

class Rows;

class Connection {
 public:
  explicit Connection(duckdb_connection handle) : handle_(handle) {}
  ~Connection() { duckdb_disconnect(&handle_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs one statement to its end and keeps the whole result.
  Result<std::unique_ptr<Rows>> query(const std::string& sql);
  // The same, for its effect.
  Result<void> execute(const std::string& sql);
  // Starts one statement whose rows come as they are read. Statements that DuckDB cannot stream are run.
  Result<std::unique_ptr<Rows>> stream(const std::string& sql);
  // The columns of a statement with ? parameters; nothing is run.
  Result<std::vector<ColumnInfo>> describe(const std::string& sql);
  // Any thread.
  void interrupt() { duckdb_interrupt(handle_); }
  duckdb_connection handle() { return handle_; }

 private:
  duckdb_connection handle_;
};

class Database {
 public:
  // kCorrupt when the file exists and cannot be opened: move it away and open again.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  ~Database() { duckdb_close(&handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<std::unique_ptr<Connection>> connect();

 private:
  explicit Database(duckdb_database handle) : handle_(handle) {}
  duckdb_database handle_;
};

// One chunk of a result, with typed access to its cells.
class RowChunk final : public Chunk {
 public:
  RowChunk(duckdb_data_chunk chunk, std::vector<duckdb_logical_type>* types);
  ~RowChunk() override;
  std::size_t rows() const override { return rows_; }
  Cell cell(std::size_t row, std::size_t column) const override;

 private:
  struct Vector {
    duckdb_type type;
    duckdb_type internal;  // of decimals and enums
    void* data;
    std::uint64_t* validity;
    duckdb_logical_type logical;
  };
  std::string_view keep(std::string text) const;

  duckdb_data_chunk chunk_;
  std::size_t rows_;
  std::vector<Vector> vectors_;
  mutable std::vector<std::unique_ptr<std::string>> made_;  // text of ENUM and UUID cells
};

// A result: its columns, and its rows chunk by chunk.
class Rows {
 public:
  explicit Rows(duckdb_result result);
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  const std::vector<ColumnInfo>& columns() const { return columns_; }
  bool gives_rows() const { return gives_rows_; }
  std::uint64_t changed() { return duckdb_rows_changed(&result_); }
  // Null after the last. Chunks must be gone before the Rows.
  Result<std::unique_ptr<RowChunk>> next();

 private:
  duckdb_result result_;
  bool gives_rows_;
  std::vector<ColumnInfo> columns_;
  std::vector<duckdb_logical_type> types_;
};

// All cells as text, for small internal results and tests; NULL is nothing.
using TextCell = std::optional<std::string>;
Result<std::vector<std::vector<TextCell>>> query_text(Connection& connection, const std::string& sql);
std::string cell_text(const ColumnInfo& column, const Cell& cell);

Error duck_error(duckdb_error_type type, const char* message);

}  // namespace millrace::sql::engine
