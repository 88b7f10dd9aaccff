#include "sql/mysql/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::sql::mysql {
namespace {

struct StateRow {
  std::uint16_t code;
  std::string_view state;
};
constexpr std::array kStates = std::to_array<StateRow>({
    {1007, "HY000"}, {1008, "HY000"}, {1040, "08004"}, {1044, "42000"}, {1045, "28000"}, {1046, "3D000"},
    {1047, "08S01"}, {1049, "42000"}, {1050, "42S01"}, {1051, "42S02"}, {1052, "23000"}, {1053, "08S01"},
    {1054, "42S22"}, {1055, "42000"}, {1062, "23000"}, {1064, "42000"}, {1065, "42000"}, {1091, "42000"},
    {1094, "HY000"}, {1105, "HY000"}, {1140, "42000"}, {1146, "42S02"}, {1153, "08S01"}, {1193, "HY000"},
    {1205, "HY000"}, {1210, "HY000"}, {1226, "42000"}, {1231, "42000"}, {1235, "42000"}, {1243, "HY000"},
    {1264, "22003"}, {1292, "22007"}, {1305, "42000"}, {1317, "70100"}, {1347, "HY000"}, {1365, "22012"},
    {1370, "42000"}, {1421, "HY000"}, {3024, "HY000"},
});

// Found in DuckDB's message -> MySQL's code. The first row that fits wins.
struct TextRow {
  std::string_view begin, contains;
  std::uint16_t code;
};
constexpr std::array kTexts = std::to_array<TextRow>({
    {"INTERRUPT Error", "", 1317},
    {"Parser Error", "", 1064},
    {"Catalog Error: Table with name", "does not exist", 1146},
    {"Catalog Error: View with name", "does not exist", 1146},
    {"Catalog Error: Table with name", "already exists", 1050},
    {"Catalog Error: View with name", "already exists", 1050},
    {"Catalog Error: Schema with name", "does not exist", 1049},
    {"Catalog Error: Schema with name", "already exists", 1007},
    {"Catalog Error: Scalar Function", "does not exist", 1305},
    {"Catalog Error: Table Function", "does not exist", 1305},
    {"Catalog Error: Aggregate Function", "does not exist", 1305},
    {"Catalog Error", "Function with name", 1305},
    {"Binder Error: Referenced column", "not found", 1054},
    {"Binder Error", "does not have a column named", 1054},
    {"Binder Error: Referenced table", "not found", 1054},
    {"Binder Error: Ambiguous reference", "", 1052},
    {"Binder Error", "must appear in the GROUP BY", 1055},
    {"Binder Error: No function matches", "", 1210},
    {"Binder Error: Catalog", "does not exist", 1049},
    {"Binder Error: Schema", "does not exist", 1049},
    {"Conversion Error", "", 1292},
    {"Out of Range Error", "", 1264},
    {"Constraint Error: Duplicate key", "", 1062},
    {"Unknown database", "", 1049},
    {"Unknown table", "", 1051},
    {"No database selected", "", 1046},
    {"You have an error in your SQL syntax", "", 1064},
    {"Query was empty", "", 1065},
    {"Unknown system variable", "", 1193},
    {"Unknown prepared statement", "", 1243},
    {"Unknown thread id", "", 1094},
});

std::uint16_t code_of(Code code) {
  switch (code) {
    case Code::kInvalid: return 1105;
    case Code::kNotFound: return 1105;
    case Code::kExists: return 1050;
    case Code::kUnsupported: return 1235;
    case Code::kDenied: return 1045;
    case Code::kUnavailable: return 1105;
    case Code::kTimeout: return 3024;
    case Code::kExhausted: return 1226;
    case Code::kFenced: return 1053;
    case Code::kCorrupt: return 1105;
    case Code::kCancelled: return 1317;
    case Code::kInternal: return 1105;
  }
  return 1105;
}

// The name in "Table with name NAME does not exist!".
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const auto begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  return text.substr(0, text.find(after));
}

// In MySQL's own words where clients look at them, then DuckDB's, which name the place.
std::string message_of(std::uint16_t code, const std::string& text, const ErrorContext& context) {
  switch (code) {
    case 1146: {
      const auto name = between(text, "with name ", " does not exist");
      const std::string database = context.database.empty() ? "" : context.database + ".";
      return name.empty() ? text : fmt::format("Table '{}{}' doesn't exist ({})", database, name, text);
    }
    case 1054: {
      auto name = between(text, "Referenced column \"", "\"");
      if (name.empty()) name = between(text, "have a column named \"", "\"");
      return name.empty() ? text : fmt::format("Unknown column '{}' in 'field list' ({})", name, text);
    }
    case 1305: {
      const auto name = between(text, "Function with name ", " does not exist");
      return name.empty() ? text : fmt::format("FUNCTION {} does not exist ({})", name, text);
    }
    case 1317: return "Query execution was interrupted";
    case 1064:
      return text.starts_with("You have") ? text : fmt::format("You have an error in your SQL syntax; {}", text);
    default: return text;
  }
}

}  // namespace

SqlError sql_error(std::uint16_t code, std::string message) {
  const auto* row = std::ranges::find(kStates, code, &StateRow::code);
  return {code, std::string(row == kStates.end() ? "HY000" : row->state), std::move(message)};
}

SqlError to_sql_error(const Error& error, const ErrorContext& context) {
  const std::string& text = error.message();
  std::uint16_t code = code_of(error.code());
  if (error.code() != Code::kCancelled && error.code() != Code::kTimeout) {
    for (const auto& row : kTexts) {
      // Context may stand before DuckDB's words.
      const auto at = text.find(row.begin);
      if (at != std::string::npos && text.find(row.contains, at) != std::string::npos) {
        code = row.code;
        break;
      }
    }
  }
  if (code == 1146 && context.database.empty()) {
    // DuckDB quotes the statement: a name with a database before it reads ."name" there.
    const auto name = between(text, "with name ", " does not exist");
    if (text.find(fmt::format(".\"{}\"", name)) == std::string::npos) {
      return sql_error(1046, "No database selected (USE one, or write database.table)");
    }
  }
  return sql_error(code, message_of(code, text, context));
}

}  // namespace millrace::sql::mysql
