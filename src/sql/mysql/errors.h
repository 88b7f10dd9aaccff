// The one table from our errors and DuckDB's messages to MySQL error codes and SQLSTATEs.
#pragma once

#include "base/result.h"
#include "sql/mysql/codec.h"

namespace millrace::sql::mysql {

// What the session had selected decides between "no database selected" and "no such table".
struct ErrorContext {
  std::string database;
};

SqlError to_sql_error(const Error& error, const ErrorContext& context);

// An error of the front itself, with the code's own SQLSTATE.
SqlError sql_error(std::uint16_t code, std::string message);

}  // namespace millrace::sql::mysql
