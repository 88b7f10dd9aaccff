// The statements that change the catalogue, one function each, and SHOW ROUTINE LOAD.
#include <fmt/format.h>

#include <algorithm>

#include "sql/ingest/keeper.h"

namespace millrace::sql::ingest {
namespace {

TableName name_of(const dialect::ObjectName& name) { return {name.database, name.name}; }

std::unexpected<Error> no_table(const TableName& name) {
  return fail(Code::kNotFound, fmt::format("Table '{}' doesn't exist", name.to_string()));
}
std::unexpected<Error> has_table(const TableName& name) {
  return fail(Code::kExists, fmt::format("Table '{}' already exists", name.to_string()));
}
std::unexpected<Error> no_load(const dialect::ObjectName& job) {
  return fail(Code::kNotFound,
              fmt::format("There is no routine load {}{}{}", job.database, job.database.empty() ? "" : ".", job.name));
}

// LIKE with % and _.
bool like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '%') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (like(text.substr(i), pattern.substr(1))) return true;
    }
    return false;
  }
  return !text.empty() && (pattern.front() == '_' || pattern.front() == text.front()) &&
         like(text.substr(1), pattern.substr(1));
}

Result<Column> column_of(const dialect::ColumnDefinition& definition) {
  Column column;
  column.name = definition.name;
  auto type = TypeSpec::parse(definition.duckdb_type);
  if (!type) return fail(std::move(type).error().with("column " + definition.name));
  column.type = *type;
  column.not_null = definition.not_null;
  column.default_sql = definition.default_sql;
  return column;
}

}  // namespace

Task<Result<std::unique_ptr<ResultSet>>> Keeper::run(dialect::EngineStatement statement) {
  if (scope_.stopping().is_set()) co_return fail(Code::kUnavailable, "the server is stopping");
  co_await lock();
  auto visit = [this](auto& each) { return run_one(std::move(each)); };
  auto task = std::visit(visit, statement);
  auto answer = co_await std::move(task);
  unlock();
  co_return answer;
}

Task<Keeper::Answer> Keeper::run_one(dialect::CreateDatabase statement) {
  if (catalog_.databases.contains(statement.name)) {
    if (statement.if_not_exists) co_return make_done_result(0);
    co_return fail(Code::kExists, fmt::format("Can't create database '{}'; database exists", statement.name));
  }
  auto job = [this, &statement] { return store_->create_database(statement.name); };
  CO_TRY_VOID(co_await in_store(job));
  CO_TRY_VOID(co_await commit_one(database_record(statement.name, next_version())));
  co_return make_done_result(1);
}

Task<Keeper::Answer> Keeper::run_one(dialect::DropDatabase statement) {
  if (!catalog_.databases.contains(statement.name)) {
    if (statement.if_exists) co_return make_done_result(0);
    co_return fail(Code::kNotFound, fmt::format("Can't drop database '{}'; database doesn't exist", statement.name));
  }
  std::vector<TableName> tables, views;
  for (const auto& [name, entry] : catalog_.tables) {
    if (name.database == statement.name) tables.push_back(name);
  }
  for (const auto& [name, entry] : catalog_.views) {
    if (name.database == statement.name) views.push_back(name);
  }
  for (const auto& view : views) {
    auto job = [this, &view] { return store_->drop_view(view); };
    CO_TRY_VOID(co_await in_store(job));
    CO_TRY_VOID(co_await commit_one(dropped_view(view)));
  }
  for (const auto& table : tables) CO_TRY_VOID(co_await drop_table(table));
  auto job = [this, &statement] { return store_->drop_database(statement.name); };
  CO_TRY_VOID(co_await in_store(job));
  CO_TRY_VOID(co_await commit_one(dropped_database(statement.name)));
  co_return make_done_result(tables.size() + views.size());
}

Result<TableEntry> Keeper::table_entry(const dialect::CreateTable& statement) {
  TableEntry entry;
  entry.schema.table = name_of(statement.table);
  entry.comment = statement.comment;
  entry.mysql_text = statement.mysql_text;
  for (const auto& definition : statement.columns) {
    TRY(auto column, column_of(definition));
    entry.schema.columns.push_back(std::move(column));
    entry.mysql_types.push_back(definition.mysql_type);
    entry.comments.push_back(definition.comment);
  }
  if (statement.as_select && statement.columns.empty()) {
    TRY(const auto columns, store_->writer().describe(*statement.as_select));
    for (const auto& info : columns)
      entry.schema.columns.push_back({info.name, {info.type, info.precision, info.scale}});
  }
  if (entry.schema.columns.empty()) return fail(Code::kInvalid, "A table must have at least 1 column");
  for (const auto& name : statement.primary_key) {
    const auto column = entry.schema.find(name);
    if (!column) return fail(Code::kInvalid, fmt::format("Key column '{}' doesn't exist in table", name));
    entry.schema.key.push_back(*column);
    entry.schema.columns[*column].not_null = true;
  }
  return entry;
}

Task<Keeper::Answer> Keeper::run_one(dialect::CreateTable statement) {
  const TableName name = name_of(statement.table);
  if (catalog_.tables.contains(name) || catalog_.views.contains(name)) {
    if (statement.if_not_exists) co_return make_done_result(0);
    co_return has_table(name);
  }
  if (!catalog_.databases.contains(name.database)) {
    co_return fail(Code::kNotFound, fmt::format("Unknown database '{}'", name.database));
  }
  std::optional<TableEntry> entry;
  auto job = [this, &statement, &entry]() -> Result<void> {
    TRY(entry, table_entry(statement));
    return {};
  };
  CO_TRY_VOID(co_await in_store(job));
  CO_TRY_VOID(co_await make_table(std::move(*entry), statement.as_select));
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::DropTable statement) {
  for (const auto& table : statement.tables) {
    const TableName name = name_of(table);
    if (!catalog_.tables.contains(name)) {
      if (statement.if_exists) continue;
      co_return fail(Code::kNotFound, fmt::format("Unknown table '{}'", name.to_string()));
    }
    CO_TRY_VOID(co_await drop_table(name));
  }
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::TruncateTable statement) {
  const TableName name = name_of(statement.table);
  if (!catalog_.tables.contains(name)) co_return no_table(name);
  if (is_loaded(name)) {
    co_return fail(Code::kDenied, fmt::format("table {} is filled by a routine load: stop it first", name.to_string()));
  }
  auto job = [this, &name] { return store_->truncate_table(name); };
  CO_TRY_VOID(co_await in_store(job));
  co_return make_done_result(0);
}

Result<void> Keeper::alter_entry(const dialect::AlterTable& statement, TableEntry& entry,
                                 std::vector<std::string>& sql) {
  using Alter = dialect::AlterTable;
  for (const auto& action : statement.actions) {
    TableSchema& schema = entry.schema;
    const std::string table = quote_table(schema.table);
    if (const auto* add = std::get_if<Alter::AddColumn>(&action)) {
      if (schema.find(add->column.name))
        return fail(Code::kExists, fmt::format("Duplicate column name '{}'", add->column.name));
      TRY(auto column, column_of(add->column));
      sql.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {} {}{}", table, quote_name(column.name),
                                column.type.to_sql(),
                                column.default_sql ? " DEFAULT (" + *column.default_sql + ")" : ""));
      column.not_null = false;  // rows that are there have no value for it
      schema.columns.push_back(std::move(column));
      entry.mysql_types.resize(schema.columns.size());
      entry.comments.resize(schema.columns.size());
      entry.mysql_types.back() = add->column.mysql_type;
      entry.comments.back() = add->column.comment;
    } else if (const auto* drop = std::get_if<Alter::DropColumn>(&action)) {
      const auto at = schema.find(drop->column);
      if (!at) return fail(Code::kNotFound, fmt::format("Can't DROP '{}'; check that column exists", drop->column));
      if (std::ranges::find(schema.key, *at) != schema.key.end()) {
        return fail(Code::kUnsupported, fmt::format("column '{}' is part of the primary key", drop->column));
      }
      sql.push_back(fmt::format("ALTER TABLE {} DROP COLUMN {}", table, quote_name(drop->column)));
      const auto offset = static_cast<std::ptrdiff_t>(*at);
      schema.columns.erase(schema.columns.begin() + offset);
      if (*at < entry.mysql_types.size()) entry.mysql_types.erase(entry.mysql_types.begin() + offset);
      if (*at < entry.comments.size()) entry.comments.erase(entry.comments.begin() + offset);
      for (auto& key : schema.key) key -= key > *at ? 1 : 0;
    } else if (const auto* rename = std::get_if<Alter::RenameColumn>(&action)) {
      const auto at = schema.find(rename->from);
      if (!at) return fail(Code::kNotFound, fmt::format("Unknown column '{}'", rename->from));
      if (schema.find(rename->to)) return fail(Code::kExists, fmt::format("Duplicate column name '{}'", rename->to));
      sql.push_back(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table, quote_name(rename->from),
                                quote_name(rename->to)));
      schema.columns[*at].name = rename->to;
    } else if (const auto* move = std::get_if<Alter::RenameTable>(&action)) {
      const TableName to = name_of(move->to);
      if (to.database != schema.table.database)
        return fail(Code::kUnsupported, "a table cannot move to another database");
      if (catalog_.tables.contains(to) || catalog_.views.contains(to)) return has_table(to);
      sql.push_back(fmt::format("ALTER TABLE {} RENAME TO {}", table, quote_name(to.name)));
      schema.table = to;
    }
  }
  // SHOW CREATE TABLE is then made from the columns.
  entry.mysql_text.clear();
  return {};
}

Task<Keeper::Answer> Keeper::run_one(dialect::AlterTable statement) {
  const TableName name = name_of(statement.table);
  const auto found = catalog_.tables.find(name);
  if (found == catalog_.tables.end()) co_return no_table(name);
  TableEntry entry = found->second;
  std::vector<std::string> sql;
  CO_TRY_VOID(alter_entry(statement, entry, sql));
  CO_TRY_VOID(co_await change_table(name, std::move(entry), std::move(sql)));
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::CreateView statement) {
  ViewEntry view{next_version(),          name_of(statement.view), statement.columns,
                 statement.duckdb_select, statement.mysql_select,  statement.comment};
  const bool exists = catalog_.views.contains(view.view);
  if (catalog_.tables.contains(view.view)) co_return has_table(view.view);
  if (exists && statement.if_not_exists) co_return make_done_result(0);
  if (exists && !statement.or_replace) co_return has_table(view.view);
  if (!catalog_.databases.contains(view.view.database)) {
    co_return fail(Code::kNotFound, fmt::format("Unknown database '{}'", view.view.database));
  }
  auto job = [this, &view] { return store_->create_view(view); };
  CO_TRY_VOID(co_await in_store(job));
  CO_TRY_VOID(co_await commit_one(record_of(view)));
  if (exists) {
    // Views above it may see other columns now.
    auto refresh = [this]() -> Result<void> {
      store_->refresh_views(catalog_);
      return {};
    };
    CO_TRY_VOID(co_await in_store(refresh));
  }
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::DropView statement) {
  for (const auto& view : statement.views) {
    const TableName name = name_of(view);
    if (!catalog_.views.contains(name)) {
      if (statement.if_exists) continue;
      co_return fail(Code::kNotFound, fmt::format("Unknown table '{}'", name.to_string()));
    }
    auto job = [this, &name] { return store_->drop_view(name); };
    CO_TRY_VOID(co_await in_store(job));
    CO_TRY_VOID(co_await commit_one(dropped_view(name)));
  }
  co_return make_done_result(0);
}

const LoadEntry* Keeper::find_load(const dialect::ObjectName& job) const {
  const auto found = catalog_.loads.find(name_of(job));
  return found == catalog_.loads.end() ? nullptr : &found->second;
}

Task<Keeper::Answer> Keeper::run_one(dialect::CreateRoutineLoad statement) {
  const TableName name = name_of(statement.table);
  const TableEntry* table = find_table(name);
  if (!table) co_return no_table(name);
  if (find_load(statement.job)) {
    co_return fail(Code::kExists,
                   fmt::format("Name {} already used in db {}", statement.job.name, statement.job.database));
  }
  if (const LoadEntry* other = catalog_.load_of_table(name)) {
    co_return fail(Code::kExists, fmt::format("table {} is filled by routine load {} already: stop that one first",
                                              name.to_string(), other->job.to_string()));
  }
  CO_TRY(LoadEntry entry, load_from_statement(statement, table->schema));
  CO_TRY(const auto log, logs_.open(entry.brokers));
  if (entry.start_at == StartAt::kEnd) {
    // Fixed now, so that a table built anew starts at the same place.
    auto partitions = co_await log->partition_count(entry.topic);
    if (!partitions && partitions.error().code() != Code::kNotFound) co_return fail(std::move(partitions).error());
    for (std::int32_t index = 0; partitions && index < *partitions; ++index) {
      const client::TopicPartition partition{entry.topic, index};
      CO_TRY(entry.start_offsets[index], co_await log->offset_of(partition, client::OffsetSpec::kLatest));
    }
  }
  CO_TRY_VOID(co_await make_load(std::move(entry)));
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::AlterRoutineLoad statement) {
  const LoadEntry* found = find_load(statement.job);
  if (!found) co_return no_load(statement.job);
  LoadEntry entry = *found;
  CO_TRY_VOID(alter_load(entry, statement));
  CO_TRY_VOID(co_await replace_load(std::move(entry)));
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::ControlRoutineLoad statement) {
  using Action = dialect::ControlRoutineLoad::Action;
  const LoadEntry* found = find_load(statement.job);
  if (!found) co_return no_load(statement.job);
  if (statement.action == Action::kStop) {
    CO_TRY_VOID(co_await stop_load(name_of(statement.job)));
    co_return make_done_result(0);
  }
  LoadEntry entry = *found;
  entry.paused = statement.action == Action::kPause;
  entry.pause_reason = entry.paused ? "paused by PAUSE ROUTINE LOAD" : "";
  CO_TRY_VOID(co_await replace_load(std::move(entry)));
  co_return make_done_result(0);
}

Task<Keeper::Answer> Keeper::run_one(dialect::ShowRoutineLoad statement) {
  std::vector<TextRow> rows;
  for (const auto& status : pump_->loads()) {
    if (!statement.database.empty() && status.database != statement.database) continue;
    if (statement.job && status.job != *statement.job) continue;
    if (statement.like && !like(status.job, *statement.like)) continue;
    const LoadEntry* entry = find_load({status.database, status.job});
    if (entry) rows.push_back(show_load_row(*entry, status));
  }
  if (statement.job && rows.empty()) co_return no_load({statement.database, *statement.job});
  co_return make_text_result(show_load_columns(), std::move(rows));
}

Task<Keeper::Answer> Keeper::run_one(dialect::ShowCreateRoutineLoad statement) {
  const LoadEntry* entry = find_load(statement.job);
  if (!entry) co_return no_load(statement.job);
  std::string text = entry->mysql_text;
  if (text.empty()) {
    text = fmt::format(
        "CREATE ROUTINE LOAD {} ON {} PROPERTIES (\"format\" = \"json\", \"envelope\" = \"{}\", "
        "\"max_error_number\" = \"{}\") FROM KAFKA (\"kafka_topic\" = \"{}\")",
        entry->job.to_string(), entry->table.name, entry->envelope == Envelope::kPlain ? "plain" : "debezium",
        entry->max_error_number, entry->topic);
  }
  std::vector<TextRow> rows;
  rows.push_back({{entry->job.name, std::move(text)}, {}});
  co_return make_text_result({"Job", "Create Job"}, std::move(rows));
}

// Sessions run these themselves.
Task<Keeper::Answer> Keeper::run_one(dialect::ModifyRows) {
  co_return fail(Code::kInternal, "not a statement of the catalogue");
}
Task<Keeper::Answer> Keeper::run_one(dialect::Transaction) {
  co_return fail(Code::kInternal, "not a statement of the catalogue");
}

}  // namespace millrace::sql::ingest
