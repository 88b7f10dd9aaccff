// CREATE and ALTER ROUTINE LOAD turned into catalogue entries, and entries back into what SHOW prints. Pure.
//
// Properties of StarRocks that tune what we do by ourselves are accepted and kept; those that would change which
// rows arrive and are not built are refused by name.
#pragma once

#include "base/result.h"
#include "sql/api.h"
#include "sql/dialect/statements.h"
#include "sql/ingest/catalog.h"

namespace millrace::sql::ingest {

// Without versions. StartAt::kEnd still has to be resolved to offsets.
Result<LoadEntry> load_from_statement(const dialect::CreateRoutineLoad& statement, const TableSchema& table);
Result<void> alter_load(LoadEntry& entry, const dialect::AlterRoutineLoad& statement);

// The columns of SHOW ROUTINE LOAD, and one row of it.
const std::vector<std::string>& show_load_columns();
TextRow show_load_row(const LoadEntry& entry, const LoadStatus& status);

// A load and its table for a captured topic. `database` and `table` by the naming rule of README.md.
struct AutoTable {
  TableEntry table;
  LoadEntry load;
};
TableName auto_table_name(std::string_view prefix, std::string_view schema, std::string_view table);
Result<AutoTable> auto_table(TableName name, std::string topic, std::vector<Column> columns,
                             const std::vector<std::string>& key);

}  // namespace millrace::sql::ingest
