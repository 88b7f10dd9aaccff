// What the dialect needs inside DuckDB: settings for each connection, and schemas, tables, views and
// macros that the engine creates at open. The statements are idempotent (IF NOT EXISTS, OR REPLACE).
//
// Two catalogue tables are the engine's to fill, because DuckDB's tables have no PRIMARY KEY of ours:
//   __millrace.primary_keys(table_schema, table_name, column_name, ordinal)
//   __millrace.definitions(object_schema, object_name, kind, mysql_text, comment)  kind: 'table' | 'view'
// information_schema, SHOW KEYS and SHOW CREATE read them. Schemas whose names begin with "__" and
// `main` are not shown to clients.
#pragma once

#include <string>
#include <vector>

namespace millrace::sql::dialect {

// To run once at open, in order.
const std::vector<std::string>& startup_macros();

// To run on each new DuckDB connection: NULL order, division by zero, time zone as MySQL has them.
const std::vector<std::string>& connection_settings();

}  // namespace millrace::sql::dialect
