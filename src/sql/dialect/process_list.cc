#include "sql/dialect/process_list.h"

#include <fmt/format.h>

#include "sql/dialect/lexer.h"
#include "sql/dialect/select.h"

namespace millrace::sql::dialect {
namespace {

// The first `count` characters of UTF-8.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (starts && count-- == 0) break;
  }
  return text.substr(0, end);
}

}  // namespace

std::string values_select(const std::vector<std::string>& names, const std::vector<std::string>& rows) {
  std::vector<std::string> columns, parts;
  if (rows.empty()) {
    for (const auto& name : names) columns.push_back("'' AS " + quote_name(name));
    return "SELECT " + join(columns, ", ") + " WHERE false";
  }
  for (const auto& name : names) columns.push_back(quote_name(name));
  for (const auto& row : rows) parts.push_back("(" + row + ")");
  return fmt::format("SELECT * FROM (VALUES {}) AS shown({})", join(parts, ", "), join(columns, ", "));
}

std::string process_select(const Context& context, ProcessColumns columns, bool full) {
  std::vector<std::string> rows;
  if (context.processes) {
    for (const auto& process : context.processes()) {
      const std::string_view info = full ? process.info : first_characters(process.info, 100);
      rows.push_back(fmt::format("CAST({} AS BIGINT), {}, {}, {}, {}, CAST({} AS INTEGER), {}, {}", process.id,
                                 quote_literal(process.user), quote_literal(process.host),
                                 process.database.empty() ? "NULL" : quote_literal(process.database),
                                 quote_literal(process.command), process.seconds, quote_literal(process.state),
                                 info.empty() ? "CAST(NULL AS VARCHAR)" : quote_literal(info)));
    }
  }
  if (columns == ProcessColumns::kShow) {
    return values_select({"Id", "User", "Host", "db", "Command", "Time", "State", "Info"}, rows);
  }
  return values_select({"ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO"}, rows);
}

bool is_process_table(const Context& context, std::string_view database, std::string_view table) {
  if (to_lower(table) != "processlist") return false;
  const std::string where = to_lower(database.empty() ? std::string_view(context.database) : database);
  return where == "information_schema" || where == "performance_schema";
}

}  // namespace millrace::sql::dialect
