#include "sql/ingest/store.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/log.h"
#include "sql/dialect/startup.h"

namespace millrace::sql::ingest {
namespace {

std::string name_condition(const TableName& name, std::string_view schema_column, std::string_view name_column) {
  return fmt::format("{} = {} AND {} = {}", schema_column, quote_text(name.database), name_column,
                     quote_text(name.name));
}

void forget_object(std::vector<std::string>& out, std::string_view kind, const TableName& name) {
  out.push_back(fmt::format("DELETE FROM __millrace.objects WHERE kind = '{}' AND {}", kind,
                            name_condition(name, "object_schema", "object_name")));
  out.push_back(fmt::format("DELETE FROM __millrace.definitions WHERE kind = '{}' AND {}", kind,
                            name_condition(name, "object_schema", "object_name")));
  if (kind == "table") {
    out.push_back("DELETE FROM __millrace.primary_keys WHERE " + name_condition(name, "table_schema", "table_name"));
  }
}

void note_object(std::vector<std::string>& out, std::string_view kind, const TableName& name, std::uint64_t version,
                 const std::string& mysql_text, const std::string& comment) {
  forget_object(out, kind, name);
  out.push_back(fmt::format("INSERT INTO __millrace.objects VALUES ('{}', {}, {}, {})", kind, quote_text(name.database),
                            quote_text(name.name), version));
  out.push_back(fmt::format("INSERT INTO __millrace.definitions VALUES ({}, {}, '{}', {}, {})",
                            quote_text(name.database), quote_text(name.name), kind, quote_text(mysql_text),
                            quote_text(comment)));
}

void note_table(std::vector<std::string>& out, const TableEntry& entry) {
  const TableName& table = entry.schema.table;
  note_object(out, "table", table, entry.version, entry.mysql_text, entry.comment);
  int ordinal = 0;
  for (std::size_t i : entry.schema.key) {
    out.push_back(fmt::format("INSERT INTO __millrace.primary_keys VALUES ({}, {}, {}, {})", quote_text(table.database),
                              quote_text(table.name), quote_text(entry.schema.columns[i].name), ++ordinal));
  }
  for (std::size_t i = 0; i < entry.comments.size() && i < entry.schema.columns.size(); ++i) {
    if (entry.comments[i].empty()) continue;
    out.push_back(fmt::format("COMMENT ON COLUMN {}.{} IS {}", quote_table(table),
                              quote_name(entry.schema.columns[i].name), quote_text(entry.comments[i])));
  }
}

std::string create_table_sql(const TableEntry& entry) {
  std::string columns;
  for (const Column& column : entry.schema.columns) {
    columns += fmt::format("{}{} {}{}{}", columns.empty() ? "" : ", ", quote_name(column.name), column.type.to_sql(),
                           column.not_null ? " NOT NULL" : "",
                           column.default_sql ? " DEFAULT (" + *column.default_sql + ")" : "");
  }
  return fmt::format("CREATE TABLE {} ({})", quote_table(entry.schema.table), columns);
}

std::string create_view_sql(const ViewEntry& entry) {
  std::string columns;
  for (const auto& column : entry.columns) columns += (columns.empty() ? "(" : ", ") + quote_name(column);
  if (!columns.empty()) columns += ")";
  return fmt::format("CREATE OR REPLACE VIEW {}{} AS {}", quote_table(entry.view), columns, entry.duckdb_select);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(engine::DatabaseOptions options) {
  std::unique_ptr<Store> store(new Store());
  store->options_ = options;
  const auto attempt = [&]() -> Result<void> {
    TRY(store->database_, engine::Database::open(options));
    TRY(store->writer_, store->connect());
    store->applier_ = std::make_unique<Applier>(*store->writer_);
    return store->set_up();
  };
  auto opened = attempt();
  if (opened) return store;
  if (options.path.empty() || opened.error().code() == Code::kExists) return fail(std::move(opened).error());
  // A cache: what it held comes again from the log. The old file stays for whoever wants to look at it.
  LOG_WARN("sql.cache_set_aside", {"path", options.path}, {"reason", opened.error().message()});
  store->applier_.reset();
  store->writer_.reset();
  store->database_.reset();
  std::error_code error;
  std::filesystem::rename(options.path, options.path + ".broken", error);
  std::filesystem::remove(options.path + ".wal", error);
  if (std::filesystem::exists(options.path)) {
    return fail(Code::kUnavailable, fmt::format("the SQL cache {} is broken and cannot be moved away", options.path));
  }
  TRY_VOID(attempt());
  return store;
}

Result<std::unique_ptr<engine::Connection>> Store::connect() {
  TRY(auto connection, database_->connect());
  for (const auto& setting : dialect::connection_settings()) TRY_VOID(connection->execute(setting));
  return connection;
}

Result<void> Store::set_up() {
  TRY_VOID(applier_->prepare());
  TRY_VOID(
      writer_->execute("CREATE TABLE IF NOT EXISTS __millrace.objects(kind VARCHAR, object_schema VARCHAR, "
                       "object_name VARCHAR, version UBIGINT)"));
  TRY_VOID(writer_->execute("CREATE TABLE IF NOT EXISTS __millrace.cache(cluster VARCHAR)"));
  for (const auto& statement : dialect::startup_macros()) {
    if (auto done = writer_->execute(statement); !done) {
      return fail(std::move(done).error().with(fmt::format("start-up statement {:.60}", statement)));
    }
  }
  // The columns of show_load_columns(), under StarRocks' names for them.
  TRY_VOID(writer_->execute("CREATE SCHEMA IF NOT EXISTS __information_schema"));
  return writer_->execute(
      "CREATE OR REPLACE TABLE __information_schema.routine_load_jobs(id VARCHAR, name VARCHAR, create_time VARCHAR, "
      "pause_time VARCHAR, end_time VARCHAR, db_name VARCHAR, table_name VARCHAR, state VARCHAR, "
      "data_source_type VARCHAR, current_task_num VARCHAR, job_properties VARCHAR, data_source_properties VARCHAR, "
      "custom_properties VARCHAR, statistics VARCHAR, progress VARCHAR, reasons_of_state_changed VARCHAR, "
      "error_log_urls VARCHAR, other_msg VARCHAR, lag VARCHAR, latest_error VARCHAR)");
}

Result<void> Store::write_jobs(const std::vector<TextRow>& rows) {
  std::vector<std::string> statements{"DELETE FROM __information_schema.routine_load_jobs"};
  for (const TextRow& row : rows) {
    std::string values;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const bool is_null = i < row.nulls.size() && row.nulls[i];
      values += (i ? ", " : "") + (is_null ? std::string("NULL") : quote_text(row.cells[i]));
    }
    statements.push_back("INSERT INTO __information_schema.routine_load_jobs VALUES (" + values + ")");
  }
  return in_transaction(statements);
}

Result<void> Store::in_transaction(const std::vector<std::string>& statements) {
  TRY_VOID(writer_->execute("BEGIN TRANSACTION"));
  for (const auto& statement : statements) {
    if (auto done = writer_->execute(statement); !done) {
      (void)writer_->execute("ROLLBACK");
      return fail(std::move(done).error());
    }
  }
  auto committed = writer_->execute("COMMIT");
  if (!committed) (void)writer_->execute("ROLLBACK");
  return committed;
}

Result<void> Store::wipe() {
  TRY(const auto objects, engine::query_text(*writer_,
                                             "SELECT kind, object_schema, object_name FROM __millrace.objects "
                                             "ORDER BY kind DESC"));
  for (const auto& row : objects) {
    const TableName name{row[1].value_or(""), row[2].value_or("")};
    TRY_VOID(row[0] == "view" ? drop_view(name) : drop_table(name));
  }
  TRY_VOID(writer_->execute("DELETE FROM __millrace.load_offsets"));
  return writer_->execute("DELETE FROM __millrace.cache");
}

Result<void> Store::reconcile(const Catalog& catalog) {
  TRY(const auto cached, engine::query_text(*writer_, "SELECT cluster FROM __millrace.cache"));
  if (cached.size() != 1 || cached[0][0] != catalog.cluster) {
    if (!cached.empty()) LOG_WARN("sql.cache_of_another_log", {"path", options_.path});
    TRY_VOID(wipe());
    TRY_VOID(writer_->execute("INSERT INTO __millrace.cache VALUES (" + quote_text(catalog.cluster) + ")"));
  }
  for (const auto& name : catalog.databases) TRY_VOID(create_database(name));
  TRY_VOID(reconcile_tables(catalog));
  // Offsets of loads that are gone.
  TRY(const auto loads, engine::query_text(*writer_, "SELECT DISTINCT load FROM __millrace.load_offsets"));
  std::set<std::string> known;
  for (const auto& [job, load] : catalog.loads) known.insert(load.id());
  for (const auto& row : loads) {
    if (!known.contains(row[0].value_or(""))) TRY_VOID(applier_->forget(row[0].value_or("")));
  }
  refresh_views(catalog);
  return {};
}

Result<void> Store::reconcile_tables(const Catalog& catalog) {
  TRY(const auto objects, engine::query_text(*writer_,
                                             "SELECT kind, object_schema, object_name, version FROM "
                                             "__millrace.objects ORDER BY kind DESC"));
  std::set<TableName> present;
  for (const auto& row : objects) {
    const TableName name{row[1].value_or(""), row[2].value_or("")};
    const bool is_view = row[0] == "view";
    if (is_view) {
      if (!catalog.views.contains(name)) TRY_VOID(drop_view(name));
      continue;
    }
    const auto entry = catalog.tables.find(name);
    if (entry != catalog.tables.end() && std::to_string(entry->second.version) == row[3]) {
      present.insert(name);
    } else {
      TRY_VOID(drop_table(name));
    }
  }
  for (const auto& [name, entry] : catalog.tables) {
    if (present.contains(name)) continue;
    TRY_VOID(create_table(entry));
    for (const auto& [job, load] : catalog.loads) {
      if (load.table == name) TRY_VOID(applier_->forget(load.id()));
    }
  }
  return {};
}

Result<void> Store::create_database(const std::string& name) {
  return writer_->execute("CREATE SCHEMA IF NOT EXISTS " + quote_name(name));
}

Result<void> Store::drop_database(const std::string& name) {
  return writer_->execute("DROP SCHEMA IF EXISTS " + quote_name(name) + " CASCADE");
}

Result<void> Store::create_table(const TableEntry& entry, const std::optional<std::string>& as_select) {
  std::vector<std::string> statements{"CREATE SCHEMA IF NOT EXISTS " + quote_name(entry.schema.table.database),
                                      create_table_sql(entry)};
  if (as_select) statements.push_back(fmt::format("INSERT INTO {} {}", quote_table(entry.schema.table), *as_select));
  note_table(statements, entry);
  return in_transaction(statements);
}

Result<void> Store::drop_table(const TableName& table) {
  std::vector<std::string> statements{"DROP TABLE IF EXISTS " + quote_table(table)};
  forget_object(statements, "table", table);
  return in_transaction(statements);
}

Result<void> Store::truncate_table(const TableName& table) {
  return writer_->execute("DELETE FROM " + quote_table(table));
}

Result<void> Store::alter_table(const TableName& old_name, const TableEntry& entry,
                                const std::vector<std::string>& statements) {
  std::vector<std::string> all = statements;
  forget_object(all, "table", old_name);
  note_table(all, entry);
  return in_transaction(all);
}

Result<void> Store::create_view(const ViewEntry& entry) {
  // Names without a database mean the view's own.
  TRY_VOID(create_database(entry.view.database));
  TRY_VOID(writer_->execute("SET schema = " + quote_text(entry.view.database)));
  std::vector<std::string> statements{create_view_sql(entry)};
  note_object(statements, "view", entry.view, entry.version, entry.mysql_select, entry.comment);
  auto made = in_transaction(statements);
  (void)writer_->execute("SET schema = 'main'");
  for (const auto& setting : dialect::connection_settings()) TRY_VOID(writer_->execute(setting));
  return made;
}

Result<void> Store::drop_view(const TableName& view) {
  std::vector<std::string> statements{"DROP VIEW IF EXISTS " + quote_table(view)};
  forget_object(statements, "view", view);
  return in_transaction(statements);
}

void Store::refresh_views(const Catalog& catalog) {
  // A view may read another that comes later by name: rounds, until one makes no more progress.
  std::map<TableName, const ViewEntry*> open;
  for (const auto& [name, view] : catalog.views) open[name] = &view;
  for (bool progress = true; progress && !open.empty();) {
    progress = false;
    for (auto it = open.begin(); it != open.end();) {
      const bool made = create_view(*it->second).has_value();
      progress |= made;
      it = made ? open.erase(it) : std::next(it);
    }
  }
  for (const auto& [name, view] : open) {
    const auto error = create_view(*view);
    LOG_WARN("sql.view_does_not_bind", {"view", name.to_string()},
             {"reason", error ? std::string() : error.error().message()});
  }
}

}  // namespace millrace::sql::ingest
