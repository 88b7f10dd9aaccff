#include "sql/mysql/client_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sql/dialect/lexer.h"
#include "sql/dialect/variables.h"
#include "sql/mysql/rows.h"

namespace millrace::sql::mysql {
namespace {

constexpr std::size_t kStatementsMax = 16'382;  // MySQL's max_prepared_stmt_count
constexpr std::size_t kUserVariablesMax = 10'000;

bool is_clean_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (lead == 0 || size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += size;
  }
  return true;
}

std::string text_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out + "'";
}

std::string bytes_literal(std::string_view bytes) {
  std::string out = "x'";
  for (const unsigned char c : bytes) out += fmt::format("{:02x}", c);
  return out + "'";
}

std::string literal_of(const Parameter& value) {
  switch (value.kind) {
    case Parameter::Kind::kNull: return "NULL";
    case Parameter::Kind::kNumber: return value.text;
    case Parameter::Kind::kText: return text_literal(value.text);
    case Parameter::Kind::kBytes:
      return is_clean_utf8(value.text) ? text_literal(value.text) : bytes_literal(value.text);
  }
  return "NULL";
}

}  // namespace

ClientSession::ClientSession(std::uint32_t id, ConnectionTable& connections) : connections_(connections) {
  context_.connection_id = id;
}

Task<Result<void>> ClientSession::open(QueryEngine& engine, std::string user, std::string host, std::string database) {
  engine_.reset();
  dialect::Context fresh;
  fresh.connection_id = context_.connection_id;
  fresh.user = user;
  fresh.host = std::move(host);
  fresh.processes = [this] { return connections_.processes(); };
  context_ = std::move(fresh);
  in_transaction_ = false;
  statements_.clear();
  text_statements_.clear();
  SessionInfo info{.id = context_.connection_id, .user = std::move(user)};
  CO_TRY(engine_, co_await engine.open_session(std::move(info)));
  if (!database.empty()) co_return co_await use_database(std::move(database));
  co_return Result<void>();
}

Task<Result<void>> ClientSession::use_database(std::string database) {
  CO_TRY_VOID(co_await engine_->use_database(dialect::engine_database(database)));
  context_.database = std::move(database);
  co_return Result<void>();
}

bool ClientSession::autocommit() const {
  return dialect::variable_value(context_, "autocommit").value_or("ON") != "OFF";
}

Duration ClientSession::time_limit() const {
  const auto number = [&](std::string_view name) {
    const std::string text = dialect::variable_value(context_, name).value_or("0");
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return std::clamp<std::int64_t>(value, 0, 1'000'000'000);
  };
  if (const auto ms = number("max_execution_time"); ms > 0) return std::chrono::milliseconds(ms);
  return std::chrono::seconds(number("query_timeout"));
}

Task<Result<std::unique_ptr<ResultSet>>> ClientSession::run(std::string mysql_sql, CancelToken cancel) {
  CO_TRY(auto action, dialect::translate(mysql_sql, context_));
  co_return co_await run_action(std::move(action), std::move(mysql_sql), std::move(cancel));
}

Task<Result<std::unique_ptr<ResultSet>>> ClientSession::run_action(dialect::Action action, std::string mysql_sql,
                                                                   CancelToken cancel) {
  if (auto* query = std::get_if<dialect::Query>(&action)) {
    co_return co_await run_query(std::move(*query), std::move(mysql_sql), std::move(cancel));
  }
  if (auto* statement = std::get_if<dialect::EngineStatement>(&action)) {
    co_return co_await run_engine(std::move(*statement), std::move(cancel));
  }
  if (auto* use = std::get_if<dialect::UseDatabase>(&action)) {
    CO_TRY_VOID(co_await use_database(std::move(use->name)));
  } else if (auto* set = std::get_if<dialect::SetVariables>(&action)) {
    CO_TRY_VOID(co_await set_variables(std::move(*set), std::move(cancel)));
  } else if (auto* kill = std::get_if<dialect::Kill>(&action)) {
    if (!connections_.kill(kill->id, kill->query_only)) {
      co_return fail(Code::kNotFound, fmt::format("Unknown thread id: {}", kill->id));
    }
  } else if (auto* text = std::get_if<dialect::PrepareText>(&action)) {
    CO_TRY_VOID(dialect::count_parameters(text->sql));
    if (text_statements_.size() >= kStatementsMax) co_return fail(Code::kExhausted, "too many prepared statements");
    text_statements_[text->name] = std::move(text->sql);
  } else if (auto* execute = std::get_if<dialect::ExecuteText>(&action)) {
    CO_TRY(auto bound, text_prepared(*execute));
    CO_TRY(auto inner, dialect::translate(bound, context_));
    if (std::holds_alternative<dialect::ExecuteText>(inner)) {
      co_return fail(Code::kUnsupported, "EXECUTE of a statement that is an EXECUTE itself");
    }
    co_return co_await run_action(std::move(inner), std::move(bound), std::move(cancel));
  } else if (auto* gone = std::get_if<dialect::DeallocateText>(&action)) {
    if (text_statements_.erase(gone->name) == 0) {
      co_return fail(Code::kNotFound, fmt::format("Unknown prepared statement handler ({})", gone->name));
    }
  }
  co_return make_done_result(0);
}

Task<Result<std::unique_ptr<ResultSet>>> ClientSession::run_query(dialect::Query query, std::string mysql_sql,
                                                                  CancelToken cancel) {
  auto result = co_await engine_->query(std::move(query.duckdb_sql), cancel);
  if (result || result.error().message().find("must appear in the GROUP BY") == std::string::npos) {
    co_return std::move(result);
  }
  // MySQL takes columns that depend on the grouped ones (a primary key's); DuckDB cannot know them.
  dialect::Context loose = context_;
  loose.loose_group_by = true;
  auto again = dialect::translate(mysql_sql, loose);
  if (!again || !std::holds_alternative<dialect::Query>(*again)) co_return std::move(result);
  std::string sql = std::move(std::get<dialect::Query>(*again).duckdb_sql);
  co_return co_await engine_->query(std::move(sql), std::move(cancel));
}

Task<Result<std::unique_ptr<ResultSet>>> ClientSession::run_engine(dialect::EngineStatement statement,
                                                                   CancelToken cancel) {
  const auto* transaction = std::get_if<dialect::Transaction>(&statement);
  const bool begins = transaction && transaction->kind == dialect::Transaction::Kind::kBegin;
  const auto* dropped = std::get_if<dialect::DropDatabase>(&statement);
  const bool drops_current = dropped && dropped->name == context_.database;
  // COMMIT without BEGIN is fine in MySQL.
  if (transaction && !begins && !in_transaction_) co_return make_done_result(0);
  if (begins && in_transaction_) {
    dialect::EngineStatement commit = dialect::Transaction{dialect::Transaction::Kind::kCommit};
    auto committed = co_await engine_->run(std::move(commit), cancel);
    if (!committed) co_return std::move(committed);
    in_transaction_ = false;
  }
  const bool is_transaction = transaction != nullptr;
  auto result = co_await engine_->run(std::move(statement), std::move(cancel));
  if (is_transaction) in_transaction_ = begins && result.has_value();
  if (result && drops_current) context_.database.clear();
  co_return std::move(result);
}

Task<Result<std::optional<std::string>>> ClientSession::evaluate(std::string duckdb_sql, CancelToken cancel) {
  CO_TRY(auto result, co_await engine_->query(std::move(duckdb_sql), std::move(cancel)));
  const auto columns = result->columns();
  CO_TRY(auto chunk, co_await result->next());
  if (!chunk || chunk->rows() == 0 || columns.empty()) co_return std::optional<std::string>();
  const Cell cell = chunk->cell(0, 0);
  if (cell.is_null) co_return std::optional<std::string>();
  std::string text;
  append_cell_text(text, columns[0], cell);
  co_return std::optional<std::string>(std::move(text));
}

Task<Result<void>> ClientSession::set_variables(dialect::SetVariables set, CancelToken cancel) {
  for (auto& assignment : set.assignments) {
    std::optional<std::string> value = assignment.value;
    if (!value && !assignment.duckdb_sql.empty()) {
      CO_TRY(value, co_await evaluate("SELECT " + assignment.duckdb_sql, cancel));
    }
    if (assignment.user_variable) {
      if (context_.user_variables.size() >= kUserVariablesMax) {
        co_return fail(Code::kExhausted, "too many user variables in one session");
      }
      context_.user_variables[assignment.name] = value ? dialect::quote_user_value(*value) : "NULL";
      continue;
    }
    CO_TRY_VOID(dialect::set_variable(context_, assignment.name, value));
    if (assignment.name == "autocommit" && autocommit() && in_transaction_) {
      dialect::EngineStatement commit = dialect::Transaction{dialect::Transaction::Kind::kCommit};
      CO_TRY_VOID(co_await run_engine(std::move(commit), cancel));
    }
  }
  co_return Result<void>();
}

void ClientSession::finished(std::uint64_t rows_returned, std::int64_t rows_changed,
                             std::vector<std::string> warnings) {
  context_.found_rows = rows_returned;
  context_.row_count = rows_changed;
  context_.warnings = std::move(warnings);
}

void ClientSession::failed(const SqlError& error) {
  context_.row_count = -1;
  context_.warnings = {fmt::format("Error\t{}\t{}", error.code, error.message)};
}

Task<Result<std::uint32_t>> ClientSession::prepare(std::string mysql_sql) {
  if (statements_.size() >= kStatementsMax) {
    co_return fail(Code::kExhausted, fmt::format("more than {} prepared statements in one connection", kStatementsMax));
  }
  PreparedStatement statement;
  CO_TRY(statement.parameters, dialect::count_parameters(mysql_sql));
  if (statement.parameters > 0xffff) co_return fail(Code::kInvalid, "a statement with over 65535 parameters");
  CO_TRY(auto action, dialect::translate(mysql_sql, context_));
  if (auto* query = std::get_if<dialect::Query>(&action)) {
    CO_TRY(statement.columns, co_await engine_->describe(std::move(query->duckdb_sql)));
  }
  statement.mysql_sql = std::move(mysql_sql);
  statement.long_data.resize(statement.parameters);
  statements_.emplace(++last_statement_id_, std::move(statement));
  co_return last_statement_id_;
}

PreparedStatement* ClientSession::statement(std::uint32_t id) {
  const auto found = statements_.find(id);
  return found == statements_.end() ? nullptr : &found->second;
}

Result<std::string> ClientSession::bind(const PreparedStatement& statement, const std::vector<Parameter>& values) {
  std::vector<std::string> literals;
  for (const auto& value : values) literals.push_back(literal_of(value));
  return dialect::bind_parameters(statement.mysql_sql, literals);
}

Result<std::string> ClientSession::text_prepared(const dialect::ExecuteText& execute) const {
  const auto found = text_statements_.find(execute.name);
  if (found == text_statements_.end()) {
    return fail(Code::kNotFound, fmt::format("Unknown prepared statement handler ({}) given to EXECUTE", execute.name));
  }
  std::vector<std::string> literals;
  for (const auto& name : execute.user_variables) {
    const auto value = context_.user_variables.find(name);
    literals.push_back(value == context_.user_variables.end() ? "NULL" : value->second);
  }
  return dialect::bind_parameters(found->second, literals);
}

Task<Result<std::vector<ColumnInfo>>> ClientSession::table_columns(std::string table) {
  std::string sql = "SELECT * FROM " + dialect::quote_name(table);
  co_return co_await engine_->describe(std::move(sql));
}

}  // namespace millrace::sql::mysql
