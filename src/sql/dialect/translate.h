// The dialect's front door: a MySQL statement in, what to do with it out. Pure: no I/O, no engine.
//
// SELECTs (and SHOW, DESCRIBE, EXPLAIN, which are SELECTs over __information_schema) become DuckDB SQL;
// DDL, routine loads and DML become values of statements.h; what concerns only the session is handed
// back to it. Errors: kInvalid with MySQL's 1064 text, kUnsupported naming the construct.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "sql/dialect/statements.h"

namespace millrace::sql::dialect {

// What a session knows that statements may ask for.
struct Process {
  std::uint32_t id = 0;
  std::string user, host, database, command, state, info;
  std::int64_t seconds = 0;
};
struct Context {
  std::string database;  // empty: none selected
  std::string user = "root";
  std::string host = "localhost";
  std::uint32_t connection_id = 0;
  std::uint64_t found_rows = 0;
  std::int64_t row_count = -1;
  std::map<std::string, std::string> variables;       // session values of system variables that were SET
  std::map<std::string, std::string> user_variables;  // DuckDB literals
  std::vector<std::string> warnings;
  std::function<std::vector<Process>()> processes;  // may be empty
  // Columns that are neither grouped nor aggregated become any_value(column).
  bool loose_group_by = false;
};

struct Query {
  std::string duckdb_sql;
  std::size_t parameters = 0;
};
struct UseDatabase {
  std::string name;
};
// SET a = .., @b = ..: `value` is a literal's text, or nothing and `duckdb_sql` is to be evaluated.
struct SetVariables {
  struct Assignment {
    bool user_variable = false;
    bool global = false;
    std::string name;                  // lower case
    std::optional<std::string> value;  // unset with duckdb_sql empty: DEFAULT
    std::string duckdb_sql;
  };
  std::vector<Assignment> assignments;
};
struct Kill {
  std::uint32_t id = 0;
  bool query_only = false;
};
// Understood and without effect here: LOCK TABLES, FLUSH, ANALYZE, ...
struct Nothing {};
struct PrepareText {  // PREPARE name FROM '..'
  std::string name, sql;
};
struct ExecuteText {  // EXECUTE name [USING @a, ..]
  std::string name;
  std::vector<std::string> user_variables;
};
struct DeallocateText {
  std::string name;
};

using Action = std::variant<Query, EngineStatement, UseDatabase, SetVariables, Kill, Nothing, PrepareText, ExecuteText,
                            DeallocateText>;

Result<Action> translate(std::string_view mysql_sql, const Context& context);

// The statements of a COM_QUERY, split at ';' outside strings and comments, blanks left out.
Result<std::vector<std::string>> split_statements(std::string_view text);

// How many ? a statement has, and the statement with them replaced by literals (in MySQL's lexis).
Result<std::size_t> count_parameters(std::string_view mysql_sql);
Result<std::string> bind_parameters(std::string_view mysql_sql, const std::vector<std::string>& literals);

}  // namespace millrace::sql::dialect
