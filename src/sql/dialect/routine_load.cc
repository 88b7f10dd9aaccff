// CREATE / ALTER / PAUSE / RESUME / STOP ROUTINE LOAD, in StarRocks' grammar.
#include <array>

#include "sql/dialect/statement_parser.h"

namespace millrace::sql::dialect {

// [PROPERTIES] ("key" = "value", ...), keys in lower case
Result<Properties> StatementParser::properties() {
  Properties out;
  TRY_VOID(in_.expect_op("("));
  while (!in_.is_op(")")) {
    if (in_.peek().kind != TokenKind::kString && !in_.is_name()) return fail(in_.error("expected a property's name"));
    const std::string key = to_lower(in_.take().text);
    TRY_VOID(in_.expect_op("="));
    const Token value = in_.take();
    if (value.kind != TokenKind::kString && value.kind != TokenKind::kNumber && value.kind != TokenKind::kWord) {
      return fail(in_.error("expected a value for property '" + key + "'"));
    }
    if (!out.emplace(key, value.text).second) return fail(in_.error("property '" + key + "' is given twice"));
    if (!in_.accept_op(",")) break;
  }
  TRY_VOID(in_.expect_op(")"));
  return out;
}

// After CREATE ROUTINE LOAD.
Result<Action> StatementParser::create_routine_load() {
  CreateRoutineLoad load;
  TRY(load.job, loose_name("a job name"));
  TRY_VOID(in_.expect("ON"));
  TRY(load.table, loose_name("a table"));
  TRY_VOID(place(load));
  TRY_VOID(load_clauses(load));
  if (in_.accept("PROPERTIES")) {
    TRY(load.properties, properties());
  }
  TRY_VOID(in_.expect("FROM"));
  if (!in_.accept("KAFKA")) return fail(in_.error("expected KAFKA: the only source that routine loads have"));
  TRY(load.source, properties());
  if (!load.source.contains("kafka_topic")) return fail(in_.error("FROM KAFKA (..) needs \"kafka_topic\""));
  load.mysql_text = std::string(in_.source());
  return EngineStatement(std::move(load));
}

// A load lives in the database of its table: the one that either name says, else the current one.
Result<void> StatementParser::place(CreateRoutineLoad& load) {
  std::string& job = load.job.database;
  std::string& table = load.table.database;
  if (job.empty()) job = table;
  if (job.empty()) {
    TRY(job, current_database());
  }
  if (table.empty()) table = job;
  if (job == table) return {};
  return fail(Code::kInvalid, "routine load " + job + "." + load.job.name + " must be in the database of its table " +
                                  table + "." + load.table.name);
}

Result<void> StatementParser::load_clauses(CreateRoutineLoad& load) {
  do {
    if (in_.accept({"COLUMNS", "TERMINATED", "BY"})) {
      TRY(load.column_separator, in_.string("the column separator"));
    } else if (in_.accept({"ROWS", "TERMINATED", "BY"})) {
      TRY(load.row_delimiter, in_.string("the row delimiter"));
    } else if (in_.accept("COLUMNS")) {
      TRY_VOID(load_columns(load));
    } else if (in_.accept("WHERE")) {
      TRY(auto where, select_.expression());
      load.where = std::move(where.sql);
    } else if (in_.accept("PARTITION") || in_.accept("PARTITIONS")) {
      TRY(load.partitions, name_list());
    } else {
      break;
    }
  } while (in_.accept_op(","));
  return {};
}

Result<void> StatementParser::load_columns(CreateRoutineLoad& load) {
  TRY_VOID(in_.expect_op("("));
  do {
    RoutineLoadColumn column;
    TRY(column.name, in_.name("a column"));
    if (in_.accept_op("=")) {
      TRY(auto value, select_.expression());
      column.expression = std::move(value.sql);
    }
    load.columns.push_back(std::move(column));
  } while (in_.accept_op(","));
  return in_.expect_op(")");
}

Result<Action> StatementParser::control_routine_load(ControlRoutineLoad::Action action) {
  in_.accept("FOR");
  TRY(auto job, object_name("a job name"));
  return EngineStatement(ControlRoutineLoad{action, std::move(job)});
}

// After ALTER ROUTINE LOAD.
Result<Action> StatementParser::alter_routine_load() {
  AlterRoutineLoad alter;
  in_.accept("FOR");
  TRY(alter.job, object_name("a job name"));
  if (in_.accept("PROPERTIES")) {
    TRY(alter.properties, properties());
  }
  if (in_.accept("FROM")) {
    TRY_VOID(in_.expect("KAFKA"));
    TRY(alter.source, properties());
  }
  return EngineStatement(std::move(alter));
}

Result<Action> StatementParser::show_routine_load() {
  ShowRoutineLoad show;
  if (in_.accept("FOR")) {
    TRY(auto job, loose_name("a job name"));
    show.database = std::move(job.database);
    show.job = std::move(job.name);
  }
  if (in_.is("FROM") || in_.is("IN")) {
    TRY(show.database, from_database());
  }
  if (show.database.empty()) show.database = context_.database;  // none: the loads of all databases
  if (!show.job) {
    if (in_.accept("LIKE")) {
      TRY(show.like, in_.string("a pattern"));
    }
  }
  // WHERE, ORDER BY and LIMIT of the long form are not needed for lists this short.
  if (in_.is("WHERE") || in_.is("ORDER") || in_.is("LIMIT")) skip_rest();
  return EngineStatement(std::move(show));
}

}  // namespace millrace::sql::dialect
