// Types of MySQL and StarRocks and what they are in DuckDB: in CAST, and in column definitions.
#pragma once

#include <string>
#include <vector>

#include "sql/dialect/select.h"

namespace millrace::sql::dialect {

struct ColumnTypeName {
  std::string mysql;   // as written, in lower case: "int(11) unsigned"
  std::string duckdb;  // "UINTEGER"
};
// A column's type, and what belongs to it (UNSIGNED, CHARACTER SET, COLLATE).
Result<ColumnTypeName> column_type(Cursor& in);

struct CastTarget {
  std::string duckdb;
  Hint hint = Hint::kUnknown;
  std::string length;  // CHAR(n)
};
Result<CastTarget> cast_type(Cursor& in);
Expr cast_to(const Expr& value, const CastTarget& target, bool forgiving);

// "db"."table"."column"
std::string quote_path(const std::vector<std::string>& parts);
bool is_reserved(const Token& token);
// INTERVAL amount unit
std::string interval_sql(const Expr& amount, const std::string& unit);

}  // namespace millrace::sql::dialect
