#include "sql/ingest/connect_schema.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace millrace::sql::ingest {
namespace {

namespace dom = simdjson::dom;

// Decimals whose declared precision DuckDB cannot hold, and numerics without one.
constexpr TypeSpec kWidestDecimal{ColumnType::kDecimal, 38, 12};
constexpr std::size_t kColumnsMax = 4096;

struct Semantic {
  std::string_view name;
  ColumnType type;
  Encoding encoding;
};
constexpr Semantic kSemantics[] = {
    {"io.debezium.time.Date", ColumnType::kDate, Encoding::kDays},
    {"org.apache.kafka.connect.data.Date", ColumnType::kDate, Encoding::kDays},
    {"io.debezium.time.IsoDate", ColumnType::kDate, Encoding::kPlain},
    {"io.debezium.time.Time", ColumnType::kTime, Encoding::kMillis},
    {"org.apache.kafka.connect.data.Time", ColumnType::kTime, Encoding::kMillis},
    {"io.debezium.time.MicroTime", ColumnType::kTime, Encoding::kMicros},
    {"io.debezium.time.NanoTime", ColumnType::kTime, Encoding::kNanos},
    {"io.debezium.time.ZonedTime", ColumnType::kTime, Encoding::kPlain},
    {"io.debezium.time.IsoTime", ColumnType::kTime, Encoding::kPlain},
    {"io.debezium.time.Timestamp", ColumnType::kTimestamp, Encoding::kMillis},
    {"org.apache.kafka.connect.data.Timestamp", ColumnType::kTimestamp, Encoding::kMillis},
    {"io.debezium.time.MicroTimestamp", ColumnType::kTimestamp, Encoding::kMicros},
    {"io.debezium.time.NanoTimestamp", ColumnType::kTimestamp, Encoding::kNanos},
    {"io.debezium.time.ZonedTimestamp", ColumnType::kTimestamp, Encoding::kPlain},
    {"io.debezium.time.IsoTimestamp", ColumnType::kTimestamp, Encoding::kPlain},
    {"io.debezium.data.Json", ColumnType::kJson, Encoding::kJsonText},
    {"io.debezium.data.Bits", ColumnType::kBlob, Encoding::kBase64},
};

struct Physical {
  std::string_view name;
  ColumnType type;
  Encoding encoding;
};
constexpr Physical kPhysicals[] = {
    {"boolean", ColumnType::kBool, Encoding::kPlain},   {"int8", ColumnType::kInt8, Encoding::kPlain},
    {"int16", ColumnType::kInt16, Encoding::kPlain},    {"int32", ColumnType::kInt32, Encoding::kPlain},
    {"int64", ColumnType::kInt64, Encoding::kPlain},    {"float", ColumnType::kFloat, Encoding::kPlain},
    {"float32", ColumnType::kFloat, Encoding::kPlain},  {"double", ColumnType::kDouble, Encoding::kPlain},
    {"float64", ColumnType::kDouble, Encoding::kPlain}, {"string", ColumnType::kText, Encoding::kPlain},
    {"bytes", ColumnType::kBlob, Encoding::kBase64},
};

std::string_view text_of(const dom::element& element, std::string_view field) {
  std::string_view text;
  if (element[field].get(text) != simdjson::SUCCESS) return {};
  return text;
}

std::int32_t number_of(const dom::element& element, std::string_view parameter) {
  std::int32_t value = 0;
  dom::element parameters;
  if (element["parameters"].get(parameters) != simdjson::SUCCESS) return 0;
  const std::string_view text = text_of(parameters, parameter);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(value, -400, 400);
}

Result<std::vector<Column>> columns_of(const dom::array& fields) {
  std::vector<Column> columns;
  for (const dom::element field : fields) {
    const std::string_view name = text_of(field, "field"), type = text_of(field, "type");
    if (name.empty() || type.empty())
      return fail(Code::kCorrupt, "the record's schema has a field without name or type");
    if (columns.size() == kColumnsMax) return fail(Code::kUnsupported, "the record's schema has over 4096 fields");
    columns.push_back(column_of_connect_field(name, type, text_of(field, "name"), number_of(field, "scale"),
                                              number_of(field, "connect.decimal.precision")));
  }
  return columns;
}

}  // namespace

Column column_of_connect_field(std::string_view field, std::string_view type, std::string_view name, std::int32_t scale,
                               std::int32_t precision) {
  Column column;
  column.name = field;
  // Arrays, maps and structs are kept as JSON.
  column.type = {ColumnType::kJson};
  column.encoding = Encoding::kPlain;
  for (const auto& physical : kPhysicals) {
    if (physical.name != type) continue;
    column.type = {physical.type};
    column.encoding = physical.encoding;
  }
  for (const auto& semantic : kSemantics) {
    if (semantic.name != name) continue;
    column.type = {semantic.type};
    column.encoding = semantic.encoding;
  }
  if (name == "org.apache.kafka.connect.data.Decimal") {
    column.encoding = Encoding::kDecimalBase64;
    column.encoded_scale = scale;
    if (precision <= 0) precision = 38;
    column.type =
        scale >= 0 && scale <= precision && precision <= 38
            ? TypeSpec{ColumnType::kDecimal, static_cast<std::uint8_t>(precision), static_cast<std::uint8_t>(scale)}
            : kWidestDecimal;
  } else if (name == "io.debezium.data.VariableScaleDecimal") {
    column.encoding = Encoding::kVariableDecimal;
    column.type = kWidestDecimal;
  }
  return column;
}

Result<ConnectSchema> parse_connect_schema(std::string_view json) {
  dom::parser parser;
  dom::element root;
  dom::array fields;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
      root["fields"].get(fields) != simdjson::SUCCESS) {
    return fail(Code::kCorrupt, "the record's schema is not a Connect struct schema");
  }
  bool has_op = false;
  dom::array row;
  bool has_row = false;
  for (const dom::element field : fields) {
    const std::string_view name = text_of(field, "field");
    if (name == "op") has_op = true;
    if (name == "after" && field["fields"].get(row) == simdjson::SUCCESS) has_row = true;
  }
  ConnectSchema schema;
  schema.is_envelope = has_op && has_row;
  TRY(schema.columns, columns_of(schema.is_envelope ? row : fields));
  return schema;
}

}  // namespace millrace::sql::ingest
