// Operators, loosest first (MySQL 8.0 manual, 12.4.1): OR, XOR, AND, NOT, comparisons, | & << + * ^ unary.
#include <fmt/format.h>

#include <array>

#include "sql/dialect/nesting.h"
#include "sql/dialect/select.h"

namespace millrace::sql::dialect {
namespace {

Expr compound(std::string sql, Hint hint = Hint::kUnknown) {
  return {.sql = std::move(sql), .atom = false, .hint = hint};
}
Expr condition(std::string sql) { return compound(std::move(sql), Hint::kBool); }

// The left side of a chain of one operator: no parentheses around what the chain itself made, because
// DuckDB bounds the depth of expressions but not the length of a chain.
std::string chained(Expr left, bool first) { return first ? operand(left) : std::move(left.sql); }

struct Operator {
  std::string_view mysql;  // upper case
  std::string_view duckdb;
};
// From | up to ^; unary is tighter.
constexpr std::array<std::array<Operator, 4>, 6> kLevels = {{
    {{{"|", "|"}}},
    {{{"&", "&"}}},
    {{{"<<", "<<"}, {">>", ">>"}}},
    {{{"+", "+"}, {"-", "-"}}},
    {{{"*", "*"}, {"/", "/"}, {"%", "%"}}},
    {{{"^", "xor"}}},
}};

constexpr std::array kComparisons = std::to_array<Operator>({{"=", "="},
                                                             {"<=>", "IS NOT DISTINCT FROM"},
                                                             {"<>", "<>"},
                                                             {"!=", "<>"},
                                                             {"<=", "<="},
                                                             {">=", ">="},
                                                             {"<", "<"},
                                                             {">", ">"}});

}  // namespace

std::string operand(const Expr& expr) { return expr.atom ? expr.sql : "(" + expr.sql + ")"; }

std::string as_text(const Expr& expr) {
  if (expr.hint == Hint::kString) return operand(expr);
  if (expr.hint == Hint::kBool) return "CAST(CAST(" + expr.sql + " AS INTEGER) AS VARCHAR)";
  return "CAST(" + expr.sql + " AS VARCHAR)";
}

std::string as_timestamp(const Expr& expr) {
  return expr.hint == Hint::kTimestamp ? operand(expr) : "TRY_CAST(" + expr.sql + " AS TIMESTAMP)";
}

std::string as_date(const Expr& expr) {
  if (expr.hint == Hint::kDate) return operand(expr);
  // '2024-01-31 10:00' is a date too.
  return expr.hint == Hint::kString ? "CAST(TRY_CAST(" + expr.sql + " AS TIMESTAMP) AS DATE)"
                                    : "TRY_CAST(" + expr.sql + " AS DATE)";
}

std::string as_number(const Expr& expr) {
  if (expr.hint == Hint::kBool) return "CAST(" + expr.sql + " AS INTEGER)";
  if (expr.hint == Hint::kString) return "coalesce(TRY_CAST(" + expr.sql + " AS DOUBLE), 0)";
  return operand(expr);
}

Expr add_interval(const Expr& when, char sign, const Expr& interval, bool day_unit) {
  const bool dated = when.hint == Hint::kDate || (when.string_literal && when.string_literal->size() == 10);
  std::string base = operand(when);
  if (when.hint == Hint::kString) base = as_timestamp(when);
  const std::string sum = fmt::format("{} {} {}", base, sign, operand(interval));
  // DuckDB makes a timestamp of date + interval.
  if (dated && day_unit) return {.sql = "CAST(" + sum + " AS DATE)", .hint = Hint::kDate};
  return compound(sum, when.hint == Hint::kUnknown ? Hint::kUnknown : Hint::kTimestamp);
}

void unify_branches(std::vector<Expr>& branches) {
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789.-") == std::string::npos;
  };
  bool literal = false, other = false;
  for (const auto& branch : branches) {
    if (branch.string_literal) {
      literal = literal || !is_number(*branch.string_literal);
    } else if (branch.hint != Hint::kNull && branch.hint != Hint::kString) {
      other = true;
    }
  }
  if (!literal || !other) return;
  for (auto& branch : branches) {
    if (branch.hint == Hint::kNull) continue;
    branch.sql = "CAST(" + branch.sql + " AS VARCHAR)";
    branch.atom = true;
    branch.hint = Hint::kString;
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

Result<Expr> SelectTranslator::expression() {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail(in_.error("an expression nested too deeply"));
  return or_level();
}

Result<std::vector<Expr>> SelectTranslator::expression_list() {
  std::vector<Expr> list;
  do {
    TRY(auto one, expression());
    list.push_back(std::move(one));
  } while (in_.accept_op(","));
  return list;
}

Result<Expr> SelectTranslator::or_level() {
  TRY(auto left, xor_level());
  bool first = true;
  while (in_.is("OR") || in_.is_op("||")) {
    in_.take();
    TRY(const auto right, xor_level());
    left = condition(chained(std::move(left), first) + " OR " + operand(right));
    first = false;
  }
  return left;
}

Result<Expr> SelectTranslator::xor_level() {
  TRY(auto left, and_level());
  while (in_.accept("XOR")) {
    TRY(const auto right, and_level());
    left = condition(fmt::format("CAST({} AS BOOLEAN) <> CAST({} AS BOOLEAN)", left.sql, right.sql));
  }
  return left;
}

Result<Expr> SelectTranslator::and_level() {
  TRY(auto left, not_level());
  bool first = true;
  while (in_.is("AND") || in_.is_op("&&")) {
    in_.take();
    TRY(const auto right, not_level());
    left = condition(chained(std::move(left), first) + " AND " + operand(right));
    first = false;
  }
  return left;
}

Result<Expr> SelectTranslator::not_level() {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail(in_.error("an expression nested too deeply"));
  if (!in_.accept("NOT")) return comparison();
  TRY(const auto inner, not_level());
  return condition("NOT " + operand(inner));
}

Result<Expr> SelectTranslator::comparison() {
  TRY(auto left, binary_level(0));
  while (true) {
    bool done = false;
    TRY(left, predicate_tail(std::move(left), done));
    if (done) return left;
  }
}

// One comparison, IS, IN, LIKE, BETWEEN or REGEXP after `left`; `done` when there is none.
Result<Expr> SelectTranslator::predicate_tail(Expr left, bool& done) {
  for (const auto& op : kComparisons) {
    if (!in_.accept_op(op.mysql)) continue;
    if (in_.is("ALL") || in_.is("ANY") || in_.is("SOME")) {
      const std::string quantifier = in_.is("ALL") ? "ALL" : "ANY";
      in_.take();
      TRY_VOID(in_.expect_op("("));
      TRY(const auto inner, query(false));
      TRY_VOID(in_.expect_op(")"));
      return condition(fmt::format("{} {} {} ({})", operand(left), op.duckdb, quantifier, inner));
    }
    TRY(const auto right, binary_level(0));
    return condition(fmt::format("{} {} {}", operand(left), op.duckdb, operand(right)));
  }
  if (in_.accept("IS")) {
    const std::string maybe_not = in_.accept("NOT") ? "NOT " : "";
    if (in_.accept("UNKNOWN")) return condition(operand(left) + " IS " + maybe_not + "NULL");
    for (const std::string_view what : {"NULL", "TRUE", "FALSE"}) {
      if (!in_.accept(what)) continue;
      const std::string subject = what == "NULL" ? operand(left) : "CAST(" + left.sql + " AS BOOLEAN)";
      return condition(fmt::format("{} IS {}{}", subject, maybe_not, what));
    }
    return fail(in_.error("expected NULL, TRUE, FALSE or UNKNOWN"));
  }
  const bool negated = in_.is("NOT") && (in_.is("IN", 1) || in_.is("LIKE", 1) || in_.is("BETWEEN", 1) ||
                                         in_.is("REGEXP", 1) || in_.is("RLIKE", 1) || in_.is("ILIKE", 1));
  if (negated) in_.take();
  const std::string maybe_not = negated ? "NOT " : "";
  if (in_.accept("IN")) return in_list(std::move(left), negated);
  if (in_.is("LIKE") || in_.is("ILIKE")) return like(std::move(left), negated);
  if (in_.accept("BETWEEN")) {
    TRY(const auto low, binary_level(0));
    TRY_VOID(in_.expect("AND"));
    TRY(const auto high, binary_level(0));
    return condition(fmt::format("{} {}BETWEEN {} AND {}", operand(left), maybe_not, operand(low), operand(high)));
  }
  if (in_.accept("REGEXP") || in_.accept("RLIKE")) {
    TRY(const auto pattern, binary_level(0));
    return condition(fmt::format("{}regexp_matches({}, {})", maybe_not, as_text(left), pattern.sql));
  }
  done = true;
  return left;
}

Result<Expr> SelectTranslator::in_list(Expr left, bool negated) {
  TRY_VOID(in_.expect_op("("));
  std::string inside;
  if (at_query()) {
    TRY(inside, query(false));
  } else {
    TRY(const auto list, expression_list());
    std::vector<std::string> parts;
    for (const auto& one : list) parts.push_back(one.sql);
    inside = join(parts, ", ");
  }
  TRY_VOID(in_.expect_op(")"));
  return condition(fmt::format("{} {}IN ({})", operand(left), negated ? "NOT " : "", inside));
}

Result<Expr> SelectTranslator::like(Expr left, bool negated) {
  const std::string word = to_upper(in_.take().text);
  TRY(const auto pattern, binary_level(0));
  std::string escape = "\\";
  if (in_.accept("ESCAPE")) {
    TRY(escape, in_.string("the escape character"));
  } else if (pattern.string_literal && pattern.string_literal->find('\\') == std::string::npos) {
    escape.clear();  // DuckDB is faster without
  }
  std::string sql = fmt::format("{} {}{} {}", operand(left), negated ? "NOT " : "", word, operand(pattern));
  if (!escape.empty()) sql += " ESCAPE " + quote_literal(escape);
  return condition(std::move(sql));
}

Result<Expr> SelectTranslator::binary_level(int level) {
  if (level == static_cast<int>(kLevels.size())) return unary();
  TRY(auto left, binary_level(level + 1));
  while (true) {
    std::string_view op;
    for (const auto& candidate : kLevels[static_cast<std::size_t>(level)]) {
      if (!candidate.mysql.empty() && in_.is_op(candidate.mysql)) op = candidate.duckdb;
    }
    if (level == 4 && in_.is("DIV")) op = "//";
    if (level == 4 && in_.is("MOD")) op = "%";
    if (op.empty()) return left;
    in_.take();
    TRY(const auto right, binary_level(level + 1));
    if (level == 3 && right.hint == Hint::kInterval) {
      const bool day_unit = right.sql.find("DAY") != std::string::npos ||
                            right.sql.find("MONTH") != std::string::npos ||
                            right.sql.find("YEAR") != std::string::npos || right.sql.find("WEEK") != std::string::npos;
      left = add_interval(left, op[0], right, day_unit);
    } else if (level == 3 && left.hint == Hint::kInterval) {
      left = add_interval(right, op[0], left, false);
    } else if (op == "xor") {
      left = {.sql = fmt::format("xor({}, {})", as_number(left), as_number(right)), .hint = Hint::kNumber};
    } else {
      // MySQL counts in 64 bits; DuckDB takes two small literals for 32.
      if (left.number_literal && right.number_literal && left.sql.find_first_of(".eE") == std::string::npos) {
        left.sql = "CAST(" + left.sql + " AS BIGINT)";
        left.atom = true;
      }
      const bool dates = left.hint == Hint::kDate || left.hint == Hint::kTimestamp;
      left = compound(fmt::format("{} {} {}", as_number(left), op, as_number(right)),
                      dates ? Hint::kUnknown : Hint::kNumber);
    }
  }
}

Result<Expr> SelectTranslator::unary() {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail(in_.error("an expression nested too deeply"));
  if (in_.accept_op("!")) {
    TRY(const auto inner, unary());
    return condition("NOT " + operand(inner));
  }
  if (in_.accept_op("-")) {
    TRY(const auto inner, unary());
    Expr result = compound("-" + as_number(inner), Hint::kNumber);
    result.number_literal = inner.number_literal;
    return result;
  }
  if (in_.accept_op("+")) return unary();
  if (in_.accept_op("~")) {
    TRY(const auto inner, unary());
    return compound("~" + as_number(inner), Hint::kNumber);
  }
  if (in_.is("BINARY") && !in_.is_op(",", 1) && !in_.is_op(")", 1)) {
    in_.take();
    return unary();  // comparisons are by bytes already
  }
  TRY(auto base, primary());
  return postfix(std::move(base));
}

// COLLATE name, -> '$.path', ->> '$.path', :: type.
Result<Expr> SelectTranslator::postfix(Expr base) {
  while (true) {
    if (in_.accept("COLLATE")) {
      TRY_VOID(in_.name("a collation"));
    } else if (in_.is_op("->") || in_.is_op("->>")) {
      const std::string op = in_.take().text;
      TRY(const auto path, in_.string("a JSON path"));
      base = {.sql = fmt::format("({} {} {})", operand(base), op, quote_literal(path)), .hint = Hint::kUnknown};
    } else if (in_.accept_op("::")) {
      TRY(const auto type, type_name());
      base = {.sql = fmt::format("CAST({} AS {})", base.sql, type)};
    } else {
      return base;
    }
  }
}

}  // namespace millrace::sql::dialect
