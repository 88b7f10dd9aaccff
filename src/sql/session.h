// The seam of the `sql` room: what the MySQL front (sql/mysql) asks of the engine (sql/engine).
//
// The front parses and translates (sql/dialect); the engine runs DuckDB SQL and the parsed non-SELECT
// statements. Every Task here runs on the front's executor (one LoopThread): the engine moves blocking
// work to its own pool and answers on the executor that awaits. Errors carry DuckDB's own message when
// DuckDB refused ("Catalog Error: ..."), which sql/mysql/errors.cc turns into MySQL codes. Databases of
// MySQL are schemas of the one attached DuckDB catalogue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "sql/dialect/statements.h"

namespace millrace::sql {

__extension__ typedef __int128 Int128;  // NOLINT: the one way to name it under -Wpedantic

enum class ColumnType {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat,
  kDouble,
  kDecimal,    // unscaled Int128 with ColumnInfo::scale; HUGEINT is kDecimal(38, 0)
  kDate,       // days since 1970-01-01
  kTime,       // microseconds
  kTimestamp,  // microseconds since 1970-01-01, no zone; zoned ones are given in UTC
  kText,       // also ENUM, UUID, INTERVAL, LIST, STRUCT, MAP, ...: the adapter casts them to text
  kBlob,
  kJson,
  kNull,  // the column of SELECT NULL
};

struct ColumnInfo {
  std::string name;
  ColumnType type = ColumnType::kText;
  std::uint8_t precision = 0, scale = 0;  // kDecimal only
  bool nullable = true;
  std::string database, table;  // where known; empty is fine
};

// One value of a chunk. Which member is meaningful follows from ColumnInfo::type.
struct Cell {
  bool is_null = true;
  std::int64_t integer = 0;        // kBool, kInt*, kDate, kTime, kTimestamp
  std::uint64_t unsigned_int = 0;  // kUInt*
  double real = 0;                 // kFloat, kDouble
  Int128 decimal = 0;              // kDecimal
  std::string_view text;           // kText, kBlob, kJson; valid while the chunk lives
};

// Some rows of a result (about 2,048), immutable.
class Chunk {
 public:
  virtual ~Chunk() = default;
  virtual std::size_t rows() const = 0;
  virtual Cell cell(std::size_t row, std::size_t column) const = 0;
};

// The answer to one statement. Destroying it before its end stops the work behind it.
class ResultSet {
 public:
  virtual ~ResultSet() = default;
  // Empty: the statement gives no rows, see affected_rows.
  virtual const std::vector<ColumnInfo>& columns() const = 0;
  virtual std::uint64_t affected_rows() const = 0;
  // Shown by SHOW WARNINGS. Complete before the first chunk.
  virtual const std::vector<std::string>& warnings() const = 0;
  // The next rows; null after the last. kCancelled when the token was cancelled.
  virtual Task<Result<std::unique_ptr<Chunk>>> next() = 0;
};

// Asks running work to stop; a copyable handle of one shared state. Any thread.
class CancelToken {
 public:
  CancelToken();
  void cancel();
  bool cancelled() const;
  // Calls `action` on the cancelling thread (here and now when cancelled already), once at most, and
  // never after the returned registration is destroyed: that waits for an action under way.
  class Registration;
  std::unique_ptr<Registration> on_cancel(std::function<void()> action);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class CancelToken::Registration {
 public:
  Registration(std::shared_ptr<State> state, std::uint64_t id) : state_(std::move(state)), id_(id) {}
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  std::shared_ptr<State> state_;
  std::uint64_t id_;
};

struct SessionInfo {
  std::uint32_t id = 0;
  std::string user;
};

// What one client's connection has in the engine (a DuckDB connection: search path, transaction). One
// call at a time, from the front's thread; the ResultSet of a call ends before the next begins.
class EngineSession {
 public:
  virtual ~EngineSession() = default;
  // Sets the default database. kNotFound "Unknown database 'x'".
  virtual Task<Result<void>> use_database(std::string database) = 0;
  // Runs one DuckDB statement that reads, parameters already written as literals.
  virtual Task<Result<std::unique_ptr<ResultSet>>> query(std::string duckdb_sql, CancelToken cancel) = 0;
  // The columns that `duckdb_sql` (with ? parameters) would give; runs nothing. Empty when it gives no
  // rows or DuckDB cannot tell before the parameters are known.
  virtual Task<Result<std::vector<ColumnInfo>>> describe(std::string duckdb_sql) = 0;
  // Runs a statement that is not a SELECT. Unqualified names have been qualified by the front.
  virtual Task<Result<std::unique_ptr<ResultSet>>> run(dialect::EngineStatement statement, CancelToken cancel) = 0;
};

class QueryEngine {
 public:
  virtual ~QueryEngine() = default;
  virtual Task<Result<std::unique_ptr<EngineSession>>> open_session(SessionInfo info) = 0;
};

// A ResultSet of ready text cells, for small answers (SHOW ...) and tests.
struct TextRow {
  std::vector<std::string> cells;
  std::vector<bool> nulls;  // empty: none is NULL
};
std::unique_ptr<ResultSet> make_text_result(std::vector<std::string> column_names, std::vector<TextRow> rows);
// A ResultSet without rows.
std::unique_ptr<ResultSet> make_done_result(std::uint64_t affected_rows, std::vector<std::string> warnings = {});

}  // namespace millrace::sql
