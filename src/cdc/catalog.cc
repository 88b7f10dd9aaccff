#include "cdc/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace millrace::cdc {
namespace {

std::optional<std::vector<std::regex>> compile(const std::string& list) {
  if (list.empty()) return std::nullopt;
  std::vector<std::regex> out;
  std::size_t from = 0;
  // Commas inside {2,3} or [..] are rare enough: Debezium splits at every comma that has no backslash before it.
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size() && (list[i] != ',' || (i > 0 && list[i - 1] == '\\'))) continue;
    std::string part = list.substr(from, i - from);
    from = i + 1;
    part.erase(0, part.find_first_not_of(" \t\n"));
    part.erase(part.find_last_not_of(" \t\n") + 1);
    if (part.empty()) continue;
    out.emplace_back(part, std::regex::icase | std::regex::ECMAScript);
  }
  return out;
}

bool any_matches(const std::vector<std::regex>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return std::regex_match(text, p); });
}

std::string cell(const Row& row, std::size_t i) { return row[i].value_or(""); }
template <class T = std::uint32_t>
T number(const Row& row, std::size_t i) {
  T value{};
  const std::string text = cell(row, i);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr const char* kColumns =
    "SELECT c.oid, n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull OR t.typnotnull, "
    "CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "LEFT JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    "WHERE {} ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attnum";
constexpr const char* kKeys =
    "SELECT i.indrelid, i.indexrelid, i.indisprimary, a.attname, a.attnotnull "
    "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) "
    "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
    "WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts AND {} "
    "ORDER BY i.indrelid, i.indisprimary DESC, x.relname, k.place";

Result<std::vector<TableInfo>> read_where(PgConnection& sql, const std::string& where, const TableSelector* selector) {
  TRY(const auto columns, sql.query(fmt::format(fmt::runtime(kColumns), where)));
  std::vector<TableInfo> tables;
  std::set<std::uint32_t> unwanted;
  for (const auto& row : columns) {
    const auto oid = number(row, 0);
    if (unwanted.contains(oid)) continue;
    if (tables.empty() || tables.back().oid != oid) {
      if (selector != nullptr && !selector->wants(cell(row, 1), cell(row, 2))) {
        unwanted.insert(oid);
        continue;
      }
      tables.push_back(TableInfo{oid, cell(row, 1), cell(row, 2), {}, {}});
    }
    if (!row[3]) continue;  // a table without columns
    tables.back().columns.push_back(
        ColumnInfo{cell(row, 3), number(row, 4), number<std::int32_t>(row, 5), cell(row, 6) == "t", cell(row, 7)});
  }
  TRY(const auto keys, sql.query(fmt::format(fmt::runtime(kKeys), where)));
  struct Index {
    bool usable = true;
    std::vector<std::string> columns;
  };
  std::map<std::uint32_t, std::vector<std::pair<std::uint32_t, Index>>> indexes;
  for (const auto& row : keys) {
    auto& of_table = indexes[number(row, 0)];
    const auto index = number(row, 1);
    if (of_table.empty() || of_table.back().first != index) of_table.emplace_back(index, Index{});
    of_table.back().second.columns.push_back(cell(row, 3));
    if (cell(row, 4) != "t") of_table.back().second.usable = false;
  }
  for (auto& table : tables) {
    for (const auto& [oid, index] : indexes[table.oid]) {
      if (!index.usable) continue;
      table.key = index.columns;
      break;
    }
  }
  return tables;
}

std::string table_list(const PgConnection& sql, const std::vector<TableInfo>& tables) {
  std::string out;
  for (const auto& table : tables) {
    out += fmt::format("{}{}.{}", out.empty() ? "" : ", ", sql.quote(table.schema), sql.quote(table.name));
  }
  return out;
}

bool has_include_list(const ConnectorConfig& config) {
  return !config.schemas.include.empty() || !config.tables.include.empty();
}

std::string oid_list(const std::vector<TableInfo>& tables) {
  std::string out;
  for (const auto& table : tables) out += fmt::format("{}{}", out.empty() ? "" : ",", table.oid);
  return out;
}

Error may_not_publish(PgConnection& sql, const ConnectorConfig& config, const std::string& why,
                      const std::string& command) {
  return {Code::kDenied,
          fmt::format("publication {}: user \"{}\" {}: let the owner run: {}; and set publication.autocreate.mode to "
                      "disabled",
                      sql.quote(config.publication_name), config.user, why, command)};
}

Result<bool> is_superuser(PgConnection& sql) {
  TRY(const auto rows, sql.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
  return !rows.empty() && cell(rows[0], 0) == "t";
}

}  // namespace

TableSelector::TableSelector(const ConnectorConfig& config)
    : schema_include_(compile(config.schemas.include)),
      schema_exclude_(compile(config.schemas.exclude)),
      table_include_(compile(config.tables.include)),
      table_exclude_(compile(config.tables.exclude)) {}

bool TableSelector::wants(std::string_view schema, std::string_view table) const {
  if (schema.starts_with("pg_") || schema == "information_schema") return false;
  const std::string schema_text(schema);
  const std::string name = fmt::format("{}.{}", schema, table);
  if (schema_include_ && !any_matches(*schema_include_, schema_text)) return false;
  if (schema_exclude_ && any_matches(*schema_exclude_, schema_text)) return false;
  if (table_include_ && !any_matches(*table_include_, name)) return false;
  return !table_exclude_ || !any_matches(*table_exclude_, name);
}

Result<ServerFacts> identify_system(PgConnection& replication) {
  TRY(const auto rows, replication.query("IDENTIFY_SYSTEM"));
  if (rows.size() != 1 || rows[0].size() < 3) return fail(Code::kInternal, "IDENTIFY_SYSTEM answered nothing");
  ServerFacts facts;
  facts.system_id = cell(rows[0], 0);
  facts.timeline = number(rows[0], 1);
  TRY(facts.wal_end, parse_lsn(cell(rows[0], 2)));
  return facts;
}

Result<void> check_server(PgConnection& sql) {
  if (sql.server_version() < 100000) {
    return fail(Code::kUnsupported, "Postgres older than 10 has no pgoutput: upgrade the server");
  }
  TRY(const auto rows,
      sql.query("SELECT current_setting('wal_level'), current_setting('server_encoding'), "
                "(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user"));
  if (cell(rows[0], 0) != "logical") {
    return fail(Code::kInvalid,
                fmt::format("Postgres runs with wal_level = {}, and change capture needs logical: ALTER SYSTEM SET "
                            "wal_level = logical; then restart the server",
                            cell(rows[0], 0)));
  }
  if (cell(rows[0], 2) == "f") {
    return fail(Code::kDenied, fmt::format("user \"{0}\" may not replicate: ALTER ROLE {1} REPLICATION",
                                           cell(rows[0], 3), sql.quote(cell(rows[0], 3))));
  }
  return {};
}

Result<TypeRegistry> read_types(PgConnection& sql) {
  TRY(const auto rows,
      sql.query("SELECT oid, typname, typtype, CASE WHEN typlen = -1 AND typcategory = 'A' THEN typelem ELSE 0 END, "
                "typbasetype, typtypmod FROM pg_type"));
  TypeRegistry types;
  for (const auto& row : rows) {
    PgType type{number(row, 0), cell(row, 1), 'b', number(row, 3), number(row, 4), number<std::int32_t>(row, 5), {}};
    if (!cell(row, 2).empty()) type.kind = cell(row, 2)[0];
    types[type.oid] = std::move(type);
  }
  TRY(const auto labels, sql.query("SELECT enumtypid, enumlabel FROM pg_enum ORDER BY enumtypid, enumsortorder"));
  for (const auto& row : labels) types[number(row, 0)].labels.push_back(cell(row, 1));
  return types;
}

Result<std::vector<TableInfo>> read_tables(PgConnection& sql, const TableSelector& selector) {
  return read_where(sql, "c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'", &selector);
}

Result<std::optional<TableInfo>> read_table(PgConnection& sql, std::uint32_t oid) {
  TRY(auto tables, read_where(sql, fmt::format("c.oid = {}", oid), nullptr));
  if (tables.empty()) return std::nullopt;
  return std::move(tables.front());
}

Result<bool> publication_exists(PgConnection& sql, const std::string& name) {
  TRY(const auto rows, sql.query("SELECT 1 FROM pg_publication WHERE pubname = " + sql.literal(name)));
  return !rows.empty();
}

Result<std::string> publication_command(PgConnection& sql, const ConnectorConfig& config,
                                        const std::vector<TableInfo>& tables) {
  TRY(const auto found, sql.query("SELECT puballtables, pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE "
                                  "pubname = " +
                                  sql.literal(config.publication_name)));
  const std::string name = sql.quote(config.publication_name);
  const bool exists = !found.empty(), filtered = config.autocreate == AutocreateMode::kFiltered;
  if (exists && (!filtered || cell(found[0], 0) == "t")) return "";
  const std::string list = table_list(sql, tables);
  if (exists) {
    TRY(const auto rows, sql.query("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = " +
                                   sql.literal(config.publication_name)));
    std::set<std::pair<std::string, std::string>> have, want;
    for (const auto& row : rows) have.emplace(cell(row, 0), cell(row, 1));
    for (const auto& table : tables) want.emplace(table.schema, table.name);
    if (have == want || want.empty()) return "";
    std::string command = fmt::format("ALTER PUBLICATION {} SET TABLE {}", name, list);
    if (cell(found[0], 1) != "t") return fail(may_not_publish(sql, config, "does not own it", command));
    return command;
  }
  if (config.autocreate == AutocreateMode::kDisabled) {
    return fail(Code::kNotFound,
                fmt::format("publication {0} does not exist and publication.autocreate.mode is disabled: CREATE "
                            "PUBLICATION {0} FOR TABLE {1}",
                            name, tables.empty() ? ".." : list));
  }
  if (config.autocreate == AutocreateMode::kAllTables) {
    TRY(const bool superuser, is_superuser(sql));
    if (superuser) return fmt::format("CREATE PUBLICATION {} FOR ALL TABLES", name);
    return fail(
        Code::kDenied,
        fmt::format("publication {0} does not exist, and only a superuser may make one FOR ALL TABLES: let one run "
                    "CREATE PUBLICATION {0} FOR ALL TABLES, or set publication.autocreate.mode to filtered",
                    name));
  }
  if (filtered && tables.empty()) return fail(no_tables_error(config));
  TRY(const auto rights, sql.query("SELECT has_database_privilege(current_database(), 'CREATE')"));
  if (rights.empty() || cell(rights[0], 0) != "t") {
    return fail(
        Code::kDenied,
        fmt::format(
            "publication {} does not exist, and user \"{}\" may not make one: GRANT CREATE ON DATABASE {} TO {}", name,
            config.user, sql.quote(config.dbname), sql.quote(config.user)));
  }
  if (!filtered) return fmt::format("CREATE PUBLICATION {}", name);
  std::string command = fmt::format("CREATE PUBLICATION {} FOR TABLE {}", name, list);
  TRY(const auto foreign,
      sql.query(fmt::format("SELECT oid::regclass FROM pg_class WHERE oid IN ({}) AND NOT pg_has_role(relowner, "
                            "'USAGE') ORDER BY 1::text LIMIT 1",
                            oid_list(tables))));
  if (foreign.empty()) return command;
  return fail(may_not_publish(sql, config, "does not own table " + cell(foreign[0], 0), command));
}

Result<void> ensure_publication(PgConnection& sql, const ConnectorConfig& config,
                                const std::vector<TableInfo>& tables) {
  TRY(const auto command, publication_command(sql, config, tables));
  if (command.empty()) return {};
  if (auto done = sql.execute(command); !done) {
    if (done.error().code() != Code::kDenied) return fail(std::move(done).error());
    return fail(may_not_publish(sql, config, "may not do that (" + done.error().message() + ")", command));
  }
  return {};
}

Error no_tables_error(const ConnectorConfig& config) {
  return {Code::kNotFound,
          fmt::format("no table of database \"{}\" matches the include and exclude lists: correct table.include.list, "
                      "or create the tables first",
                      config.dbname)};
}

Result<void> check_tables(const ConnectorConfig& config, const std::vector<TableInfo>& tables) {
  if (tables.empty() && has_include_list(config)) return fail(no_tables_error(config));
  return {};
}

Result<void> check_readable(PgConnection& sql, const ConnectorConfig& config, const std::vector<TableInfo>& tables) {
  if (tables.empty() || config.snapshot_mode != SnapshotMode::kInitial) return {};
  TRY(const auto rows,
      sql.query(fmt::format(
          "SELECT c.oid::regclass, has_schema_privilege(n.oid, 'USAGE'), n.nspname FROM pg_class c "
          "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN ({}) AND NOT (has_schema_privilege(n.oid, "
          "'USAGE') AND (SELECT coalesce(bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')), true) "
          "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY 1::text",
          oid_list(tables))));
  if (rows.empty()) return {};
  const std::string user = sql.quote(config.user), table = cell(rows[0], 0);
  const std::string more = rows.size() == 1 ? "" : fmt::format(", nor {} other tables", rows.size() - 1);
  const std::string grant = cell(rows[0], 1) == "t"
                                ? fmt::format("GRANT SELECT ON {} TO {}", table, user)
                                : fmt::format("GRANT USAGE ON SCHEMA {} TO {}", sql.quote(cell(rows[0], 2)), user);
  return fail(Code::kDenied,
              fmt::format("user \"{}\" may not read table {}{} for the snapshot: {}", config.user, table, more, grant));
}

Result<std::optional<SlotFacts>> read_slot(PgConnection& sql, const std::string& name) {
  const char* status = sql.server_version() >= 130000 ? "wal_status" : "NULL";
  TRY(const auto rows,
      sql.query(fmt::format("SELECT plugin, database, active, active_pid, confirmed_flush_lsn, {} FROM "
                            "pg_replication_slots WHERE slot_name = {}",
                            status, sql.literal(name))));
  if (rows.empty()) return std::nullopt;
  SlotFacts facts{cell(rows[0], 0), cell(rows[0], 1), cell(rows[0], 5), cell(rows[0], 2) == "t", cell(rows[0], 3), 0};
  if (rows[0][4]) {
    TRY(facts.confirmed, parse_lsn(*rows[0][4]));
  }
  return facts;
}

Result<void> check_slot(const ConnectorConfig& config, const SlotFacts& slot) {
  if (slot.plugin != "pgoutput" || slot.database != config.dbname) {
    return fail(Code::kInvalid,
                fmt::format("slot \"{}\" belongs to plug-in \"{}\" of database \"{}\": choose another slot.name",
                            config.slot_name, slot.plugin, slot.database));
  }
  if (slot.wal_status == "lost") {
    return fail(
        Code::kFenced,
        fmt::format(
            "slot \"{0}\" is lost: the server removed WAL that was not read yet (max_slot_wal_keep_size); drop it "
            "with SELECT pg_drop_replication_slot('{0}') and choose a new slot.name for a new snapshot",
            config.slot_name));
  }
  if (slot.active) {
    return fail(Code::kUnavailable,
                fmt::format("slot \"{}\" is in use by the process with PID {} of the Postgres server: stop the "
                            "other connector, or choose another slot.name",
                            config.slot_name, slot.active_pid));
  }
  return {};
}

}  // namespace millrace::cdc
