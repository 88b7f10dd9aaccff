// The live connections as rows: SHOW PROCESSLIST and information_schema.processlist. The rows are written
// into the SQL when it is translated, so a view cannot keep them. Pure; never fails.
#pragma once

#include <string>
#include <string_view>

#include "sql/dialect/translate.h"

namespace millrace::sql::dialect {

// A DuckDB SELECT of eight columns, named as SHOW PROCESSLIST names them or as the table does; without
// `full`, Info is cut after 100 characters.
enum class ProcessColumns { kShow, kTable };
std::string process_select(const Context& context, ProcessColumns columns, bool full);

// processlist of information_schema (and of performance_schema). `database` empty: the current one.
bool is_process_table(const Context& context, std::string_view database, std::string_view table);

// A SELECT that gives `rows` (each "a, b, c" in SQL) under `names`; none at all for no rows.
std::string values_select(const std::vector<std::string>& names, const std::vector<std::string>& rows);

}  // namespace millrace::sql::dialect
