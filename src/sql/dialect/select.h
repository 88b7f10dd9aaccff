// SELECTs and expressions of MySQL (and StarRocks) rewritten as DuckDB SQL while they are parsed.
//
// One recursive descent: every method takes its part of the tokens and answers DuckDB's text for it. What
// changes on the way: names and strings are requoted, functions go through functions.h's table, operators
// and clauses that DuckDB lacks are spelt out, columns without alias get MySQL's name for them. What it
// does not know is a syntax error here; translate.cc then tries the text unparsed. Nesting is bounded.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sql/dialect/cursor.h"
#include "sql/dialect/translate.h"

namespace millrace::sql::dialect {

enum class Hint { kUnknown, kBool, kNumber, kString, kDate, kTimestamp, kTime, kInterval, kNull };

struct Expr {
  std::string sql;
  bool atom = true;  // needs no parentheses as an operand
  Hint hint = Hint::kUnknown;
  std::optional<std::string> string_literal;  // its value
  bool number_literal = false;
  bool plain_column = false;
};

class SelectTranslator {
 public:
  SelectTranslator(Cursor& cursor, const Context& context) : in_(cursor), context_(context) {}

  // [WITH ..] SELECT .. [UNION ..] [ORDER BY ..] [LIMIT ..], with MySQL's column names on top.
  Result<std::string> query(bool name_columns);
  bool at_query() const;
  Result<Expr> expression();
  // "a, b, c"
  Result<std::vector<Expr>> expression_list();
  // A type as CAST and CREATE TABLE have it: DuckDB's name for it.
  Result<std::string> type_name();
  Result<std::string> table_name();
  std::size_t parameters() const { return parameters_; }
  // Whether a query read so far has the process list in it, as it was at that moment.
  bool reads_processes() const { return reads_processes_; }
  // An operand with its signs: a DEFAULT.
  Result<Expr> unary();

 private:
  friend class FunctionTranslator;
  struct Item {
    std::string sql, alias;
    bool star = false;
  };
  struct Core {  // one SELECT's parts on the way
    std::vector<Item> items;
    std::string distinct, from, where, group_by, having, window, qualify;
    std::vector<std::string> group_keys;
    bool grouped = false;
  };

  // select.cc
  Result<std::string> with_clause();
  Result<std::string> query_term(bool name_columns);
  Result<std::string> select_core(bool name_columns);
  void select_modifiers(Core& core);
  Result<void> select_items(Core& core, bool name_columns);
  Result<Item> select_item(bool name_columns);
  Result<void> group_clause(Core& core);
  Result<void> tail_clauses(Core& core);
  Result<std::string> from_clause();
  Result<std::string> table_factor();
  Result<std::string> joined_table();
  bool at_process_table();
  Result<std::string> table_alias();
  void skip_index_hints();
  Result<std::string> order_by();
  Result<std::string> order_items();
  Result<std::string> limit();
  Result<void> locking_clauses();
  Result<std::string> window_definition();
  std::string with_aliases_resolved(std::string_view sql, const Core& core) const;
  std::string finish_core(Core core) const;
  std::string ungrouped(std::string_view sql, const Core& core, bool wrap) const;

  // expression.cc: one method per level of precedence, loosest first
  Result<Expr> or_level();
  Result<Expr> xor_level();
  Result<Expr> and_level();
  Result<Expr> not_level();
  Result<Expr> comparison();
  Result<Expr> predicate_tail(Expr left, bool& done);
  Result<Expr> in_list(Expr left, bool negated);
  Result<Expr> like(Expr left, bool negated);
  Result<Expr> binary_level(int level);
  Result<Expr> postfix(Expr base);

  // primary.cc
  Result<Expr> primary();
  Result<Expr> literal();
  Result<Expr> parenthesized();
  Result<Expr> name_or_call();
  Result<Expr> keyword_expression(bool& done);
  Result<Expr> case_expression();
  Result<Expr> interval();
  Result<Expr> cast();
  Result<Expr> convert();
  Result<Expr> column(std::string first);
  Result<Expr> system_variable(const std::string& name);
  Result<Expr> function_call(const std::string& name);
  Result<std::string> over_clause();
  Result<std::string> interval_unit();

 public:
  class Nesting;

 private:
  Cursor& in_;
  const Context& context_;
  std::size_t parameters_ = 0;
  int depth_ = 0;
  int aggregate_depth_ = 0;
  bool saw_aggregate_ = false;
  bool reads_processes_ = false;
  bool marks_columns_ = false;  // around every column, for the clause that is being read
};

// Helpers shared with functions.cc.
std::string operand(const Expr& expr);       // in parentheses unless an atom
std::string as_text(const Expr& expr);       // cast to VARCHAR unless known
std::string as_timestamp(const Expr& expr);  // NULL where it cannot be one
std::string as_date(const Expr& expr);
std::string as_number(const Expr& expr);  // for arithmetic: booleans and strings become numbers
Expr add_interval(const Expr& when, char sign, const Expr& interval, bool day_unit);
// In CASE, IF, COALESCE: a string literal beside other types makes the result text, as in MySQL.
void unify_branches(std::vector<Expr>& branches);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace millrace::sql::dialect
