#include "sql/dialect/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::sql::dialect {
namespace {

enum class Suffix { kNone, kUnsigned, kDecimal };
struct TypeRow {
  std::string_view mysql, duckdb, unsigned_duckdb;
  Suffix suffix = Suffix::kNone;
};
constexpr auto kTypes = std::to_array<TypeRow>({
    {"TINYINT", "TINYINT", "UTINYINT", Suffix::kUnsigned},
    {"SMALLINT", "SMALLINT", "USMALLINT", Suffix::kUnsigned},
    {"MEDIUMINT", "INTEGER", "UINTEGER", Suffix::kUnsigned},
    {"INT", "INTEGER", "UINTEGER", Suffix::kUnsigned},
    {"INTEGER", "INTEGER", "UINTEGER", Suffix::kUnsigned},
    {"BIGINT", "BIGINT", "UBIGINT", Suffix::kUnsigned},
    {"LARGEINT", "HUGEINT", "HUGEINT", Suffix::kUnsigned},
    {"BOOL", "BOOLEAN", ""},
    {"BOOLEAN", "BOOLEAN", ""},
    {"FLOAT", "FLOAT", "FLOAT", Suffix::kUnsigned},
    {"DOUBLE", "DOUBLE", "DOUBLE", Suffix::kUnsigned},
    {"REAL", "DOUBLE", "DOUBLE", Suffix::kUnsigned},
    {"DECIMAL", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"NUMERIC", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DEC", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DECIMALV2", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DECIMAL32", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DECIMAL64", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DECIMAL128", "DECIMAL", "DECIMAL", Suffix::kDecimal},
    {"DATE", "DATE", ""},
    {"DATETIME", "TIMESTAMP", ""},
    {"TIMESTAMP", "TIMESTAMP", ""},
    {"TIME", "TIME", ""},
    {"YEAR", "SMALLINT", ""},
    {"CHAR", "VARCHAR", ""},
    {"VARCHAR", "VARCHAR", ""},
    {"STRING", "VARCHAR", ""},
    {"TEXT", "VARCHAR", ""},
    {"TINYTEXT", "VARCHAR", ""},
    {"MEDIUMTEXT", "VARCHAR", ""},
    {"LONGTEXT", "VARCHAR", ""},
    {"ENUM", "VARCHAR", ""},
    {"SET", "VARCHAR", ""},
    {"BINARY", "BLOB", ""},
    {"VARBINARY", "BLOB", ""},
    {"BLOB", "BLOB", ""},
    {"TINYBLOB", "BLOB", ""},
    {"MEDIUMBLOB", "BLOB", ""},
    {"LONGBLOB", "BLOB", ""},
    {"BIT", "BLOB", ""},
    {"JSON", "JSON", ""},
    {"UUID", "UUID", ""},
});

// "(10, 2)" as "(10,2)"; empty when there is none. ENUM's strings are read over.
Result<std::string> arguments(Cursor& in) {
  if (!in.accept_op("(")) return std::string();
  std::string out = "(";
  while (!in.is_op(")")) {
    if (in.at_end()) return fail(in.error("expected ')'"));
    const Token& token = in.take();
    out += token.kind == TokenKind::kString ? quote_literal(token.text) : token.text;
  }
  in.take();
  return out + ")";
}

}  // namespace

Result<ColumnTypeName> column_type(Cursor& in) {
  if (in.peek().kind != TokenKind::kWord) return fail(in.error("expected a type"));
  const std::string word = to_upper(in.peek().text);
  const auto* row = std::ranges::find(kTypes, word, &TypeRow::mysql);
  if (row == kTypes.end()) return fail(in.error("unknown type '" + word + "'"));
  in.take();
  if (word == "DOUBLE") in.accept("PRECISION");
  ColumnTypeName type;
  TRY(const auto args, arguments(in));
  bool is_unsigned = false;
  while (true) {
    if (in.accept("UNSIGNED"))
      is_unsigned = true;
    else if (in.accept("SIGNED") || in.accept("ZEROFILL") || in.accept("BINARY"))
      continue;
    else if (in.accept({"CHARACTER", "SET"}) || in.accept("CHARSET") || in.accept("COLLATE"))
      in.take();
    else
      break;
  }
  type.mysql = to_lower(word) + args + (is_unsigned ? " unsigned" : "");
  type.duckdb = is_unsigned && row->suffix == Suffix::kUnsigned ? row->unsigned_duckdb : row->duckdb;
  if (row->suffix == Suffix::kDecimal) type.duckdb += args.empty() ? "(10,0)" : args;
  if (word == "TINYINT" && args == "(1)" && !is_unsigned) type.duckdb = "TINYINT";
  if (word == "BIT" && (args.empty() || args == "(1)")) type.duckdb = "BOOLEAN";
  return type;
}

Result<CastTarget> cast_type(Cursor& in) {
  if (in.accept("UNSIGNED")) {
    in.accept("INTEGER") || in.accept("INT");
    return CastTarget{"UBIGINT", Hint::kNumber, ""};
  }
  if (in.accept("SIGNED")) {
    in.accept("INTEGER") || in.accept("INT");
    return CastTarget{"BIGINT", Hint::kNumber, ""};
  }
  const bool text = in.is("CHAR") || in.is("VARCHAR") || in.is("NCHAR") || in.is("STRING");
  if (in.is("NCHAR")) in.take(), in.accept_op("(");
  const bool date = in.is("DATE"), stamp = in.is("DATETIME") || in.is("TIMESTAMP"), time = in.is("TIME");
  const bool number = in.is("DECIMAL") || in.is("DOUBLE") || in.is("FLOAT") || in.is("INT") || in.is("BIGINT") ||
                      in.is("TINYINT") || in.is("SMALLINT") || in.is("INTEGER");
  TRY(const auto type, column_type(in));
  CastTarget target{type.duckdb, Hint::kUnknown, ""};
  if (text) {
    target.hint = Hint::kString;
    if (const auto open = type.mysql.find('('); open != std::string::npos) {
      target.length = type.mysql.substr(open + 1, type.mysql.find(')') - open - 1);
    }
  }
  if (date) target.hint = Hint::kDate;
  if (stamp) target.hint = Hint::kTimestamp;
  if (time) target.hint = Hint::kTime;
  if (number) target.hint = Hint::kNumber;
  return target;
}

Expr cast_to(const Expr& value, const CastTarget& target, bool forgiving) {
  // MySQL's CAST gives NULL or 0 where a text does not fit; DuckDB's would end the query.
  const bool lenient = forgiving || target.hint == Hint::kDate || target.hint == Hint::kTimestamp ||
                       target.hint == Hint::kTime || value.hint == Hint::kString;
  if (target.hint == Hint::kString) {
    const std::string text = as_text(value);
    return {.sql = target.length.empty() ? text : fmt::format("left({}, {})", text, target.length),
            .hint = Hint::kString};
  }
  if (target.hint == Hint::kDate) return {.sql = as_date(value), .hint = Hint::kDate};
  return {.sql = fmt::format("{}({} AS {})", lenient ? "TRY_CAST" : "CAST", value.sql, target.duckdb),
          .hint = target.hint};
}

std::string quote_path(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ".") + quote_name(part);
  return out;
}

std::string interval_sql(const Expr& amount, const std::string& unit) {
  const std::string name = unit == "QUARTER" ? "MONTH" : unit;
  const std::string factor = unit == "QUARTER" ? " * 3" : "";
  if (amount.number_literal && factor.empty() && amount.sql.find('.') == std::string::npos) {
    return fmt::format("INTERVAL ({}) {}", amount.sql, name);
  }
  const std::string number = amount.hint == Hint::kString ? "CAST(" + amount.sql + " AS BIGINT)" : operand(amount);
  return fmt::format("INTERVAL ({}{}) {}", number, factor, name);
}

}  // namespace millrace::sql::dialect
