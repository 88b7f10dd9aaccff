// Function calls whose arguments have a grammar of their own: COUNT, GROUP_CONCAT, EXTRACT, TRIM,
// SUBSTRING .. FROM, TIMESTAMPDIFF, DATE_ADD, and windows (OVER).
#include <fmt/format.h>

#include <array>

#include "sql/dialect/functions.h"
#include "sql/dialect/nesting.h"
#include "sql/dialect/select.h"
#include "sql/dialect/types.h"

namespace millrace::sql::dialect {

class FunctionTranslator {
 public:
  FunctionTranslator(SelectTranslator& select, std::string name)
      : s_(select), in_(select.in_), name_(std::move(name)) {}

  // After '('; takes the ')'.
  Result<Expr> call() {
    if (name_ == "count") return count();
    if (name_ == "group_concat") return group_concat();
    if (name_ == "extract") return extract();
    if (name_ == "trim") return trim();
    if (name_ == "position") return position();
    if (name_ == "timestampdiff" || name_ == "timestampadd" || name_ == "date_diff") return with_unit();
    if (name_ == "date_add" || name_ == "adddate" || name_ == "date_sub" || name_ == "subdate") return date_add();
    if (name_ == "time_slice" || name_ == "date_slice") return time_slice();
    if (name_ == "values" || name_ == "match") {
      return fail(in_.error(name_ == "match" ? "MATCH .. AGAINST is not supported" : "VALUES() is not supported here"));
    }
    return ordinary();
  }

 private:
  Result<Expr> count() {
    if (in_.accept_op("*")) {
      TRY_VOID(in_.expect_op(")"));
      return Expr{.sql = "count(*)", .hint = Hint::kNumber};
    }
    const bool distinct = in_.accept("DISTINCT");
    TRY(const auto list, s_.expression_list());
    TRY_VOID(in_.expect_op(")"));
    if (!distinct && list.size() == 1) return Expr{.sql = "count(" + list[0].sql + ")", .hint = Hint::kNumber};
    std::vector<std::string> parts, nulls;
    for (const auto& one : list) {
      parts.push_back(one.sql);
      nulls.push_back(operand(one) + " IS NOT NULL");
    }
    // A row with a NULL in it is not counted.
    std::string what = parts[0];
    if (parts.size() > 1) what = fmt::format("CASE WHEN {} THEN ({}) END", join(nulls, " AND "), join(parts, ", "));
    return Expr{.sql = fmt::format("count({}{})", distinct ? "DISTINCT " : "", what), .hint = Hint::kNumber};
  }

  Result<Expr> group_concat() {
    const bool distinct = in_.accept("DISTINCT");
    TRY(const auto list, s_.expression_list());
    std::vector<std::string> parts;
    for (const auto& one : list) parts.push_back(as_text(one));
    const std::string value = join(parts, " || ");
    std::string order;
    if (in_.accept({"ORDER", "BY"})) {
      // DISTINCT may only be ordered by what is aggregated.
      const bool by_itself = distinct && list.size() == 1;
      TRY(const auto by, s_.order_items());
      order = " ORDER BY " + (by_itself ? value + (by.ends_with(" DESC") ? " DESC" : "") : by);
    }
    std::string separator = "','";
    if (in_.accept("SEPARATOR")) {
      TRY(const auto text, in_.string("the separator"));
      separator = quote_literal(text);
    }
    TRY_VOID(in_.expect_op(")"));
    return Expr{.sql = fmt::format("string_agg({}{}, {}{})", distinct ? "DISTINCT " : "", value, separator, order),
                .hint = Hint::kString};
  }

  // EXTRACT(DAY_MINUTE FROM t): the units from the first to the last, two digits each.
  Result<Expr> extract_several(std::size_t first, std::size_t last) {
    in_.take();
    TRY_VOID(in_.expect("FROM"));
    TRY(const auto when, s_.expression());
    TRY_VOID(in_.expect_op(")"));
    std::string sql;
    for (std::size_t i = first; i <= last; ++i) {
      TRY(const auto part, call_of(to_lower(kExtracted[i]), {when}, s_.context_));
      sql = sql.empty() ? operand(part) : fmt::format("({} * 100 + {})", sql, operand(part));
    }
    return Expr{.sql = std::move(sql), .hint = Hint::kNumber};
  }

  Result<Expr> extract() {
    for (std::size_t first = 0; first < kExtracted.size(); ++first) {
      for (std::size_t last = first + 1; last < kExtracted.size(); ++last) {
        const bool years = first < 2;
        if (years != (last < 2)) continue;
        if (in_.is(fmt::format("{}_{}", kExtracted[first], kExtracted[last]))) return extract_several(first, last);
      }
    }
    TRY(const auto unit, s_.interval_unit());
    TRY_VOID(in_.expect("FROM"));
    TRY(auto when, s_.expression());
    TRY_VOID(in_.expect_op(")"));
    return call_of(to_lower(unit), {std::move(when)}, s_.context_);
  }

  Result<Expr> trim() {
    std::string side = "trim";
    bool sided = true;
    if (in_.accept("LEADING"))
      side = "ltrim";
    else if (in_.accept("TRAILING"))
      side = "rtrim";
    else if (!in_.accept("BOTH"))
      sided = false;
    std::string what;
    Expr subject;
    if (!(sided && in_.is("FROM"))) {
      TRY(subject, s_.expression());
    }
    if (in_.accept("FROM")) {
      what = subject.sql;
      TRY(subject, s_.expression());
    }
    TRY_VOID(in_.expect_op(")"));
    const std::string more = what.empty() ? "" : ", " + what;
    return Expr{.sql = fmt::format("{}({}{})", side, as_text(subject), more), .hint = Hint::kString};
  }

  Result<Expr> position() {
    TRY(auto needle, s_.binary_level(0));
    if (!in_.accept("IN")) TRY_VOID(in_.expect_op(","));
    TRY(auto haystack, s_.expression());
    TRY_VOID(in_.expect_op(")"));
    return call_of("position", {std::move(needle), std::move(haystack)}, s_.context_);
  }

  Result<Expr> with_unit() {
    std::string unit;
    if (name_ == "date_diff") {  // StarRocks: DATE_DIFF('day', a, b)
      TRY(unit, in_.string("a unit"));
    } else {
      in_.accept("FRAC_SECOND");
      if (to_upper(in_.peek().text).starts_with("SQL_TSI_")) {
        unit = in_.take().text.substr(8);
      } else {
        TRY(unit, s_.interval_unit());
      }
    }
    TRY_VOID(in_.expect_op(","));
    TRY(auto first, s_.expression());
    TRY_VOID(in_.expect_op(","));
    TRY(auto second, s_.expression());
    TRY_VOID(in_.expect_op(")"));
    if (name_ == "timestampadd") {
      const Expr interval{.sql = interval_sql(first, to_upper(unit)), .hint = Hint::kInterval};
      return add_interval(second, '+', interval, is_day_unit(to_upper(unit)));
    }
    const std::string a = as_timestamp(name_ == "date_diff" ? second : first);
    const std::string b = as_timestamp(name_ == "date_diff" ? first : second);
    // Whole units between the two.
    return Expr{.sql = fmt::format("date_sub({}, {}, {})", quote_literal(to_lower(unit)), a, b), .hint = Hint::kNumber};
  }

  static bool is_day_unit(const std::string& unit) {
    return unit == "DAY" || unit == "WEEK" || unit == "MONTH" || unit == "QUARTER" || unit == "YEAR";
  }

  Result<Expr> date_add() {
    TRY(const auto when, s_.expression());
    TRY_VOID(in_.expect_op(","));
    const char sign = name_.ends_with("sub") ? '-' : '+';
    Expr amount;
    std::string unit = "DAY";
    if (in_.accept("INTERVAL")) {
      TRY(amount, s_.binary_level(0));
      TRY(unit, s_.interval_unit());
    } else {
      TRY(amount, s_.expression());
    }
    TRY_VOID(in_.expect_op(")"));
    Expr result =
        add_interval(when, sign, {.sql = interval_sql(amount, unit), .hint = Hint::kInterval}, is_day_unit(unit));
    result.sql = operand(result);
    result.atom = true;
    return result;
  }

  Result<Expr> time_slice() {
    TRY(const auto when, s_.expression());
    TRY_VOID(in_.expect_op(","));
    TRY_VOID(in_.expect("INTERVAL"));
    TRY(const auto amount, s_.binary_level(0));
    TRY(const auto unit, s_.interval_unit());
    if (in_.accept_op(",")) in_.take();  // FLOOR
    TRY_VOID(in_.expect_op(")"));
    return Expr{.sql = fmt::format("time_bucket({}, {})", interval_sql(amount, unit), as_timestamp(when)),
                .hint = Hint::kTimestamp};
  }

  Result<Expr> ordinary() {
    const bool distinct = in_.accept("DISTINCT");
    std::vector<Expr> arguments;
    if (!in_.is_op(")")) {
      TRY(auto first, s_.expression());
      arguments.push_back(std::move(first));
      // SUBSTRING(x FROM a FOR b) is SUBSTRING(x, a, b).
      while (in_.accept_op(",") || in_.accept("FROM") || in_.accept("FOR")) {
        TRY(auto next, s_.expression());
        arguments.push_back(std::move(next));
      }
    }
    TRY_VOID(in_.expect_op(")"));
    if (distinct && !arguments.empty()) {
      arguments[0].sql = "DISTINCT " + as_number(arguments[0]);
      arguments[0].hint = Hint::kUnknown;
      return Expr{.sql = fmt::format("{}({})", name_, arguments[0].sql), .hint = Hint::kNumber};
    }
    return call_of(name_, std::move(arguments), s_.context_);
  }

  static constexpr std::array<std::string_view, 6> kExtracted = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};

  SelectTranslator& s_;
  Cursor& in_;
  std::string name_;
};

Result<Expr> SelectTranslator::function_call(const std::string& name) {
  in_.take();  // (
  const bool aggregate = is_aggregate(name);
  if (aggregate) ++aggregate_depth_;
  FunctionTranslator function(*this, name);
  auto call = function.call();
  if (aggregate) --aggregate_depth_;
  if (!call) return call;
  if (in_.is("OVER")) {
    TRY(const auto over, over_clause());
    call->sql += over;
  } else if (aggregate) {
    saw_aggregate_ = true;
  }
  return call;
}

Result<std::string> SelectTranslator::over_clause() {
  in_.take();
  if (in_.is_name()) return " OVER " + quote_name(in_.take().text);
  TRY(const auto definition, window_definition());
  return " OVER " + definition;
}

// (PARTITION BY .. ORDER BY .. ROWS ..)
Result<std::string> SelectTranslator::window_definition() {
  TRY_VOID(in_.expect_op("("));
  std::string out = "(";
  if (in_.peek().kind == TokenKind::kQuotedName) out += quote_name(in_.take().text);
  if (in_.accept({"PARTITION", "BY"})) {
    TRY(const auto list, expression_list());
    std::vector<std::string> parts;
    for (const auto& one : list) parts.push_back(one.sql);
    out += "PARTITION BY " + join(parts, ", ");
  }
  if (in_.accept({"ORDER", "BY"})) {
    TRY(const auto items, order_items());
    out += " ORDER BY " + items;
  }
  // The frame has no expressions to rewrite but numbers and intervals.
  while (!in_.is_op(")")) {
    if (in_.at_end() || in_.is_op("(")) return fail(in_.error("expected ')'"));
    if (in_.is("INTERVAL")) {
      TRY(const auto bound, interval());
      out += " " + bound.sql;
    } else {
      out += " " + in_.take().text;
    }
  }
  in_.take();
  return out + ")";
}

}  // namespace millrace::sql::dialect
