// From the JSON text of one value to the cell of one column: Debezium's semantic types, Connect's logical
// types, and plain JSON. Pure; every failure says what was found and what the column needs.
//
// Sources: Debezium's "Data type mappings" of the PostgreSQL connector; Kafka Connect's Decimal, Date, Time, Timestamp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/ingest/column.h"
#include "sql/ingest/value.h"

namespace millrace::sql::ingest {

// How one field of a record becomes one column.
struct FieldRule {
  TypeSpec type;
  Encoding encoding = Encoding::kPlain;
  std::int32_t encoded_scale = 0;
};

// What JSON had there. `text` is unescaped for strings and raw for everything else.
enum class JsonKind { kNull, kBool, kNumber, kString, kObject, kArray };
struct JsonScalar {
  JsonKind kind = JsonKind::kNull;
  std::string_view text;
};

Result<Value> convert(const FieldRule& rule, const JsonScalar& json, Arena& arena);

// The pieces, for tests and for the planner's neighbours.
std::optional<std::string> decode_base64(std::string_view text);
// Big-endian two's complement; nothing when it needs more than 128 bits.
std::optional<Int128> integer_from_bytes(std::string_view bytes);
// To another scale, half away from zero; nothing on overflow of DECIMAL(precision).
std::optional<Int128> rescale(Int128 unscaled, std::int32_t from_scale, std::int32_t to_scale, int precision);
// "-12.345", "1.5e3".
std::optional<Int128> parse_decimal(std::string_view text, std::int32_t scale, int precision);
std::optional<std::int32_t> parse_date(std::string_view text);       // 2024-02-29, days since 1970
std::optional<std::int64_t> parse_time(std::string_view text);       // 12:34:56[.ffffff][Z|+hh:mm], UTC microseconds
std::optional<std::int64_t> parse_timestamp(std::string_view text);  // date[ T]time[zone], UTC microseconds since 1970
std::string decimal_to_string(Int128 unscaled, std::int32_t scale);

}  // namespace millrace::sql::ingest
