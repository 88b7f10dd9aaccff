// SHOW, DESCRIBE and EXPLAIN: SELECTs over __information_schema (startup.cc) or over a list of VALUES, so
// that LIKE and WHERE are done once and by the engine.
#include <fmt/format.h>

#include "sql/dialect/process_list.h"
#include "sql/dialect/statement_parser.h"
#include "sql/dialect/types.h"
#include "sql/dialect/variables.h"

namespace millrace::sql::dialect {
namespace {

// Fails in the engine with "no such table" where there is none, and is true otherwise.
std::string exists(const ObjectName& table) {
  return fmt::format("(SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 0)) = 0",
                     quote_path({engine_database(table.database), table.name}));
}

}  // namespace

// [LIKE 'pattern' | WHERE expr] after a SHOW whose rows are `duckdb_select`.
Result<Action> StatementParser::show_simple(std::string duckdb_select, std::string_view like_column) {
  std::string sql = "SELECT * FROM (" + std::move(duckdb_select) + ") AS shown";
  if (in_.accept("LIKE")) {
    TRY(const auto pattern, in_.string("a pattern"));
    // SHOW compares names without regard to case.
    sql += fmt::format(" WHERE {} ILIKE {} ESCAPE '\\'", quote_name(like_column), quote_literal(pattern));
  } else if (in_.accept("WHERE")) {
    TRY(const auto where, select_.expression());
    sql += " WHERE " + where.sql;
  }
  return Query{std::move(sql), select_.parameters()};
}

// [{FROM | IN} database], else the current one.
Result<std::string> StatementParser::from_database() {
  if (!in_.accept("FROM") && !in_.accept("IN")) return current_database();
  TRY(auto name, in_.name("a database"));
  if (in_.accept_op(".")) {
    TRY(name, in_.name("a database"));
  }
  return name;
}

Result<Action> StatementParser::show() {
  const bool full = in_.accept("FULL");
  in_.accept("EXTENDED");
  if (in_.accept("DATABASES") || in_.accept("SCHEMAS")) {
    return show_simple("SELECT schema_name AS \"Database\" FROM __information_schema.schemata ORDER BY 1", "Database");
  }
  if (in_.accept("TABLES")) return show_tables(full);
  if (in_.accept("COLUMNS") || in_.accept("FIELDS")) return show_columns(full);
  if (in_.accept("INDEX") || in_.accept("INDEXES") || in_.accept("KEYS")) return show_index();
  if (in_.accept("CREATE")) return show_create();
  if (in_.accept("PROCESSLIST")) return show_processlist(full);
  if (in_.accept("WARNINGS")) return show_warnings(false);
  if (in_.accept("ERRORS")) return show_warnings(true);
  if (in_.accept({"ROUTINE", "LOAD"})) return show_routine_load();
  if (in_.accept({"ALL", "ROUTINE", "LOAD"})) {
    TRY(auto action, show_routine_load());
    std::get<ShowRoutineLoad>(std::get<EngineStatement>(action)).all = true;
    return action;
  }
  in_.accept("GLOBAL") || in_.accept("SESSION") || in_.accept("LOCAL");
  if (in_.accept("VARIABLES")) return show_variables();
  struct Row {
    std::string_view first, second, sql, like;
  };
  static constexpr Row kViews[] = {
      {"STATUS", "", "SELECT * FROM __millrace.show_status", "Variable_name"},
      {"ENGINES", "", "SELECT * FROM __information_schema.engines", "ENGINE"},
      {"STORAGE", "ENGINES", "SELECT * FROM __information_schema.engines", "ENGINE"},
      {"PLUGINS", "", "SELECT * FROM __millrace.show_plugins", "Name"},
      {"CHARSET", "", "SELECT * FROM __millrace.show_charset", "Charset"},
      {"CHARACTER", "SET", "SELECT * FROM __millrace.show_charset", "Charset"},
      {"COLLATION", "", "SELECT * FROM __millrace.show_collation", "Collation"},
      {"PRIVILEGES", "", "SELECT * FROM __millrace.show_privileges", "Privilege"},
      {"CATALOGS", "", "SELECT 'default_catalog' AS \"Catalog\", 'Internal' AS \"Type\", '' AS \"Comment\"", "Catalog"},
      {"FUNCTION", "STATUS", "SELECT * FROM __millrace.show_routines", "Name"},
      {"PROCEDURE", "STATUS", "SELECT * FROM __millrace.show_routines", "Name"},
  };
  for (const auto& row : kViews) {
    if (!in_.is(row.first) || (!row.second.empty() && !in_.is(row.second, 1))) continue;
    in_.take();
    if (!row.second.empty()) in_.take();
    return show_simple(std::string(row.sql), row.like);
  }
  if (in_.accept({"TABLE", "STATUS"})) {
    TRY(const auto database, from_database());
    return show_simple(fmt::format("SELECT * EXCLUDE (table_schema) FROM __millrace.show_table_status WHERE "
                                   "table_schema = {} ORDER BY 1",
                                   quote_literal(database)),
                       "Name");
  }
  if (in_.is("TRIGGERS") || in_.is("EVENTS") || in_.is("OPEN")) {
    const std::string first = in_.is("TRIGGERS") ? "Trigger" : in_.is("EVENTS") ? "Db" : "Database";
    skip_rest();
    return Query{values_select({first, "Name"}, {})};
  }
  if (in_.accept("GRANTS")) {
    skip_rest();
    return Query{
        "SELECT 'GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION' AS \"Grants for "
        "root@localhost\""};
  }
  return fail(in_.error("unknown SHOW"));
}

Result<Action> StatementParser::show_tables(bool full) {
  TRY(const auto database, from_database());
  const std::string column = "Tables_in_" + database;
  std::string sql = fmt::format(
      "SELECT table_name AS {}{} FROM __information_schema.tables WHERE table_schema = {} "
      "ORDER BY 1",
      quote_name(column), full ? ", table_type AS \"Table_type\"" : "",
      quote_literal(to_lower(database) == "information_schema" ? to_lower(database) : database));
  return show_simple(std::move(sql), column);
}

// FROM table [FROM database]
Result<Action> StatementParser::show_columns(bool full) {
  if (!in_.accept("FROM") && !in_.accept("IN")) return fail(in_.error("expected FROM"));
  TRY(auto first, in_.name("a table"));
  ObjectName table{"", std::move(first)};
  if (in_.accept_op(".")) {
    table.database = std::move(table.name);
    TRY(table.name, in_.name("a table"));
  } else {
    TRY(table.database, from_database());
  }
  return columns_of(table, full, "");
}

Result<Action> StatementParser::columns_of(const ObjectName& table, bool full, std::string filter) {
  std::string sql = fmt::format(
      "SELECT column_name AS \"Field\", column_type AS \"Type\"{}, is_nullable AS \"Null\", column_key AS \"Key\", "
      "column_default AS \"Default\", extra AS \"Extra\"{} FROM __information_schema.columns WHERE table_schema = {} "
      "AND table_name = {} AND {}{} ORDER BY ordinal_position",
      full ? ", collation_name AS \"Collation\"" : "",
      full ? ", privileges AS \"Privileges\", column_comment AS \"Comment\"" : "", quote_literal(table.database),
      quote_literal(table.name), exists(table), filter);
  return show_simple(std::move(sql), "Field");
}

Result<Action> StatementParser::show_index() {
  if (!in_.accept("FROM") && !in_.accept("IN")) return fail(in_.error("expected FROM"));
  TRY(auto first, in_.name("a table"));
  ObjectName table{"", std::move(first)};
  if (in_.accept_op(".")) {
    table.database = std::move(table.name);
    TRY(table.name, in_.name("a table"));
  } else {
    TRY(table.database, from_database());
  }
  return show_simple(
      fmt::format("SELECT table_name AS \"Table\", non_unique AS \"Non_unique\", index_name AS \"Key_name\", "
                  "seq_in_index AS \"Seq_in_index\", column_name AS \"Column_name\", \"collation\" AS \"Collation\", "
                  "cardinality AS \"Cardinality\", sub_part AS \"Sub_part\", packed AS \"Packed\", nullable AS "
                  "\"Null\", index_type AS \"Index_type\", comment AS \"Comment\", index_comment AS "
                  "\"Index_comment\", is_visible AS \"Visible\", expression AS \"Expression\" "
                  "FROM __information_schema.statistics WHERE table_schema = {} AND table_name = {} AND {} "
                  "ORDER BY seq_in_index",
                  quote_literal(table.database), quote_literal(table.name), exists(table)),
      "Key_name");
}

Result<Action> StatementParser::show_create() {
  if (in_.accept({"ROUTINE", "LOAD"})) {
    TRY(auto job, object_name("a job name"));
    return EngineStatement(ShowCreateRoutineLoad{std::move(job)});
  }
  if (in_.accept("DATABASE") || in_.accept("SCHEMA")) {
    if_not_exists();
    TRY(const auto name, in_.name("a database"));
    return Query{
        fmt::format("SELECT schema_name AS \"Database\", 'CREATE DATABASE `' || schema_name || '`' AS \"Create "
                    "Database\" FROM __information_schema.schemata WHERE schema_name = {}",
                    quote_literal(name))};
  }
  const bool view = in_.accept("VIEW");
  if (!view) TRY_VOID(in_.expect("TABLE"));
  TRY(const auto table, object_name("a table"));
  const std::string database = quote_literal(table.database), name = quote_literal(table.name);
  const std::string what = view ? "View" : "Table";
  return Query{fmt::format("SELECT {} AS \"{}\", __millrace.create_text({}, {}) AS \"Create {}\"{} WHERE {}", name,
                           what, database, name, what,
                           view ? ", 'utf8mb4' AS \"character_set_client\", 'utf8mb4_0900_ai_ci' AS "
                                  "\"collation_connection\""
                                : "",
                           exists(table))};
}

Result<Action> StatementParser::show_variables() {
  std::vector<std::string> rows;
  for (const auto& [name, value] : system_variables()) {
    const std::string text = variable_value(context_, name).value_or(value);
    rows.push_back(quote_literal(name) + ", " + quote_literal(text));
  }
  return show_simple(values_select({"Variable_name", "Value"}, rows), "Variable_name");
}

Result<Action> StatementParser::show_processlist(bool full) {
  return Query{process_select(context_, ProcessColumns::kShow, full)};
}

Result<Action> StatementParser::show_warnings(bool errors_only) {
  skip_rest();
  std::vector<std::string> rows;
  for (const auto& warning : context_.warnings) {
    // "Level\tCode\tMessage", or only a message
    std::string level = "Warning", code = "1105", message = warning;
    const auto first = warning.find('\t'), second = warning.find('\t', first + 1);
    if (first != std::string::npos && second != std::string::npos) {
      level = warning.substr(0, first);
      code = warning.substr(first + 1, second - first - 1);
      message = warning.substr(second + 1);
    }
    if (errors_only && level != "Error") continue;
    rows.push_back(fmt::format("{}, CAST({} AS INTEGER), {}", quote_literal(level), code, quote_literal(message)));
  }
  return Query{values_select({"Level", "Code", "Message"}, rows)};
}

// DESCRIBE t [column], and EXPLAIN of a query.
Result<Action> StatementParser::describe() {
  in_.take();
  if (in_.is("SELECT") || in_.is("WITH") || in_.is_op("(") || in_.is("FORMAT") || in_.is("ANALYZE") ||
      in_.is("EXTENDED") || in_.is("VERBOSE") || in_.is("COSTS") || in_.is("LOGICAL")) {
    return explain();
  }
  TRY(const auto table, object_name("a table"));
  std::string filter;
  if (in_.is_name() || in_.peek().kind == TokenKind::kString) {
    filter = " AND column_name ILIKE " + quote_literal(in_.take().text);
  }
  return columns_of(table, false, std::move(filter));
}

}  // namespace millrace::sql::dialect
