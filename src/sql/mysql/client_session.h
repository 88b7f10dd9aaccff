// What one logged-in client has: default database, variables, warnings, prepared statements; and the way
// of a statement from MySQL text through the dialect to the engine. Knows nothing of packets.
// One thread; one statement at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/dialect/translate.h"
#include "sql/mysql/codec.h"
#include "sql/session.h"

namespace millrace::sql::mysql {

// The other connections, as KILL and SHOW PROCESSLIST need them.
class ConnectionTable {
 public:
  virtual ~ConnectionTable() = default;
  virtual std::vector<dialect::Process> processes() const = 0;
  // False when there is no such connection.
  virtual bool kill(std::uint32_t id, bool query_only) = 0;
};

struct PreparedStatement {
  std::string mysql_sql;
  std::size_t parameters = 0;
  std::vector<ColumnInfo> columns;
  std::vector<ParameterType> types;                   // of the last execute
  std::vector<std::optional<std::string>> long_data;  // per parameter
};

class ClientSession {
 public:
  // `connections` outlives the session.
  ClientSession(std::uint32_t id, ConnectionTable& connections);

  // Binds to the engine and forgets all state of an earlier user: login, COM_CHANGE_USER, and (with the
  // user that is) COM_RESET_CONNECTION.
  Task<Result<void>> open(QueryEngine& engine, std::string user, std::string host, std::string database);
  Task<Result<void>> use_database(std::string database);

  Task<Result<std::unique_ptr<ResultSet>>> run(std::string mysql_sql, CancelToken cancel);
  // Warnings and row counts of the statement before, for later statements to ask.
  void finished(std::uint64_t rows_returned, std::int64_t rows_changed, std::vector<std::string> warnings);
  void failed(const SqlError& error);

  Task<Result<std::uint32_t>> prepare(std::string mysql_sql);
  // Null when there is none; valid until `close_statement`.
  PreparedStatement* statement(std::uint32_t id);
  void close_statement(std::uint32_t id) { statements_.erase(id); }
  // The statement's text with `values` in place of its parameters.
  static Result<std::string> bind(const PreparedStatement& statement, const std::vector<Parameter>& values);

  // The columns of a table, for COM_FIELD_LIST.
  Task<Result<std::vector<ColumnInfo>>> table_columns(std::string table);

  const std::string& database() const { return context_.database; }
  bool in_transaction() const { return in_transaction_; }
  bool autocommit() const;
  // From max_execution_time or query_timeout; zero: none.
  Duration time_limit() const;

 private:
  Task<Result<std::unique_ptr<ResultSet>>> run_action(dialect::Action action, std::string mysql_sql,
                                                      CancelToken cancel);
  Task<Result<std::unique_ptr<ResultSet>>> run_query(dialect::Query query, std::string mysql_sql, CancelToken cancel);
  Task<Result<std::unique_ptr<ResultSet>>> run_engine(dialect::EngineStatement statement, CancelToken cancel);
  Task<Result<void>> set_variables(dialect::SetVariables set, CancelToken cancel);
  Task<Result<std::optional<std::string>>> evaluate(std::string duckdb_sql, CancelToken cancel);
  Result<std::string> text_prepared(const dialect::ExecuteText& execute) const;

  ConnectionTable& connections_;
  std::unique_ptr<EngineSession> engine_;
  dialect::Context context_;
  bool in_transaction_ = false;
  std::map<std::uint32_t, PreparedStatement> statements_;
  std::map<std::string, std::string> text_statements_;  // PREPARE name FROM '..'
  std::uint32_t last_statement_id_ = 0;
};

}  // namespace millrace::sql::mysql
