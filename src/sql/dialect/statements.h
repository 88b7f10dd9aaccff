// Statements that are not SELECTs, parsed: what sql/dialect/parser.h makes and the engine runs.
//
// Grammar: MySQL 8.0 and, for tables and routine loads, StarRocks 3.5. Names come unquoted, `database`
// is always filled in (from the session's default when the statement named none; ShowRoutineLoad aside), types are
// DuckDB's. Expressions and queries inside are already translated to DuckDB SQL. Plain values, no behaviour.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace millrace::sql::dialect {

struct ObjectName {
  std::string database;
  std::string name;
  bool operator==(const ObjectName&) const = default;
};

// Keys in lower case.
using Properties = std::map<std::string, std::string>;

struct CreateDatabase {
  std::string name;
  bool if_not_exists = false;
};
struct DropDatabase {
  std::string name;
  bool if_exists = false;
};

struct ColumnDefinition {
  std::string name;
  std::string duckdb_type;  // "BIGINT", "DECIMAL(10,2)", "VARCHAR", "TIMESTAMP", ...
  std::string mysql_type;   // as written, for SHOW CREATE TABLE: "int(11) unsigned"
  bool not_null = false;
  std::optional<std::string> default_sql;  // a DuckDB expression
  std::string comment;
};

enum class TableKind { kPrimaryKey, kDuplicateKey };

struct CreateTable {
  ObjectName table;
  bool if_not_exists = false;
  TableKind kind = TableKind::kDuplicateKey;  // kDuplicateKey: an append table
  std::vector<ColumnDefinition> columns;
  std::vector<std::string> primary_key;
  std::vector<std::string> order_by;  // ORDER BY(..) or the DUPLICATE KEY columns
  std::string partition_by;           // as written, not used yet
  Properties properties;
  std::string comment;
  std::optional<std::string> as_select;  // DuckDB SQL of CREATE TABLE .. AS SELECT; columns may be empty
  std::string mysql_text;                // the whole statement as the user wrote it
};
struct DropTable {
  std::vector<ObjectName> tables;
  bool if_exists = false;
};
struct TruncateTable {
  ObjectName table;
};
struct AlterTable {
  struct AddColumn {
    ColumnDefinition column;
  };
  struct DropColumn {
    std::string column;
  };
  struct RenameColumn {
    std::string from, to;
  };
  struct RenameTable {
    ObjectName to;
  };
  ObjectName table;
  std::vector<std::variant<AddColumn, DropColumn, RenameColumn, RenameTable>> actions;
};

struct CreateView {
  ObjectName view;
  bool or_replace = false;
  bool if_not_exists = false;
  std::vector<std::string> columns;  // empty: those of the query
  std::string duckdb_select;         // unqualified tables in it mean `view.database`
  std::string mysql_select;          // as written, for SHOW CREATE VIEW
  std::string comment;
};
struct DropView {
  std::vector<ObjectName> views;
  bool if_exists = false;
};

// INSERT, REPLACE, UPDATE, DELETE. The engine refuses those on tables that a routine load fills.
struct ModifyRows {
  enum class Kind { kInsert, kReplace, kInsertIgnore, kUpdate, kDelete };
  Kind kind = Kind::kInsert;
  ObjectName table;
  std::vector<std::string> columns;  // inserts: the target columns, empty = all in order
  std::string source;                // inserts: "VALUES (..), (..)" or a SELECT, in DuckDB SQL
  std::string duckdb_sql;            // the whole statement for a table without a primary key
};

struct Transaction {
  enum class Kind { kBegin, kCommit, kRollback };
  Kind kind = Kind::kBegin;
};

// CREATE ROUTINE LOAD [db.]job ON table [load clauses] [PROPERTIES (..)] FROM KAFKA (..)
struct RoutineLoadColumn {
  std::string name;
  std::optional<std::string> expression;  // DuckDB SQL of "b = expr"
};
struct CreateRoutineLoad {
  ObjectName job;
  ObjectName table;
  std::vector<RoutineLoadColumn> columns;  // COLUMNS (a, tmp, b = expr); empty = by name
  std::optional<std::string> where;        // DuckDB SQL
  std::vector<std::string> partitions;
  std::optional<std::string> column_separator, row_delimiter;
  Properties properties;  // format, envelope, max_error_number, max_filter_ratio, max_batch_interval, ...
  Properties source;      // FROM KAFKA: kafka_broker_list, kafka_topic, kafka_offsets, property.*
  std::string mysql_text;
};
struct AlterRoutineLoad {
  ObjectName job;
  Properties properties;
  Properties source;
};
struct ControlRoutineLoad {
  enum class Action { kPause, kResume, kStop };
  Action action = Action::kPause;
  ObjectName job;
};
struct ShowRoutineLoad {
  std::string database;             // empty: all
  std::optional<std::string> job;   // SHOW ROUTINE LOAD FOR job
  std::optional<std::string> like;  // .. LIKE 'pattern'
  bool all = false;                 // SHOW ALL ROUTINE LOAD: stopped ones too
};
struct ShowCreateRoutineLoad {
  ObjectName job;
};

using EngineStatement = std::variant<CreateDatabase, DropDatabase, CreateTable, DropTable, TruncateTable, AlterTable,
                                     CreateView, DropView, ModifyRows, Transaction, CreateRoutineLoad, AlterRoutineLoad,
                                     ControlRoutineLoad, ShowRoutineLoad, ShowCreateRoutineLoad>;

}  // namespace millrace::sql::dialect
