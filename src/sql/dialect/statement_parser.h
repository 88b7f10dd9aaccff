// One statement by recursive descent: which kind it is, and its parts. See translate.h for what comes out.
#pragma once

#include <string>
#include <vector>

#include "sql/dialect/cursor.h"
#include "sql/dialect/select.h"
#include "sql/dialect/translate.h"

namespace millrace::sql::dialect {

class StatementParser {
 public:
  // `source` and `context` outlive the parser.
  StatementParser(std::string_view source, std::vector<Token> tokens, const Context& context)
      : in_(source, std::move(tokens)), context_(context), select_(in_, context) {}

  // The whole statement; trailing text is an error.
  Result<Action> statement();

 private:
  // translate.cc
  Result<Action> dispatch();
  Result<Action> select();
  Result<Action> explain();
  Result<Action> session_statement(bool& done);
  Result<Action> begin_or_end(bool& done);
  Result<Action> kill();
  Result<Action> prepared_text(bool& done);
  Result<Action> ignored(bool& done);
  Result<std::string> current_database();
  Result<ObjectName> object_name(std::string_view what);
  // The same, and the database stays empty where none was written.
  Result<ObjectName> loose_name(std::string_view what);
  bool if_not_exists();
  bool if_exists();
  // Everything up to the end; for clauses that have no effect.
  void skip_rest();

  // set.cc
  Result<Action> set();
  Result<void> set_one(SetVariables& out);
  Result<void> set_value(SetVariables::Assignment& assignment);

  // show.cc
  Result<Action> show();
  Result<Action> show_routine_load();
  Result<Action> show_simple(std::string duckdb_select, std::string_view like_column);
  Result<Action> show_tables(bool full);
  Result<Action> show_columns(bool full);
  Result<Action> show_index();
  Result<Action> show_create();
  Result<Action> show_variables();
  Result<Action> show_processlist(bool full);
  Result<Action> show_warnings(bool errors_only);
  Result<Action> describe();
  Result<Action> columns_of(const ObjectName& table, bool full, std::string filter);
  Result<std::string> from_database();

  // ddl.cc
  Result<Action> create();
  Result<Action> create_table();
  Result<Action> create_view(bool or_replace);
  Result<Action> drop();
  Result<Action> alter();
  Result<void> alter_action(AlterTable& alter);
  Result<void> table_element(CreateTable& table);
  Result<ColumnDefinition> column_definition(std::vector<std::string>& primary_key);
  Result<void> table_clauses(CreateTable& table);
  Result<std::vector<std::string>> name_list();
  Result<std::string> parenthesized_text();
  Result<Properties> properties();

  // routine_load.cc
  Result<Action> create_routine_load();
  Result<Action> control_routine_load(ControlRoutineLoad::Action action);
  Result<Action> alter_routine_load();
  Result<void> place(CreateRoutineLoad& load);
  Result<void> load_clauses(CreateRoutineLoad& load);
  Result<void> load_columns(CreateRoutineLoad& load);

  // dml.cc
  Result<Action> insert();
  Result<Action> update();
  Result<Action> delete_();

  Cursor in_;
  const Context& context_;
  SelectTranslator select_;
};

}  // namespace millrace::sql::dialect
