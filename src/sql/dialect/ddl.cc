// CREATE, DROP and ALTER of databases, tables and views, in MySQL's and StarRocks' grammar. Clauses about
// engines, character sets, partitions, buckets and secondary indexes are read and have no effect.
#include <fmt/format.h>

#include <algorithm>

#include "sql/dialect/statement_parser.h"
#include "sql/dialect/types.h"

namespace millrace::sql::dialect {

Result<Action> StatementParser::create() {
  const bool or_replace = in_.accept({"OR", "REPLACE"});
  if (in_.accept("DATABASE") || in_.accept("SCHEMA")) {
    CreateDatabase create;
    create.if_not_exists = if_not_exists();
    TRY(create.name, in_.name("a database"));
    skip_rest();  // CHARACTER SET, COLLATE, PROPERTIES
    return EngineStatement(std::move(create));
  }
  if (in_.accept({"ROUTINE", "LOAD"})) return create_routine_load();
  if (in_.accept("ALGORITHM")) {
    TRY_VOID(in_.expect_op("="));
    in_.take();
  }
  if (in_.accept("DEFINER")) {
    TRY_VOID(in_.expect_op("="));
    while (!in_.at_end() && !in_.is("SQL") && !in_.is("VIEW")) in_.take();
  }
  if (in_.accept({"SQL", "SECURITY"})) in_.take();
  if (in_.accept("VIEW")) return create_view(or_replace);
  if (in_.is("MATERIALIZED")) {
    return fail(Code::kUnsupported, "materialized views are not supported; views over live tables are always fresh");
  }
  in_.accept("TEMPORARY") || in_.accept("EXTERNAL");
  if (in_.accept("TABLE")) return create_table();
  if (in_.is("INDEX") || in_.is("UNIQUE") || in_.is("FULLTEXT")) {
    skip_rest();
    return Nothing{};  // scans are pruned by zone maps; there is no index to make
  }
  return fail(in_.error("expected DATABASE, TABLE, VIEW or ROUTINE LOAD after CREATE"));
}

Result<std::vector<std::string>> StatementParser::name_list() {
  std::vector<std::string> names;
  TRY_VOID(in_.expect_op("("));
  do {
    TRY(auto name, in_.name("a name"));
    if (in_.is_op("(")) TRY_VOID(parenthesized_text());  // KEY (name(10))
    in_.accept("ASC") || in_.accept("DESC");
    names.push_back(std::move(name));
  } while (in_.accept_op(","));
  TRY_VOID(in_.expect_op(")"));
  return names;
}

// Any balanced text in parentheses.
Result<std::string> StatementParser::parenthesized_text() {
  const std::size_t begin = in_.position();
  int depth = 0;
  do {
    if (in_.at_end()) return fail(in_.error("expected ')'"));
    if (in_.is_op("(")) ++depth;
    if (in_.is_op(")")) --depth;
    in_.take();
  } while (depth > 0);
  return std::string(in_.text_since(begin));
}

Result<Action> StatementParser::create_table() {
  CreateTable table;
  table.mysql_text = std::string(in_.source());
  table.if_not_exists = if_not_exists();
  TRY(table.table, object_name("a table"));
  if (in_.is("LIKE")) return fail(Code::kUnsupported, "CREATE TABLE .. LIKE is not supported");
  if (in_.is_op("(") && !select_.at_query()) {
    in_.take();
    do TRY_VOID(table_element(table));
    while (in_.accept_op(","));
    TRY_VOID(in_.expect_op(")"));
  }
  TRY_VOID(table_clauses(table));
  in_.accept("AS");
  if (select_.at_query()) {
    TRY(table.as_select, select_.query(true));
  }
  if (table.columns.empty() && !table.as_select) return fail(in_.error("a table needs columns"));
  if (!table.primary_key.empty()) table.kind = TableKind::kPrimaryKey;
  for (const auto& key : table.primary_key) {
    const auto column = std::ranges::find(table.columns, key, &ColumnDefinition::name);
    if (column != table.columns.end()) {
      column->not_null = true;
    } else if (!table.as_select) {
      return fail(Code::kInvalid, fmt::format("Key column '{}' doesn't exist in table", key));
    }
  }
  return EngineStatement(std::move(table));
}

// A column, a key or a constraint.
Result<void> StatementParser::table_element(CreateTable& table) {
  if (in_.accept("CONSTRAINT") && !in_.is("PRIMARY") && !in_.is("UNIQUE") && !in_.is("FOREIGN") && !in_.is("CHECK")) {
    in_.take();
  }
  if (in_.accept({"PRIMARY", "KEY"})) {
    if (in_.accept("USING")) in_.take();
    TRY(table.primary_key, name_list());
    if (in_.accept("USING")) in_.take();
    return {};
  }
  const bool key = (in_.is("KEY") || in_.is("INDEX")) && (in_.is_op("(", 1) || in_.is_op("(", 2));
  if (key || in_.is("UNIQUE") || in_.is("FULLTEXT") || in_.is("FOREIGN") || in_.is("CHECK")) {
    while (!in_.at_end() && !in_.is_op(",") && !in_.is_op(")")) {
      if (in_.is_op("(")) {
        TRY_VOID(parenthesized_text());
      } else {
        in_.take();
      }
    }
    return {};
  }
  TRY(auto column, column_definition(table.primary_key));
  table.columns.push_back(std::move(column));
  return {};
}

Result<ColumnDefinition> StatementParser::column_definition(std::vector<std::string>& primary_key) {
  ColumnDefinition column;
  TRY(column.name, in_.name("a column"));
  TRY(auto type, column_type(in_));
  column.duckdb_type = std::move(type.duckdb);
  column.mysql_type = std::move(type.mysql);
  while (!in_.at_end() && !in_.is_op(",") && !in_.is_op(")")) {
    if (in_.accept({"NOT", "NULL"}))
      column.not_null = true;
    else if (in_.accept("NULL") || in_.accept("AUTO_INCREMENT") || in_.accept({"UNIQUE", "KEY"}) ||
             in_.accept("UNIQUE"))
      continue;
    else if (in_.accept({"PRIMARY", "KEY"}) || in_.accept("KEY"))
      primary_key.push_back(column.name);
    else if (in_.accept("DEFAULT")) {
      TRY(auto value, select_.unary());
      column.default_sql = std::move(value.sql);
    } else if (in_.accept("COMMENT")) {
      TRY(column.comment, in_.string("the comment"));
    } else if (in_.accept({"ON", "UPDATE"})) {
      TRY_VOID(select_.unary());
    } else if (in_.accept("FIRST")) {
    } else if (in_.accept("AFTER") || in_.accept("COLLATE") || in_.accept("CHARSET")) {
      in_.take();
    } else if (in_.is("AS") || in_.is("GENERATED")) {
      return fail(Code::kUnsupported, "generated columns are not supported; put the expression into a view");
    } else {
      return fail(in_.error("unknown column option"));
    }
  }
  return column;
}

// What stands after the columns, in any order.
Result<void> StatementParser::table_clauses(CreateTable& table) {
  while (!in_.at_end() && !in_.is("AS") && !select_.at_query() && !in_.is_op(";")) {
    if (in_.accept({"PRIMARY", "KEY"})) {
      TRY(table.primary_key, name_list());
    } else if (in_.accept({"DUPLICATE", "KEY"})) {
      TRY(table.order_by, name_list());
    } else if (in_.is("UNIQUE") || in_.is("AGGREGATE")) {
      return fail(Code::kUnsupported,
                  "UNIQUE KEY and AGGREGATE KEY tables are not supported; use PRIMARY KEY or "
                  "DUPLICATE KEY");
    } else if (in_.accept({"DISTRIBUTED", "BY"})) {
      if (in_.accept("HASH")) {
        TRY_VOID(name_list());
      } else {
        TRY_VOID(in_.expect("RANDOM"));
      }
      if (in_.accept("BUCKETS")) in_.take();
    } else if (in_.accept({"ORDER", "BY"})) {
      TRY(table.order_by, name_list());
    } else if (in_.accept({"PARTITION", "BY"})) {
      const std::size_t begin = in_.position();
      if (in_.is_name()) in_.take();
      if (in_.is_name()) in_.take();
      while (in_.is_op("(")) TRY_VOID(parenthesized_text());
      table.partition_by = std::string(in_.text_since(begin));
    } else if (in_.accept("PROPERTIES")) {
      TRY(table.properties, properties());
    } else if (in_.accept("COMMENT")) {
      in_.accept_op("=");
      TRY(table.comment, in_.string("the comment"));
    } else if (in_.is_name()) {  // ENGINE = x, DEFAULT CHARSET = y, AUTO_INCREMENT = 7
      in_.accept("DEFAULT");
      in_.take();
      in_.accept("SET");
      in_.accept_op("=");
      if (in_.at_end()) return fail(in_.error("a table option without a value"));
      in_.take();
      in_.accept_op(",");
    } else {
      return fail(in_.error("unknown table option"));
    }
  }
  return {};
}

Result<Action> StatementParser::create_view(bool or_replace) {
  CreateView view;
  view.or_replace = or_replace;
  view.if_not_exists = if_not_exists();
  TRY(view.view, object_name("a view"));
  if (in_.is_op("(")) {
    in_.take();
    do {
      TRY(auto column, in_.name("a column name"));
      if (in_.accept("COMMENT")) TRY_VOID(in_.string("the comment"));
      view.columns.push_back(std::move(column));
    } while (in_.accept_op(","));
    TRY_VOID(in_.expect_op(")"));
  }
  if (in_.accept("COMMENT")) {
    TRY(view.comment, in_.string("the comment"));
  }
  TRY_VOID(in_.expect("AS"));
  const std::size_t begin = in_.position();
  TRY(view.duckdb_select, select_.query(true));
  if (select_.reads_processes()) {
    return fail(Code::kUnsupported, "a view of processlist is not supported; select from it directly");
  }
  view.mysql_select = std::string(in_.text_since(begin));
  if (in_.accept("WITH")) skip_rest();  // CHECK OPTION
  return EngineStatement(std::move(view));
}

Result<Action> StatementParser::drop() {
  if (in_.accept("DATABASE") || in_.accept("SCHEMA")) {
    DropDatabase drop;
    drop.if_exists = if_exists();
    TRY(drop.name, in_.name("a database"));
    in_.accept("FORCE");
    return EngineStatement(std::move(drop));
  }
  in_.accept("TEMPORARY");
  const bool view = in_.accept("VIEW");
  if (!view && in_.is("INDEX")) {
    skip_rest();
    return Nothing{};
  }
  if (!view && !in_.accept("TABLE")) return fail(in_.error("expected DATABASE, TABLE or VIEW after DROP"));
  const bool lenient = if_exists();
  std::vector<ObjectName> names;
  do {
    TRY(auto name, object_name(view ? "a view" : "a table"));
    names.push_back(std::move(name));
  } while (in_.accept_op(","));
  in_.accept("FORCE") || in_.accept("CASCADE") || in_.accept("RESTRICT");
  if (view) return EngineStatement(DropView{std::move(names), lenient});
  return EngineStatement(DropTable{std::move(names), lenient});
}

Result<Action> StatementParser::alter() {
  if (in_.accept({"ROUTINE", "LOAD"})) return alter_routine_load();
  if (in_.accept("VIEW")) return create_view(true);
  if (in_.is("DATABASE") || in_.is("SCHEMA")) {
    skip_rest();
    return Nothing{};
  }
  TRY_VOID(in_.expect("TABLE"));
  AlterTable alter;
  TRY(alter.table, object_name("a table"));
  do TRY_VOID(alter_action(alter));
  while (in_.accept_op(","));
  return EngineStatement(std::move(alter));
}

Result<void> StatementParser::alter_action(AlterTable& alter) {
  if (in_.accept("ADD")) {
    in_.accept("COLUMN");
    if (in_.is("INDEX") || in_.is("KEY") || in_.is("PRIMARY") || in_.is("UNIQUE") || in_.is("CONSTRAINT")) {
      return fail(in_.error("keys and indexes cannot be added to a table"));
    }
    std::vector<std::string> key;
    TRY(auto column, column_definition(key));
    if (!key.empty()) return fail(in_.error("a key cannot be added to a table"));
    alter.actions.emplace_back(AlterTable::AddColumn{std::move(column)});
  } else if (in_.accept("DROP")) {
    in_.accept("COLUMN");
    TRY(auto column, in_.name("a column"));
    alter.actions.emplace_back(AlterTable::DropColumn{std::move(column)});
  } else if (in_.accept({"RENAME", "COLUMN"})) {
    TRY(auto from, in_.name("a column"));
    TRY_VOID(in_.expect("TO"));
    TRY(auto to, in_.name("a column"));
    alter.actions.emplace_back(AlterTable::RenameColumn{std::move(from), std::move(to)});
  } else if (in_.accept("RENAME")) {
    in_.accept("TO") || in_.accept("AS");
    TRY(auto to, object_name("a table"));
    alter.actions.emplace_back(AlterTable::RenameTable{std::move(to)});
  } else {
    return fail(in_.error("expected ADD, DROP or RENAME"));
  }
  return {};
}

}  // namespace millrace::sql::dialect
