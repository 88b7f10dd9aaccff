// INSERT, REPLACE, UPDATE, DELETE: DuckDB's text for them, and the parts that an upsert needs.
#include <fmt/format.h>

#include "sql/dialect/statement_parser.h"
#include "sql/dialect/types.h"

namespace millrace::sql::dialect {

// INSERT [IGNORE] [INTO|OVERWRITE] t [(a, b)] VALUES .. | SELECT .. | SET a = 1
Result<Action> StatementParser::insert() {
  ModifyRows rows;
  rows.kind = is_word(in_.take(), "REPLACE") ? ModifyRows::Kind::kReplace : ModifyRows::Kind::kInsert;
  for (const std::string_view word : {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"}) in_.accept(word);
  if (in_.accept("IGNORE")) rows.kind = ModifyRows::Kind::kInsertIgnore;
  if (in_.is("OVERWRITE")) return fail(Code::kUnsupported, "INSERT OVERWRITE is not supported");
  in_.accept("INTO");
  in_.accept("TABLE");
  TRY(rows.table, object_name("a table"));
  std::vector<std::string> assigned;
  if (in_.is_op("(") && !select_.at_query()) {
    TRY(rows.columns, name_list());
  }
  if (in_.accept("SET")) {
    do {
      TRY(auto column, in_.name("a column"));
      TRY_VOID(in_.expect_op("="));
      TRY(auto value, select_.expression());
      rows.columns.push_back(std::move(column));
      assigned.push_back(std::move(value.sql));
    } while (in_.accept_op(","));
    rows.source = "VALUES (" + join(assigned, ", ") + ")";
  } else if (in_.accept("VALUE") || in_.is("VALUES") || select_.at_query()) {
    if (in_.is_op("(") && !select_.at_query()) return fail(in_.error("expected VALUES"));
    TRY(rows.source, select_.query(false));
  } else {
    return fail(in_.error("expected VALUES or SELECT"));
  }
  if (in_.accept({"ON", "DUPLICATE", "KEY", "UPDATE"})) {
    // On a primary-key table an insert replaces the row; anything finer needs the old row's values.
    return fail(Code::kUnsupported,
                "ON DUPLICATE KEY UPDATE is not supported; INSERT into a PRIMARY KEY table "
                "replaces the row with the same key");
  }
  std::vector<std::string> quoted;
  for (const auto& column : rows.columns) quoted.push_back(quote_name(column));
  rows.duckdb_sql = fmt::format("INSERT INTO {}{} {}", quote_path({rows.table.database, rows.table.name}),
                                quoted.empty() ? "" : " (" + join(quoted, ", ") + ")", rows.source);
  return EngineStatement(std::move(rows));
}

Result<Action> StatementParser::update() {
  ModifyRows rows{.kind = ModifyRows::Kind::kUpdate};
  TRY(rows.table, object_name("a table"));
  std::string alias;
  if (!in_.is("SET")) {
    in_.accept("AS");
    TRY(alias, in_.name("an alias"));
    alias = " AS " + quote_name(alias);
  }
  TRY_VOID(in_.expect("SET"));
  std::vector<std::string> assignments;
  do {
    TRY(auto column, in_.name("a column"));
    if (in_.accept_op(".")) {
      TRY(column, in_.name("a column"));
    }
    TRY_VOID(in_.expect_op("="));
    TRY(const auto value, select_.expression());
    assignments.push_back(quote_name(column) + " = " + value.sql);
  } while (in_.accept_op(","));
  rows.duckdb_sql = fmt::format("UPDATE {}{} SET {}", quote_path({rows.table.database, rows.table.name}), alias,
                                join(assignments, ", "));
  if (in_.accept("WHERE")) {
    TRY(const auto where, select_.expression());
    rows.duckdb_sql += " WHERE " + where.sql;
  }
  return EngineStatement(std::move(rows));
}

Result<Action> StatementParser::delete_() {
  ModifyRows rows{.kind = ModifyRows::Kind::kDelete};
  TRY_VOID(in_.expect("FROM"));
  TRY(rows.table, object_name("a table"));
  std::string alias;
  if (in_.accept("AS")) {
    TRY(alias, in_.name("an alias"));
    alias = " AS " + quote_name(alias);
  }
  rows.duckdb_sql = "DELETE FROM " + quote_path({rows.table.database, rows.table.name}) + alias;
  if (in_.accept("WHERE")) {
    TRY(const auto where, select_.expression());
    rows.duckdb_sql += " WHERE " + where.sql;
  }
  return EngineStatement(std::move(rows));
}

}  // namespace millrace::sql::dialect
