// Operands: literals, parentheses, subqueries, CASE, CAST, INTERVAL, columns, calls.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/dialect/functions.h"
#include "sql/dialect/nesting.h"
#include "sql/dialect/select.h"
#include "sql/dialect/types.h"
#include "sql/dialect/variables.h"

namespace millrace::sql::dialect {
namespace {

// Words that end an expression: never a column without quotes.
constexpr std::array<std::string_view, 34> kReserved = {
    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER",   "LIMIT", "UNION", "INTERSECT", "EXCEPT", "AND",  "OR",
    "XOR",    "AS",   "ON",    "USING", "JOIN",   "LEFT",    "RIGHT", "INNER", "CROSS",     "THEN",   "WHEN", "ELSE",
    "WINDOW", "BY",   "INTO",  "IN",    "LIKE",   "BETWEEN", "DESC",  "ASC",   "IS",        "SET"};

Expr bytes_expr(const std::string& bytes) {
  std::string sql = "'";
  for (const unsigned char c : bytes) sql += fmt::format("\\x{:02X}", c);
  return {.sql = "CAST(" + sql + "' AS BLOB)"};
}

}  // namespace

bool is_reserved(const Token& token) {
  return token.kind == TokenKind::kWord && std::ranges::find(kReserved, to_upper(token.text)) != kReserved.end();
}

Result<Expr> SelectTranslator::primary() {
  const Token& token = in_.peek();
  switch (token.kind) {
    case TokenKind::kString:
    case TokenKind::kNumber:
    case TokenKind::kBytes:
    case TokenKind::kParameter: return literal();
    case TokenKind::kSystemVariable: return system_variable(in_.take().text);
    case TokenKind::kUserVariable: {
      const auto found = context_.user_variables.find(in_.take().text);
      if (found == context_.user_variables.end()) return Expr{.sql = "NULL", .hint = Hint::kNull};
      return Expr{.sql = found->second};
    }
    case TokenKind::kQuotedName: return name_or_call();
    case TokenKind::kOperator:
      if (in_.is_op("(")) return parenthesized();
      if (in_.is_op("*")) {
        in_.take();
        return Expr{.sql = "*"};
      }
      if (in_.is_op("{") && in_.is_name(1)) {  // {d '2024-01-31'}, {fn now()}
        in_.take();
        const std::string kind = to_upper(in_.take().text);
        TRY(auto inner, expression());
        TRY_VOID(in_.expect_op("}"));
        if (kind == "D") return Expr{.sql = as_date(inner), .hint = Hint::kDate};
        if (kind == "TS") return Expr{.sql = as_timestamp(inner), .hint = Hint::kTimestamp};
        return inner;
      }
      return fail(in_.error("expected an expression"));
    case TokenKind::kWord: break;
    case TokenKind::kEnd: return fail(in_.error("the statement ends too early"));
  }
  bool done = false;
  TRY(auto special, keyword_expression(done));
  if (done) return special;
  if (is_reserved(token) && !(in_.is_op("(", 1) && (in_.is("LEFT") || in_.is("RIGHT")))) {
    return fail(in_.error("expected an expression"));
  }
  return name_or_call();
}

Result<Expr> SelectTranslator::literal() {
  const Token token = in_.take();
  switch (token.kind) {
    case TokenKind::kString:
      return Expr{.sql = quote_literal(token.text), .hint = Hint::kString, .string_literal = token.text};
    case TokenKind::kNumber: return Expr{.sql = token.text, .hint = Hint::kNumber, .number_literal = true};
    case TokenKind::kBytes: return bytes_expr(token.text);
    default: ++parameters_; return Expr{.sql = "?"};
  }
}

Result<Expr> SelectTranslator::parenthesized() {
  in_.take();
  if (at_query()) {
    TRY(const auto inner, query(false));
    TRY_VOID(in_.expect_op(")"));
    return Expr{.sql = "(" + inner + ")"};
  }
  TRY(auto list, expression_list());
  TRY_VOID(in_.expect_op(")"));
  if (list.size() == 1) {
    Expr one = std::move(list[0]);
    if (!one.atom) one.sql = "(" + one.sql + ")";
    one.atom = true;
    one.plain_column = false;
    return one;
  }
  std::vector<std::string> parts;
  for (const auto& one : list) parts.push_back(one.sql);
  return Expr{.sql = "(" + join(parts, ", ") + ")"};
}

Result<Expr> SelectTranslator::keyword_expression(bool& done) {
  done = true;
  if (in_.accept("NULL")) return Expr{.sql = "NULL", .hint = Hint::kNull};
  if (in_.accept("TRUE")) return Expr{.sql = "TRUE", .hint = Hint::kBool};
  if (in_.accept("FALSE")) return Expr{.sql = "FALSE", .hint = Hint::kBool};
  if (in_.is("CASE")) return case_expression();
  if (in_.is("INTERVAL") && !in_.is_op(",", 1) && !in_.is_op(")", 1)) return interval();
  if (in_.is("CAST") && in_.is_op("(", 1)) return cast();
  if (in_.is("TRY_CAST") && in_.is_op("(", 1)) return cast();
  if (in_.is("CONVERT") && in_.is_op("(", 1)) return convert();
  if (in_.is("EXISTS") && in_.is_op("(", 1)) {
    in_.take();
    in_.take();
    TRY(const auto inner, query(false));
    TRY_VOID(in_.expect_op(")"));
    return Expr{.sql = "EXISTS (" + inner + ")", .hint = Hint::kBool};
  }
  if (in_.peek(1).kind == TokenKind::kString) {
    if (in_.accept("DATE")) {
      return Expr{.sql = "DATE " + quote_literal(in_.take().text), .hint = Hint::kDate};
    }
    if (in_.accept("TIMESTAMP")) {
      return Expr{.sql = "TIMESTAMP " + quote_literal(in_.take().text), .hint = Hint::kTimestamp};
    }
    if (in_.accept("TIME")) return Expr{.sql = "TIME " + quote_literal(in_.take().text), .hint = Hint::kTime};
    if (in_.peek().text.starts_with("_") && in_.peek().end == in_.peek(1).begin) {  // _utf8mb4'text'
      in_.take();
      return literal();
    }
  }
  done = false;
  return Expr{};
}

Result<Expr> SelectTranslator::case_expression() {
  in_.take();
  std::string subject;
  if (!in_.is("WHEN")) {
    TRY(const auto one, expression());
    subject = " " + one.sql;
  }
  std::vector<std::string> conditions;
  std::vector<Expr> branches;
  while (in_.accept("WHEN")) {
    TRY(auto when, expression());
    TRY_VOID(in_.expect("THEN"));
    TRY(auto then, expression());
    conditions.push_back(std::move(when.sql));
    branches.push_back(std::move(then));
  }
  const bool has_else = in_.accept("ELSE");
  if (has_else) {
    TRY(auto otherwise, expression());
    branches.push_back(std::move(otherwise));
  }
  TRY_VOID(in_.expect("END"));
  unify_branches(branches);
  std::string sql = "CASE" + subject;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    sql += " WHEN " + conditions[i] + " THEN " + branches[i].sql;
  }
  if (has_else) sql += " ELSE " + branches.back().sql;
  const Hint hint = branches.empty() ? Hint::kUnknown : branches[0].hint;
  const bool same = std::ranges::all_of(branches, [&](const auto& b) { return b.hint == hint; });
  return Expr{.sql = sql + " END", .hint = same ? hint : Hint::kUnknown};
}

Result<std::string> SelectTranslator::interval_unit() {
  static constexpr std::array<std::string_view, 9> kUnits = {"MICROSECOND", "SECOND", "MINUTE",  "HOUR", "DAY",
                                                             "WEEK",        "MONTH",  "QUARTER", "YEAR"};
  const std::string unit = to_upper(in_.peek().text);
  const std::string singular = unit.ends_with('S') ? unit.substr(0, unit.size() - 1) : unit;
  if (in_.peek().kind != TokenKind::kWord || std::ranges::find(kUnits, singular) == kUnits.end()) {
    return fail(in_.error("expected MICROSECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR"));
  }
  in_.take();
  return singular;
}

Result<Expr> SelectTranslator::interval() {
  in_.take();
  TRY(const auto amount, binary_level(0));
  TRY(const auto unit, interval_unit());
  return Expr{.sql = interval_sql(amount, unit), .hint = Hint::kInterval};
}

Result<Expr> SelectTranslator::cast() {
  const bool forgiving = is_word(in_.take(), "TRY_CAST");
  in_.take();
  TRY(const auto value, expression());
  TRY_VOID(in_.expect("AS"));
  TRY(const auto target, cast_type(in_));
  TRY_VOID(in_.expect_op(")"));
  return cast_to(value, target, forgiving);
}

Result<Expr> SelectTranslator::convert() {
  in_.take();
  in_.take();
  TRY(auto value, expression());
  if (in_.accept("USING")) {
    TRY_VOID(in_.name("a character set"));
    TRY_VOID(in_.expect_op(")"));
    return Expr{.sql = as_text(value), .hint = Hint::kString};
  }
  TRY_VOID(in_.expect_op(","));
  TRY(const auto target, cast_type(in_));
  TRY_VOID(in_.expect_op(")"));
  return cast_to(value, target, false);
}

Result<std::string> SelectTranslator::type_name() {
  TRY(const auto type, column_type(in_));
  return type.duckdb;
}

Result<Expr> SelectTranslator::name_or_call() {
  const Token token = in_.take();
  if (token.kind == TokenKind::kWord && in_.is_op("(")) return function_call(to_lower(token.text));
  if (token.kind == TokenKind::kWord) {
    if (const auto value = bare_function(to_lower(token.text))) return *value;
  }
  return column(token.text);
}

// a, t.a, db.t.a, t.*
Result<Expr> SelectTranslator::column(std::string first) {
  std::vector<std::string> parts = {std::move(first)};
  while (in_.is_op(".") && parts.size() < 3) {
    in_.take();
    if (in_.accept_op("*")) return Expr{.sql = quote_path(parts) + ".*"};
    TRY(auto next, in_.name("a name after '.'"));
    parts.push_back(std::move(next));
  }
  if (parts.size() == 3) parts[0] = engine_database(parts[0]);
  std::string sql = quote_path(parts);
  if (marks_columns_ || (context_.loose_group_by && aggregate_depth_ == 0)) sql = '\x01' + sql + '\x02';
  return Expr{.sql = std::move(sql), .plain_column = true};
}

Result<Expr> SelectTranslator::system_variable(const std::string& name) {
  const auto dot = name.find('.');
  const bool scoped = dot != std::string::npos;
  const std::string scope = scoped ? name.substr(0, dot) : "";
  const std::string plain =
      scope == "session" || scope == "global" || scope == "local" || scope == "persist" ? name.substr(dot + 1) : name;
  const auto value = variable_value(context_, plain);
  if (!value) return fail(Code::kInvalid, fmt::format("Unknown system variable '{}'", plain));
  if (plain == "character_set_results" && value->empty()) return Expr{.sql = "NULL", .hint = Hint::kNull};
  const bool number =
      !value->empty() && value->size() < 19 &&
      value->find_first_not_of("0123456789", (*value)[0] == '-' && value->size() > 1 ? 1 : 0) == std::string::npos;
  if (number) return Expr{.sql = "CAST(" + *value + " AS BIGINT)", .hint = Hint::kNumber};
  if (*value == "ON" || *value == "OFF") {  // SELECT shows booleans as numbers, SHOW as words
    return Expr{.sql = *value == "ON" ? "CAST(1 AS BIGINT)" : "CAST(0 AS BIGINT)", .hint = Hint::kNumber};
  }
  return Expr{.sql = quote_literal(*value), .hint = Hint::kString, .string_literal = *value};
}

}  // namespace millrace::sql::dialect
