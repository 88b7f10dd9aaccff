#include "sql/dialect/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sql/dialect/statement_parser.h"
#include "sql/dialect/variables.h"

namespace millrace::sql::dialect {
namespace {

LexOptions lex_options(const Context& context) {
  const auto mode = variable_value(context, "sql_mode").value_or("");
  return {.ansi_quotes = mode.find("ANSI") != std::string::npos};
}

// The text with names and strings requoted and nothing else: for SELECTs beyond our grammar.
std::string requoted(const std::vector<Token>& tokens) {
  std::string out;
  for (const auto& token : tokens) {
    switch (token.kind) {
      case TokenKind::kQuotedName: out += quote_name(token.text); break;
      case TokenKind::kString: out += quote_literal(token.text); break;
      default: out += token.text; break;
    }
    const bool tight = &token != &tokens.back() && (&token + 1)->begin == token.end;
    if (!tight) out += ' ';
  }
  return out;
}

}  // namespace

Result<Action> translate(std::string_view mysql_sql, const Context& context) {
  TRY(auto tokens, lex(mysql_sql, lex_options(context)));
  if (tokens.size() == 1) return fail(Code::kInvalid, "Query was empty");
  const bool reads = is_word(tokens[0], "SELECT") || is_word(tokens[0], "WITH");
  StatementParser parser(mysql_sql, tokens, context);
  auto action = parser.statement();
  if (action || !reads || action.error().code() != Code::kInvalid) return action;
  const bool variables = std::ranges::any_of(tokens, [](const auto& token) {
    return token.kind == TokenKind::kSystemVariable || token.kind == TokenKind::kUserVariable;
  });
  // DuckDB's own syntax (lists, lambdas, PIVOT, ...) passes; its parser says what is wrong with the rest.
  if (variables) return action;
  return Query{requoted(tokens),
               static_cast<std::size_t>(std::ranges::count(tokens, TokenKind::kParameter, &Token::kind))};
}

Result<std::vector<std::string>> split_statements(std::string_view text) {
  TRY(const auto tokens, lex(text));
  std::vector<std::string> out;
  std::size_t begin = 0;
  bool any = false;
  for (const auto& token : tokens) {
    const bool ends = token.kind == TokenKind::kEnd || (token.kind == TokenKind::kOperator && token.text == ";");
    if (!ends) {
      any = true;
      continue;
    }
    if (any) {
      std::string_view one = text.substr(begin, token.begin - begin);
      while (!one.empty() && (one.front() == ' ' || (one.front() >= '\t' && one.front() <= '\r'))) one.remove_prefix(1);
      out.emplace_back(one);
    }
    any = false;
    begin = token.end;
  }
  return out;
}

Result<std::size_t> count_parameters(std::string_view mysql_sql) {
  TRY(const auto tokens, lex(mysql_sql));
  return static_cast<std::size_t>(std::ranges::count(tokens, TokenKind::kParameter, &Token::kind));
}

Result<std::string> bind_parameters(std::string_view mysql_sql, const std::vector<std::string>& literals) {
  TRY(const auto tokens, lex(mysql_sql));
  std::string out;
  std::size_t copied = 0, used = 0;
  for (const auto& token : tokens) {
    if (token.kind != TokenKind::kParameter) continue;
    if (used == literals.size()) return fail(Code::kInvalid, "Incorrect arguments to EXECUTE: too few parameters");
    out += mysql_sql.substr(copied, token.begin - copied);
    out += " " + literals[used++] + " ";
    copied = token.end;
  }
  if (used != literals.size()) return fail(Code::kInvalid, "Incorrect arguments to EXECUTE: too many parameters");
  out += mysql_sql.substr(copied);
  return out;
}

Result<Action> StatementParser::statement() {
  TRY(auto action, dispatch());
  in_.accept_op(";");
  if (!in_.at_end()) return fail(in_.error("unexpected text"));
  return action;
}

Result<Action> StatementParser::dispatch() {
  if (in_.is("SELECT") || in_.is("WITH") || in_.is_op("(") || in_.is("VALUES")) return select();
  if (in_.accept("TABLE")) {
    TRY(const auto table, select_.table_name());
    return Query{"SELECT * FROM " + table};
  }
  if (in_.accept("SHOW")) return show();
  if (in_.is("SET")) return set();
  if (in_.accept("USE")) {
    TRY(auto name, in_.name("a database"));
    if (in_.accept_op(".")) {  // StarRocks: USE default_catalog.db
      TRY(name, in_.name("a database"));
    }
    return UseDatabase{std::move(name)};
  }
  if (in_.is("DESCRIBE") || in_.is("DESC") || in_.is("EXPLAIN")) return describe();
  if (in_.accept("CREATE")) return create();
  if (in_.accept("DROP")) return drop();
  if (in_.accept("ALTER")) return alter();
  if (in_.accept("TRUNCATE")) {
    in_.accept("TABLE");
    TRY(auto table, object_name("a table"));
    return EngineStatement(TruncateTable{std::move(table)});
  }
  if (in_.is("INSERT") || in_.is("REPLACE")) return insert();
  if (in_.accept("UPDATE")) return update();
  if (in_.accept("DELETE")) return delete_();
  if (in_.accept({"PAUSE", "ROUTINE", "LOAD"})) return control_routine_load(ControlRoutineLoad::Action::kPause);
  if (in_.accept({"RESUME", "ROUTINE", "LOAD"})) return control_routine_load(ControlRoutineLoad::Action::kResume);
  if (in_.accept({"STOP", "ROUTINE", "LOAD"})) return control_routine_load(ControlRoutineLoad::Action::kStop);
  bool done = false;
  TRY(auto action, session_statement(done));
  if (done) return action;
  return fail(in_.error("unknown statement"));
}

Result<Action> StatementParser::select() {
  TRY(auto sql, select_.query(true));
  return Query{std::move(sql), select_.parameters()};
}

Result<Action> StatementParser::explain() {
  const bool analyze = in_.accept("ANALYZE");
  for (const std::string_view word : {"EXTENDED", "VERBOSE", "COSTS", "LOGICAL"}) in_.accept(word);
  if (in_.accept("FORMAT")) {
    TRY_VOID(in_.expect_op("="));
    in_.take();
  }
  TRY(auto sql, select_.query(true));
  return Query{(analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ") + sql, select_.parameters()};
}

Result<Action> StatementParser::session_statement(bool& done) {
  done = true;
  if (in_.accept("KILL")) return kill();
  TRY(auto transaction, begin_or_end(done));
  if (done) return transaction;
  TRY(auto prepared, prepared_text(done));
  if (done) return prepared;
  return ignored(done);
}

Result<Action> StatementParser::begin_or_end(bool& done) {
  using Kind = Transaction::Kind;
  done = true;
  std::optional<Kind> kind;
  if (in_.accept({"START", "TRANSACTION"}) || in_.accept("BEGIN"))
    kind = Kind::kBegin;
  else if (in_.accept("COMMIT"))
    kind = Kind::kCommit;
  else if (in_.is("ROLLBACK") && !in_.is("TO", 1)) {
    in_.take();
    kind = Kind::kRollback;
  }
  done = kind.has_value();
  if (!done) return Nothing{};
  skip_rest();  // WORK, READ ONLY, WITH CONSISTENT SNAPSHOT, AND NO CHAIN
  return EngineStatement(Transaction{*kind});
}

Result<Action> StatementParser::kill() {
  Kill kill;
  if (in_.accept("QUERY"))
    kill.query_only = true;
  else
    in_.accept("CONNECTION");
  if (in_.peek().kind != TokenKind::kNumber) return fail(in_.error("expected a connection id"));
  const std::string digits = in_.take().text;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), kill.id);
  if (error != std::errc()) return fail(Code::kNotFound, "Unknown thread id: " + digits);
  return kill;
}

Result<Action> StatementParser::prepared_text(bool& done) {
  done = true;
  if (in_.accept("PREPARE")) {
    TRY(auto name, in_.name("a statement name"));
    TRY_VOID(in_.expect("FROM"));
    if (in_.peek().kind == TokenKind::kUserVariable) {
      return fail(Code::kUnsupported, "PREPARE .. FROM @variable is not supported; give the text");
    }
    TRY(auto sql, in_.string("the statement"));
    return PrepareText{to_lower(name), std::move(sql)};
  }
  if (in_.accept("EXECUTE")) {
    ExecuteText execute;
    TRY(const auto name, in_.name("a statement name"));
    execute.name = to_lower(name);
    if (in_.accept("USING")) {
      do {
        if (in_.peek().kind != TokenKind::kUserVariable) return fail(in_.error("expected a user variable"));
        execute.user_variables.push_back(in_.take().text);
      } while (in_.accept_op(","));
    }
    return execute;
  }
  if (in_.accept({"DEALLOCATE", "PREPARE"}) || in_.accept({"DROP", "PREPARE"})) {
    TRY(const auto name, in_.name("a statement name"));
    return DeallocateText{to_lower(name)};
  }
  done = false;
  return Nothing{};
}

// Statements that clients send and that have nothing to do here.
Result<Action> StatementParser::ignored(bool& done) {
  for (const std::string_view word :
       {"LOCK", "UNLOCK", "FLUSH", "ANALYZE", "OPTIMIZE", "CHECK", "SAVEPOINT", "RELEASE", "ROLLBACK", "DO", "RESET"}) {
    if (!in_.is(word)) continue;
    skip_rest();
    done = true;
    return Nothing{};
  }
  done = false;
  return Nothing{};
}

Result<std::string> StatementParser::current_database() {
  if (context_.database.empty()) {
    return fail(Code::kInvalid, "No database selected (USE one, or write database.table)");
  }
  return context_.database;
}

Result<ObjectName> StatementParser::object_name(std::string_view what) {
  TRY(auto name, loose_name(what));
  if (name.database.empty()) {
    TRY(name.database, current_database());
  }
  return name;
}

Result<ObjectName> StatementParser::loose_name(std::string_view what) {
  TRY(auto first, in_.name(what));
  if (in_.accept_op(".")) {
    TRY(auto second, in_.name(what));
    if (in_.accept_op(".")) {  // StarRocks: default_catalog.db.table
      TRY(auto third, in_.name(what));
      return ObjectName{std::move(second), std::move(third)};
    }
    return ObjectName{std::move(first), std::move(second)};
  }
  return ObjectName{"", std::move(first)};
}

bool StatementParser::if_not_exists() { return in_.accept({"IF", "NOT", "EXISTS"}); }
bool StatementParser::if_exists() { return in_.accept({"IF", "EXISTS"}); }

void StatementParser::skip_rest() {
  while (!in_.at_end() && !in_.is_op(";")) in_.take();
}

}  // namespace millrace::sql::dialect
