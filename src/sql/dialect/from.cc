// FROM: tables, subqueries, joins, index hints.
#include <fmt/format.h>

#include "sql/dialect/nesting.h"
#include "sql/dialect/process_list.h"
#include "sql/dialect/select.h"
#include "sql/dialect/types.h"
#include "sql/dialect/variables.h"

namespace millrace::sql::dialect {

Result<std::string> SelectTranslator::from_clause() {
  if (in_.accept("DUAL")) return std::string();
  std::string out;
  do {
    TRY(const auto table, joined_table());
    out += (out.empty() ? "" : ", ") + table;
  } while (in_.accept_op(","));
  // The parts before WHERE hold no marks: ON conditions are about single rows.
  std::erase_if(out, [](char c) { return c == '\x01' || c == '\x02'; });
  return out;
}

Result<std::string> SelectTranslator::joined_table() {
  TRY(auto out, table_factor());
  while (true) {
    std::string join;
    const bool natural = in_.accept("NATURAL");
    if (in_.accept("JOIN") || in_.accept({"INNER", "JOIN"}) || in_.accept("STRAIGHT_JOIN"))
      join = "JOIN";
    else if (in_.accept({"CROSS", "JOIN"}))
      join = "JOIN";
    else if (in_.accept({"LEFT", "JOIN"}) || in_.accept({"LEFT", "OUTER", "JOIN"}))
      join = "LEFT JOIN";
    else if (in_.accept({"RIGHT", "JOIN"}) || in_.accept({"RIGHT", "OUTER", "JOIN"}))
      join = "RIGHT JOIN";
    else if (in_.accept({"FULL", "JOIN"}) || in_.accept({"FULL", "OUTER", "JOIN"}))
      join = "FULL JOIN";
    else if (in_.accept({"LEFT", "SEMI", "JOIN"}))
      join = "SEMI JOIN";
    else if (in_.accept({"LEFT", "ANTI", "JOIN"}))
      join = "ANTI JOIN";
    else if (natural)
      return fail(in_.error("expected JOIN"));
    else
      return out;
    TRY(const auto right, table_factor());
    if (in_.accept("ON")) {
      TRY(const auto on, expression());
      out = fmt::format("{} {} {} ON {}", out, join, right, on.sql);
    } else if (in_.accept("USING")) {
      TRY_VOID(in_.expect_op("("));
      std::string columns;
      do {
        TRY(const auto column, in_.name("a column"));
        columns += (columns.empty() ? "" : ", ") + quote_name(column);
      } while (in_.accept_op(","));
      TRY_VOID(in_.expect_op(")"));
      out = fmt::format("{} {} {} USING ({})", out, join, right, columns);
    } else if (natural) {
      out = fmt::format("{} NATURAL {} {}", out, join, right);
    } else if (join == "JOIN") {
      out = fmt::format("{} CROSS JOIN {}", out, right);  // a JOIN without ON
    } else {
      return fail(in_.error("expected ON or USING"));
    }
  }
}

Result<std::string> SelectTranslator::table_factor() {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail(in_.error("a join nested too deeply"));
  std::string out, name;
  const bool lateral = in_.accept("LATERAL");
  if (in_.is_op("(") && at_query()) {
    in_.take();
    TRY(const auto inner, query(true));
    TRY_VOID(in_.expect_op(")"));
    out = (lateral ? "LATERAL (" : "(") + inner + ")";
  } else if (in_.is_op("(")) {
    in_.take();
    TRY(const auto inner, from_clause());
    TRY_VOID(in_.expect_op(")"));
    return "(" + inner + ")";
  } else if (in_.is_name() && in_.is_op("(", 1)) {  // unnest(..), generate_series(..)
    TRY(const auto call, name_or_call());
    out = call.sql;
  } else if (at_process_table()) {
    for (int tokens = in_.is_op(".", 1) ? 3 : 1; tokens > 0; --tokens) in_.take();
    reads_processes_ = true;
    name = " AS processlist";
    out = "(" + process_select(context_, ProcessColumns::kTable, true) + ")";
  } else {
    TRY(out, table_name());
    if (in_.is("PARTITION") && in_.is_op("(", 1)) return fail(in_.error("PARTITION (..) is not supported"));
  }
  skip_index_hints();
  TRY(const auto alias, table_alias());
  skip_index_hints();
  return out + (alias.empty() ? name : alias);
}

bool SelectTranslator::at_process_table() {
  if (!in_.is_name()) return false;
  if (!in_.is_op(".", 1)) return is_process_table(context_, "", in_.peek().text);
  return !in_.is_op(".", 3) && is_process_table(context_, in_.peek().text, in_.peek(2).text);
}

Result<std::string> SelectTranslator::table_name() {
  std::vector<std::string> parts;
  do {
    TRY(auto part, in_.name("a table"));
    parts.push_back(std::move(part));
  } while (in_.accept_op("."));
  if (parts.size() > 2 && to_lower(parts[0]) == "default_catalog") parts.erase(parts.begin());  // StarRocks
  if (parts.size() > 2) return fail(in_.error("a table has at most a database before its name"));
  if (parts.size() == 2) parts[0] = engine_database(parts[0]);
  return quote_path(parts);
}

Result<std::string> SelectTranslator::table_alias() {
  std::string out;
  const bool as = in_.accept("AS");
  const auto ends_table = [&] {
    for (const std::string_view word : {"NATURAL", "STRAIGHT_JOIN", "FULL", "FOR", "LOCK", "EXCEPT", "MINUS", "QUALIFY",
                                        "USE", "IGNORE", "FORCE", "PARTITION", "END"}) {
      if (in_.is(word)) return true;
    }
    return is_reserved(in_.peek());
  };
  if (as || (in_.is_name() && !ends_table())) {
    TRY(const auto alias, in_.name("an alias"));
    out = " AS " + quote_name(alias);
    if (in_.is_op("(")) {
      in_.take();
      std::string columns;
      do {
        TRY(const auto column, in_.name("a column name"));
        columns += (columns.empty() ? "" : ", ") + quote_name(column);
      } while (in_.accept_op(","));
      TRY_VOID(in_.expect_op(")"));
      out += "(" + columns + ")";
    }
  }
  return out;
}

// USE INDEX (a), FORCE INDEX FOR JOIN (a, b), IGNORE KEY (..)
void SelectTranslator::skip_index_hints() {
  while ((in_.is("USE") || in_.is("FORCE") || in_.is("IGNORE")) && (in_.is("INDEX", 1) || in_.is("KEY", 1))) {
    while (!in_.at_end() && !in_.is_op("(")) in_.take();
    while (!in_.at_end() && !in_.is_op(")")) in_.take();
    in_.take();
    in_.accept_op(",");
  }
}

}  // namespace millrace::sql::dialect
