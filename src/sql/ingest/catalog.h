// The catalogue: databases, tables, views and routine loads, as they stand in `__millrace_sql_catalog`. Pure.
//
// One record per object: key "table:db.name", value JSON, a tombstone when dropped; the topic is compacted, so
// its records are the state. `version` grows by one with every change of the catalogue and tells a cache which
// objects it has in which form. Byte format: docs/formats/sql-catalog.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/dialect/statements.h"
#include "sql/ingest/applier.h"
#include "sql/ingest/column.h"
#include "sql/ingest/envelope.h"

namespace millrace::sql::ingest {

struct TableEntry {
  std::uint64_t version = 0;
  TableSchema schema;
  std::vector<std::string> mysql_types, comments;  // by column
  std::string comment, mysql_text;
};

struct ViewEntry {
  std::uint64_t version = 0;
  TableName view;
  std::vector<std::string> columns;
  std::string duckdb_select, mysql_select, comment;
};

enum class StartAt { kBeginning, kEnd, kOffsets };

struct LoadEntry {
  std::uint64_t version = 0;
  TableName job, table;
  std::string topic, brokers;  // brokers empty: the log of this process
  Envelope envelope = Envelope::kDebezium;
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  std::int64_t max_error_number = 0;  // < 0: no bound
  StartAt start_at = StartAt::kBeginning;
  PartitionOffsets start_offsets;  // kOffsets
  bool automatic = false, paused = false;
  std::string pause_reason;
  dialect::Properties properties, source;
  std::string mysql_text;
  std::string id() const;  // names its offsets: changes when the load is made anew
  std::uint64_t born = 0;  // the version that created it
};

class Catalog {
 public:
  std::string cluster;  // random, made with the first record: which log a cache belongs to
  std::set<std::string> databases;
  std::map<TableName, TableEntry> tables;
  std::map<TableName, ViewEntry> views;
  std::map<TableName, LoadEntry> loads;
  std::uint64_t version = 0;

  // One record of the topic. kCorrupt says what could not be read; the catalogue is then unchanged.
  Result<void> apply(std::string_view key, std::optional<std::string_view> value);
  const LoadEntry* load_of_table(const TableName& table) const;
};

// Records to write.
struct CatalogRecord {
  std::string key;
  std::optional<std::string> value;
};
CatalogRecord cluster_record(const std::string& id);
CatalogRecord database_record(const std::string& name, std::uint64_t version);
CatalogRecord record_of(const TableEntry& entry);
CatalogRecord record_of(const ViewEntry& entry);
CatalogRecord record_of(const LoadEntry& entry);
CatalogRecord dropped_database(const std::string& name);
CatalogRecord dropped_table(const TableName& table);
CatalogRecord dropped_view(const TableName& view);
CatalogRecord dropped_load(const TableName& job);

}  // namespace millrace::sql::ingest
