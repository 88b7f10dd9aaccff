// A connector file as Debezium users have it: {"name": .., "config": {..}} or the flat map alone.
//
// Every Debezium option that is not built yet is refused by its name, and so is every name that Debezium
// does not know. Pure; fails with kInvalid or kUnsupported.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::cdc {

enum class SnapshotMode { kInitial, kNoData };
enum class DecimalMode { kPrecise, kDouble, kString };
enum class AutocreateMode { kAllTables, kFiltered, kDisabled, kNoTables };

// Comma-separated regular expressions, each of which must match a whole name; case does not count.
struct NameFilter {
  std::string include, exclude;  // at most one is set
};

struct ConnectorConfig {
  std::string name;
  std::string hostname, user, password, dbname;
  std::uint16_t port = 5432;
  std::vector<std::pair<std::string, std::string>> ssl;  // libpq's names: sslmode, sslcert, sslkey, sslrootcert
  std::string topic_prefix;
  std::string slot_name = "debezium";
  std::string publication_name = "dbz_publication";
  AutocreateMode autocreate = AutocreateMode::kAllTables;
  NameFilter schemas, tables;
  SnapshotMode snapshot_mode = SnapshotMode::kInitial;
  DecimalMode decimal_mode = DecimalMode::kPrecise;
  bool tombstones = true;
  bool key_schemas = true, value_schemas = true;  // the converters' schemas.enable
};

Result<ConnectorConfig> parse_connector_config(std::string_view json);

}  // namespace millrace::cdc
