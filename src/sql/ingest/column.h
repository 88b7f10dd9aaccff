// Columns of a table that follows a topic: their type in DuckDB, and how the topic writes their values.
//
// `Encoding` is what a JSON number or string of that column means. With Connect schemas in the records it
// comes from there (connect_schema.h); without, from the type of the column by the conventions of Debezium's
// defaults (`conventional_encoding`) or from a TableDescriptionSource (sql/api.h). Plain values, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/session.h"

namespace millrace::sql::ingest {

struct TypeSpec {
  ColumnType type = ColumnType::kText;
  std::uint8_t precision = 0, scale = 0;  // kDecimal only
  bool operator==(const TypeSpec&) const = default;

  // As DuckDB writes it: "DECIMAL(10,2)".
  std::string to_sql() const;
  // Of DuckDB's names, those that a loaded table may have; kUnsupported names the type otherwise.
  static Result<TypeSpec> parse(std::string_view duckdb_type);
};

enum class Encoding : std::uint8_t {
  kPlain,            // what JSON says: numbers, text, true/false; ISO text for dates and times
  kDays,             // integer days since 1970-01-01
  kMillis,           // integer milliseconds (of the day, or since 1970)
  kMicros,           // integer microseconds
  kNanos,            // integer nanoseconds
  kDecimalBase64,    // base64 of a big-endian two's complement integer; the scale is apart
  kVariableDecimal,  // {"scale": n, "value": base64}
  kBase64,           // base64 of bytes
  kJsonText,         // a string whose content is JSON
};

struct Column {
  std::string name;
  TypeSpec type;
  bool not_null = false;
  std::optional<std::string> default_sql;
  // Unset: by convention. `encoded_scale` belongs to kDecimalBase64.
  std::optional<Encoding> encoding = {};
  std::int32_t encoded_scale = 0;
};

struct TableName {
  std::string database, name;
  auto operator<=>(const TableName&) const = default;
  std::string to_string() const { return database + "." + name; }
};

struct TableSchema {
  TableName table;
  std::vector<Column> columns;
  std::vector<std::size_t> key;  // positions in `columns`, in key order; empty: an append table

  std::optional<std::size_t> find(std::string_view column) const;
};

// Who wrote the records: decides what a string or a number means where no schema says it.
enum class Envelope { kDebezium, kPlain };

// Debezium without schemas: days, microseconds, base64 decimals and bytes. Plain: ISO text and numbers.
Encoding conventional_encoding(Envelope envelope, TypeSpec type);

// "a""b": a name as DuckDB reads it back; 'it''s': a string likewise.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);
std::string quote_table(const TableName& table);

}  // namespace millrace::sql::ingest
