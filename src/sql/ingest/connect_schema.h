// The schema that Connect's JsonConverter puts beside each payload ("schemas.enable": true): which columns a
// row has and how their values are written. Pure; kCorrupt when the text is not such a schema.
//
// Sources: Kafka Connect's JsonConverter; Debezium's semantic types (io.debezium.time.*, io.debezium.data.*).
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ingest/column.h"

namespace millrace::sql::ingest {

struct ConnectSchema {
  bool is_envelope = false;     // has `op` and a row in `after`; else the row itself
  std::vector<Column> columns;  // of the row; types and encodings set
};

Result<ConnectSchema> parse_connect_schema(std::string_view json);

// The column for a field of `type` ("int64", "string", ...) with semantic type `name` (empty: none).
// `precision` <= 0: not known.
Column column_of_connect_field(std::string_view field, std::string_view type, std::string_view name, std::int32_t scale,
                               std::int32_t precision);

}  // namespace millrace::sql::ingest
