// What only Postgres' catalogue knows: types, table structure, keys, the publication and the slot.
//
// Reads over any session of PgConnection (also inside a snapshot's transaction); errors name the fix.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/config.h"
#include "cdc/envelope.h"
#include "cdc/pg_connection.h"

namespace millrace::cdc {

// Which tables a connector captures. System schemas never.
class TableSelector {
 public:
  explicit TableSelector(const ConnectorConfig& config);
  bool wants(std::string_view schema, std::string_view table) const;

 private:
  std::optional<std::vector<std::regex>> schema_include_, schema_exclude_, table_include_, table_exclude_;
};

struct ServerFacts {
  std::string system_id;
  std::uint32_t timeline = 0;
  Lsn wal_end = 0;
};
struct SlotFacts {
  std::string plugin, database, wal_status;
  bool active = false;
  std::string active_pid;
  Lsn confirmed = 0;
};

Result<ServerFacts> identify_system(PgConnection& replication);
// kUnsupported or kInvalid with the fix when logical decoding cannot work here.
Result<void> check_server(PgConnection& sql);
Result<TypeRegistry> read_types(PgConnection& sql);
// Ordinary tables that the selector wants, by schema and name; or the one with `oid`.
Result<std::vector<TableInfo>> read_tables(PgConnection& sql, const TableSelector& selector);
Result<std::optional<TableInfo>> read_table(PgConnection& sql, std::uint32_t oid);

Result<bool> publication_exists(PgConnection& sql, const std::string& name);
// Makes it as publication.autocreate.mode says.
Result<void> ensure_publication(PgConnection& sql, const ConnectorConfig& config, const std::vector<TableInfo>& tables);
// What ensure_publication would run, empty when all is there; or what would keep it from that. Changes nothing.
Result<std::string> publication_command(PgConnection& sql, const ConnectorConfig& config,
                                        const std::vector<TableInfo>& tables);

// kNotFound when an include list matches nothing. Without one, tables may come later.
Result<void> check_tables(const ConnectorConfig& config, const std::vector<TableInfo>& tables);
Error no_tables_error(const ConnectorConfig& config);
// kDenied with the GRANT when the snapshot could not read one of them.
Result<void> check_readable(PgConnection& sql, const ConnectorConfig& config, const std::vector<TableInfo>& tables);

Result<std::optional<SlotFacts>> read_slot(PgConnection& sql, const std::string& name);
// The slot is ours to use: right plug-in and database, WAL still there.
Result<void> check_slot(const ConnectorConfig& config, const SlotFacts& slot);

}  // namespace millrace::cdc
