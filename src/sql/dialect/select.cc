// Queries: WITH, SELECT's clauses, set operations, ORDER BY and LIMIT. FROM is in from.cc.
#include "sql/dialect/select.h"

#include <fmt/format.h>

#include <algorithm>

#include "sql/dialect/nesting.h"
#include "sql/dialect/types.h"

namespace millrace::sql::dialect {
namespace {

std::string without_marks(std::string_view sql) {
  std::string out;
  for (const char c : sql) {
    if (c != '\x01' && c != '\x02') out.push_back(c);
  }
  return out;
}

// "t"."name" -> "name"
std::string_view last_part(std::string_view column) {
  const auto dot = column.rfind("\".\"");
  return dot == std::string_view::npos ? column : column.substr(dot + 2);
}

}  // namespace

bool SelectTranslator::at_query() const {
  std::size_t ahead = 0;
  while (in_.is_op("(", ahead)) ++ahead;
  return in_.is("SELECT", ahead) || in_.is("WITH", ahead) || in_.is("VALUES", ahead);
}

Result<std::string> SelectTranslator::query(bool name_columns) {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail(in_.error("a query nested too deeply"));
  std::string out;
  if (in_.is("WITH")) {
    TRY(out, with_clause());
  }
  TRY(const auto first, query_term(name_columns));
  out += first;
  while (in_.is("UNION") || in_.is("EXCEPT") || in_.is("MINUS") || in_.is("INTERSECT")) {
    const std::string op = to_upper(in_.take().text);
    out += " " + (op == "MINUS" ? "EXCEPT" : op);
    if (in_.accept("ALL")) out += " ALL";
    in_.accept("DISTINCT");
    TRY(const auto next, query_term(false));
    out += " " + next;
  }
  TRY(const auto order, order_by());
  TRY(const auto bound, limit());
  TRY_VOID(locking_clauses());
  return out + without_marks(order) + bound;
}

Result<std::string> SelectTranslator::with_clause() {
  in_.take();
  std::string out = in_.accept("RECURSIVE") ? "WITH RECURSIVE " : "WITH ";
  do {
    TRY(const auto name, in_.name("a name for the common table expression"));
    std::string columns;
    if (in_.accept_op("(")) {
      std::vector<std::string> names;
      do {
        TRY(const auto column, in_.name("a column name"));
        names.push_back(quote_name(column));
      } while (in_.accept_op(","));
      TRY_VOID(in_.expect_op(")"));
      columns = "(" + join(names, ", ") + ")";
    }
    TRY_VOID(in_.expect("AS"));
    TRY_VOID(in_.expect_op("("));
    TRY(const auto inner, query(true));
    TRY_VOID(in_.expect_op(")"));
    if (!out.ends_with(' ')) out += ", ";
    out += quote_name(name) + columns + " AS (" + inner + ")";
  } while (in_.accept_op(","));
  return out + " ";
}

Result<std::string> SelectTranslator::query_term(bool name_columns) {
  if (in_.is_op("(")) {
    in_.take();
    TRY(const auto inner, query(name_columns));
    TRY_VOID(in_.expect_op(")"));
    return "(" + inner + ")";
  }
  if (in_.accept("VALUES")) {
    std::vector<std::string> rows;
    do {
      in_.accept("ROW");
      TRY_VOID(in_.expect_op("("));
      TRY(const auto list, expression_list());
      TRY_VOID(in_.expect_op(")"));
      std::vector<std::string> parts;
      for (const auto& one : list) parts.push_back(without_marks(one.sql));
      rows.push_back("(" + join(parts, ", ") + ")");
    } while (in_.accept_op(","));
    return "VALUES " + join(rows, ", ");
  }
  TRY_VOID(in_.expect("SELECT"));
  return select_core(name_columns);
}

void SelectTranslator::select_modifiers(Core& core) {
  while (true) {
    if (in_.accept("DISTINCT") || in_.accept("DISTINCTROW")) {
      core.distinct = "DISTINCT ";
      continue;
    }
    bool any = false;
    for (const std::string_view word : {"ALL", "HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_SMALL_RESULT", "SQL_BIG_RESULT",
                                        "SQL_BUFFER_RESULT", "SQL_NO_CACHE", "SQL_CACHE", "SQL_CALC_FOUND_ROWS"}) {
      any = any || in_.accept(word);
    }
    if (!any) return;
  }
}

Result<std::string> SelectTranslator::select_core(bool name_columns) {
  Core core;
  const bool outer_aggregate = std::exchange(saw_aggregate_, false);
  const int outer_depth = std::exchange(aggregate_depth_, 0);
  select_modifiers(core);
  TRY_VOID(select_items(core, name_columns));
  if (in_.is("INTO")) return fail(Code::kUnsupported, "SELECT .. INTO is not supported");
  if (in_.accept("FROM")) {
    TRY(core.from, from_clause());
  }
  if (in_.accept("WHERE")) {
    TRY(const auto where, expression());
    core.where = without_marks(where.sql);
  }
  TRY_VOID(group_clause(core));
  TRY_VOID(tail_clauses(core));
  core.grouped = core.grouped || saw_aggregate_;
  // ORDER BY of this SELECT may name ungrouped columns too.
  std::string order;
  if (context_.loose_group_by && core.grouped) {
    TRY(order, order_by());
    for (const auto& item : core.items) {
      if (!item.alias.empty()) core.group_keys.push_back(quote_name(item.alias));
    }
    order = ungrouped(order, core, true);
  }
  saw_aggregate_ = outer_aggregate;
  aggregate_depth_ = outer_depth;
  return finish_core(std::move(core)) + order;
}

Result<void> SelectTranslator::select_items(Core& core, bool name_columns) {
  do {
    TRY(auto item, select_item(name_columns));
    core.items.push_back(std::move(item));
  } while (in_.accept_op(","));
  return {};
}

Result<SelectTranslator::Item> SelectTranslator::select_item(bool name_columns) {
  const std::size_t begin = in_.position();
  TRY(auto expr, expression());
  if (expr.sql == "*" || expr.sql.ends_with(".*")) return Item{std::move(expr.sql), "", true};
  const std::string text(in_.text_since(begin));
  Item item{std::move(expr.sql), "", false};
  if (in_.accept("AS")) {
    if (!in_.is_name() && in_.peek().kind != TokenKind::kString) return fail(in_.error("expected an alias after AS"));
    item.alias = in_.take().text;
  } else if (in_.peek().kind == TokenKind::kQuotedName || in_.peek().kind == TokenKind::kString ||
             (in_.is_name() && !is_reserved(in_.peek()) && !in_.is("EXCEPT") && !in_.is("MINUS") && !in_.is("FOR") &&
              !in_.is("LOCK") && !in_.is("QUALIFY"))) {
    item.alias = in_.take().text;
  } else if (name_columns && !expr.plain_column) {
    // MySQL names a column by its text; a string by its value.
    item.alias = expr.string_literal && text.starts_with('\'') ? *expr.string_literal : text;
    if (item.alias.empty()) item.alias = "?column?";
  }
  return item;
}

Result<void> SelectTranslator::group_clause(Core& core) {
  if (!in_.accept({"GROUP", "BY"})) return {};
  core.grouped = true;
  std::string special;
  for (const std::string_view word : {"ROLLUP", "CUBE"}) {
    if (in_.is(word) && in_.is_op("(", 1)) {
      in_.take();
      in_.take();
      special = word;
    }
  }
  TRY(const auto list, expression_list());
  if (!special.empty()) TRY_VOID(in_.expect_op(")"));
  for (const auto& one : list) core.group_keys.push_back(without_marks(one.sql));
  if (in_.accept({"WITH", "ROLLUP"})) special = "ROLLUP";
  core.group_by = join(core.group_keys, ", ");
  if (!special.empty()) core.group_by = special + "(" + core.group_by + ")";
  return {};
}

Result<void> SelectTranslator::tail_clauses(Core& core) {
  if (in_.accept("HAVING")) {
    marks_columns_ = !core.grouped && !saw_aggregate_;
    TRY(const auto having, expression());
    marks_columns_ = false;
    core.having = having.sql;
  }
  if (in_.accept("WINDOW")) {
    std::vector<std::string> windows;
    do {
      TRY(const auto name, in_.name("a window's name"));
      TRY_VOID(in_.expect("AS"));
      TRY(const auto definition, window_definition());
      windows.push_back(quote_name(name) + " AS " + without_marks(definition));
    } while (in_.accept_op(","));
    core.window = join(windows, ", ");
  }
  if (in_.accept("QUALIFY")) {
    TRY(const auto qualify, expression());
    core.qualify = without_marks(qualify.sql);
  }
  return {};
}

std::string SelectTranslator::finish_core(Core core) const {
  const bool wrap = context_.loose_group_by && core.grouped;
  std::vector<std::string> items;
  for (const auto& item : core.items) {
    std::string sql = ungrouped(item.sql, core, wrap);
    // any_value(t.a) would lose its name.
    if (!item.alias.empty()) {
      sql += " AS " + quote_name(item.alias);
    } else if (sql.starts_with("any_value(") && !item.star) {
      sql += " AS " + std::string(last_part(without_marks(item.sql)));
    }
    items.push_back(std::move(sql));
  }
  std::string out = "SELECT " + core.distinct + join(items, ", ");
  if (!core.from.empty()) out += " FROM " + core.from;
  if (!core.having.empty() && !core.grouped) {
    // MySQL's HAVING without groups is a WHERE over the select list.
    const std::string condition = "(" + with_aliases_resolved(core.having, core) + ")";
    core.where = core.where.empty() ? condition : "(" + core.where + ") AND " + condition;
  }
  if (!core.where.empty()) out += " WHERE " + core.where;
  if (!core.group_by.empty()) out += " GROUP BY " + core.group_by;
  if (!core.having.empty() && core.grouped) out += " HAVING " + ungrouped(core.having, core, wrap);
  if (!core.window.empty()) out += " WINDOW " + core.window;
  if (!core.qualify.empty()) out += " QUALIFY " + core.qualify;
  return out;
}

// Marked columns that are aliases become what they stand for.
std::string SelectTranslator::with_aliases_resolved(std::string_view sql, const Core& core) const {
  std::string out;
  while (true) {
    const auto open = sql.find('\x01');
    out += sql.substr(0, open);
    if (open == std::string_view::npos) return out;
    const auto close = sql.find('\x02', open);
    const auto column = to_lower(sql.substr(open + 1, close - open - 1));
    const auto item = std::ranges::find_if(
        core.items, [&](const auto& one) { return !one.alias.empty() && to_lower(quote_name(one.alias)) == column; });
    out += item == core.items.end() ? std::string(sql.substr(open + 1, close - open - 1))
                                    : "(" + without_marks(item->sql) + ")";
    sql.remove_prefix(close + 1);
  }
}

// Takes the marks around columns away; with `wrap`, columns that are no group key become any_value(..).
std::string SelectTranslator::ungrouped(std::string_view sql, const Core& core, bool wrap) const {
  const std::string plain = without_marks(sql);
  const auto is_key = [&](std::string_view column) {
    return std::ranges::any_of(core.group_keys,
                               [&](const auto& key) { return key == column || last_part(key) == last_part(column); });
  };
  if (!wrap || is_key(plain)) return plain;
  std::string out;
  while (true) {
    const auto open = sql.find('\x01');
    out += sql.substr(0, open);
    if (open == std::string_view::npos) return out;
    const auto close = sql.find('\x02', open);
    const auto column = sql.substr(open + 1, close - open - 1);
    out += is_key(column) ? std::string(column) : fmt::format("any_value({})", column);
    sql.remove_prefix(close + 1);
  }
}

Result<std::string> SelectTranslator::order_by() {
  if (!in_.accept({"ORDER", "BY"})) return std::string();
  if (in_.is("NULL") && !in_.is_op(",", 1)) {
    in_.take();
    return std::string();
  }
  TRY(const auto items, order_items());
  return " ORDER BY " + items;
}

Result<std::string> SelectTranslator::order_items() {
  std::vector<std::string> items;
  do {
    TRY(auto expr, expression());
    // A constant orders nothing, and DuckDB refuses it.
    if (expr.string_literal || expr.hint == Hint::kNull) expr.sql = "(SELECT " + expr.sql + ")";
    if (in_.accept("DESC")) {
      expr.sql += " DESC";
    } else {
      in_.accept("ASC");
    }
    if (in_.accept({"NULLS", "FIRST"})) expr.sql += " NULLS FIRST";
    if (in_.accept({"NULLS", "LAST"})) expr.sql += " NULLS LAST";
    items.push_back(std::move(expr.sql));
  } while (in_.accept_op(","));
  return join(items, ", ");
}

Result<std::string> SelectTranslator::limit() {
  if (!in_.accept("LIMIT")) return std::string();
  const auto bound = [&]() -> Result<std::string> {
    TRY(auto expr, unary());
    if (expr.hint == Hint::kString) return "CAST(" + expr.sql + " AS BIGINT)";
    // "All the rest" as MySQL writes it does not fit DuckDB's limit.
    if (expr.sql == "18446744073709551615") return std::string("9223372036854775807");
    return std::move(expr.sql);
  };
  TRY(auto first, bound());
  if (in_.accept_op(",")) {
    TRY(const auto count, bound());
    return fmt::format(" LIMIT {} OFFSET {}", count, first);
  }
  if (in_.accept("OFFSET")) {
    TRY(const auto offset, bound());
    return fmt::format(" LIMIT {} OFFSET {}", first, offset);
  }
  return " LIMIT " + first;
}

Result<void> SelectTranslator::locking_clauses() {
  while (true) {
    if (in_.accept({"LOCK", "IN", "SHARE", "MODE"})) continue;
    if (in_.is("FOR") && (in_.is("UPDATE", 1) || in_.is("SHARE", 1))) {
      in_.take();
      in_.take();
      in_.accept("NOWAIT") || in_.accept({"SKIP", "LOCKED"});
      continue;
    }
    return {};
  }
}

}  // namespace millrace::sql::dialect
