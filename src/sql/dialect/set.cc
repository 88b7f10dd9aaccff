// SET: system variables, user variables, NAMES, CHARACTER SET, TRANSACTION.
#include "sql/dialect/statement_parser.h"

namespace millrace::sql::dialect {

Result<Action> StatementParser::set() {
  in_.take();
  SetVariables out;
  if (in_.accept("PASSWORD") || in_.accept("ROLE") || in_.accept({"DEFAULT", "ROLE"}) || in_.accept("CATALOG")) {
    skip_rest();
    return Nothing{};
  }
  do TRY_VOID(set_one(out));
  while (in_.accept_op(","));
  return out;
}

Result<void> StatementParser::set_one(SetVariables& out) {
  if (in_.accept("NAMES") || in_.accept({"CHARACTER", "SET"}) || in_.accept("CHARSET")) {
    const std::string charset = to_lower(in_.take().text);
    std::optional<std::string> value = charset;
    if (charset == "default") value = "utf8mb4";
    for (const char* name : {"character_set_client", "character_set_connection", "character_set_results"}) {
      out.assignments.push_back({.name = name, .value = value});
    }
    if (in_.accept("COLLATE")) {
      out.assignments.push_back({.name = "collation_connection", .value = to_lower(in_.take().text)});
    }
    return {};
  }
  SetVariables::Assignment assignment;
  if (in_.accept("GLOBAL") || in_.accept("PERSIST") || in_.accept("PERSIST_ONLY"))
    assignment.global = true;
  else
    in_.accept("SESSION") || in_.accept("LOCAL");
  if (in_.accept("TRANSACTION")) {
    if (in_.accept({"ISOLATION", "LEVEL"})) {
      std::string level = to_upper(in_.take().text);
      if (in_.peek().kind == TokenKind::kWord) level += "-" + to_upper(in_.take().text);
      out.assignments.push_back({.name = "transaction_isolation", .value = level});
    } else if (in_.accept({"READ", "ONLY"}) || in_.accept({"READ", "WRITE"})) {
    }
    return {};
  }
  const Token& target = in_.peek();
  if (target.kind == TokenKind::kUserVariable) {
    assignment.user_variable = true;
    assignment.name = in_.take().text;
  } else if (target.kind == TokenKind::kSystemVariable) {
    assignment.name = in_.take().text;
    const auto dot = assignment.name.find('.');
    if (dot != std::string::npos) {
      assignment.global = assignment.name.starts_with("global.");
      assignment.name.erase(0, dot + 1);
    }
  } else {
    TRY(const auto name, in_.name("a variable"));
    assignment.name = to_lower(name);
  }
  if (!in_.accept_op("=") && !in_.accept_op(":=")) return fail(in_.error("expected '='"));
  TRY_VOID(set_value(assignment));
  out.assignments.push_back(std::move(assignment));
  return {};
}

Result<void> StatementParser::set_value(SetVariables::Assignment& assignment) {
  const Token token = in_.peek();
  const bool alone = in_.is_op(",", 1) || in_.is_op(";", 1) || in_.peek(1).kind == TokenKind::kEnd;
  if (!assignment.user_variable && alone) {
    if (token.kind == TokenKind::kWord) {  // ON, OFF, DEFAULT, NULL, utf8mb4, ...
      in_.take();
      if (!is_word(token, "DEFAULT") && !is_word(token, "NULL")) assignment.value = token.text;
      return {};
    }
    if (token.kind == TokenKind::kString || token.kind == TokenKind::kNumber || token.kind == TokenKind::kQuotedName) {
      assignment.value = in_.take().text;
      return {};
    }
  }
  TRY(auto value, select_.expression());
  assignment.duckdb_sql = std::move(value.sql);
  std::erase_if(assignment.duckdb_sql, [](char c) { return c == '\x01' || c == '\x02'; });
  return {};
}

}  // namespace millrace::sql::dialect
