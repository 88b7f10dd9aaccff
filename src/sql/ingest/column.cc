#include "sql/ingest/column.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace millrace::sql::ingest {
namespace {

constexpr std::array kTypeNames{
    std::pair{std::string_view("BOOLEAN"), ColumnType::kBool},
    std::pair{std::string_view("BOOL"), ColumnType::kBool},
    std::pair{std::string_view("TINYINT"), ColumnType::kInt8},
    std::pair{std::string_view("SMALLINT"), ColumnType::kInt16},
    std::pair{std::string_view("INTEGER"), ColumnType::kInt32},
    std::pair{std::string_view("INT"), ColumnType::kInt32},
    std::pair{std::string_view("BIGINT"), ColumnType::kInt64},
    std::pair{std::string_view("UTINYINT"), ColumnType::kUInt8},
    std::pair{std::string_view("USMALLINT"), ColumnType::kUInt16},
    std::pair{std::string_view("UINTEGER"), ColumnType::kUInt32},
    std::pair{std::string_view("UBIGINT"), ColumnType::kUInt64},
    std::pair{std::string_view("FLOAT"), ColumnType::kFloat},
    std::pair{std::string_view("REAL"), ColumnType::kFloat},
    std::pair{std::string_view("DOUBLE"), ColumnType::kDouble},
    std::pair{std::string_view("DATE"), ColumnType::kDate},
    std::pair{std::string_view("TIME"), ColumnType::kTime},
    std::pair{std::string_view("TIMESTAMP"), ColumnType::kTimestamp},
    std::pair{std::string_view("DATETIME"), ColumnType::kTimestamp},
    std::pair{std::string_view("VARCHAR"), ColumnType::kText},
    std::pair{std::string_view("TEXT"), ColumnType::kText},
    std::pair{std::string_view("BLOB"), ColumnType::kBlob},
    std::pair{std::string_view("JSON"), ColumnType::kJson},
};

std::string quote(std::string_view text, char mark) {
  std::string out(1, mark);
  for (char c : text) {
    if (c == mark) out += mark;
    out += c;
  }
  out += mark;
  return out;
}

}  // namespace

std::string TypeSpec::to_sql() const {
  if (type == ColumnType::kDecimal) return fmt::format("DECIMAL({},{})", precision, scale);
  for (const auto& [name, known] : kTypeNames) {
    if (known == type) return std::string(name);
  }
  return "VARCHAR";
}

Result<TypeSpec> TypeSpec::parse(std::string_view duckdb_type) {
  std::string upper(duckdb_type);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  const std::string_view text = upper;
  if (text == "HUGEINT") return TypeSpec{ColumnType::kDecimal, 38, 0};
  if (text.starts_with("DECIMAL") || text.starts_with("NUMERIC")) {
    TypeSpec spec{ColumnType::kDecimal, 18, 3};
    const auto open = text.find('(');
    if (open == std::string_view::npos) return spec;
    unsigned precision = 0, scale = 0;
    const char* end = text.data() + text.size();
    auto read = std::from_chars(text.data() + open + 1, end, precision);
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == ',') {
      const char* next = read.ptr + 1;
      while (next != end && *next == ' ') ++next;
      read = std::from_chars(next, end, scale);
    }
    if (read.ec != std::errc() || precision == 0 || precision > 38 || scale > precision) {
      return fail(Code::kUnsupported, fmt::format("type {}: precision must be 1 to 38 and scale at most that", text));
    }
    spec.precision = static_cast<std::uint8_t>(precision);
    spec.scale = static_cast<std::uint8_t>(scale);
    return spec;
  }
  const std::string_view bare = text.substr(0, text.find('('));
  for (const auto& [name, type] : kTypeNames) {
    if (name == bare) return TypeSpec{type};
  }
  return fail(Code::kUnsupported, fmt::format("type {} cannot be filled by a routine load", duckdb_type));
}

std::optional<std::size_t> TableSchema::find(std::string_view column) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == column) return i;
  }
  return std::nullopt;
}

Encoding conventional_encoding(Envelope envelope, TypeSpec type) {
  if (envelope == Envelope::kPlain) return Encoding::kPlain;
  switch (type.type) {
    case ColumnType::kDate: return Encoding::kDays;
    case ColumnType::kTime:
    case ColumnType::kTimestamp: return Encoding::kMicros;
    case ColumnType::kDecimal: return Encoding::kDecimalBase64;
    case ColumnType::kBlob: return Encoding::kBase64;
    case ColumnType::kJson: return Encoding::kJsonText;
    default: return Encoding::kPlain;
  }
}

std::string quote_name(std::string_view name) { return quote(name, '"'); }
std::string quote_text(std::string_view text) { return quote(text, '\''); }
std::string quote_table(const TableName& table) { return quote_name(table.database) + "." + quote_name(table.name); }

}  // namespace millrace::sql::ingest
