#include "cdc/pg_connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace millrace::cdc {
namespace {

// What the walsender and every query print values with.
constexpr const char* kSettings =
    "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c lc_monetary=C -c bytea_output=hex "
    "-c extra_float_digits=1 -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c search_path=pg_catalog";

std::string one_line(const char* text) {
  std::string out(text == nullptr ? "" : text);
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

Error connect_error(const ConnectorConfig& config, const std::string& text) {
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const std::string where = fmt::format("connecting to Postgres at {}:{}", config.hostname, config.port);
  if (has("password authentication failed") || has("no password supplied")) {
    return {Code::kDenied,
            fmt::format("{}: wrong password for user \"{}\": set database.user and database.password right ({})", where,
                        config.user, text)};
  }
  if (has("no pg_hba.conf entry")) {
    return {Code::kDenied,
            fmt::format(
                "{}: the server's pg_hba.conf does not let user \"{}\" in: add a line for this host, database \"{}\" "
                "and user ({})",
                where, config.user, config.dbname, text)};
  }
  if (has("must be superuser or replication role") || has("role attribute REPLICATION") ||
      (has("permission denied") && has("replication"))) {
    return {Code::kDenied, fmt::format("{}: user \"{}\" may not replicate: ALTER ROLE \"{}\" REPLICATION ({})", where,
                                       config.user, config.user, text)};
  }
  if (has("role \"") && has("does not exist")) {
    return {Code::kDenied, fmt::format("{}: no such user: set database.user right ({})", where, text)};
  }
  if (has("database \"") && has("does not exist")) {
    return {Code::kNotFound, fmt::format("{}: no such database: set database.dbname right ({})", where, text)};
  }
  return {Code::kUnavailable, fmt::format("{}: {}", where, text)};
}

}  // namespace

Result<std::unique_ptr<PgConnection>> PgConnection::connect(const ConnectorConfig& config, ConnectionKind kind) {
  const std::string port = std::to_string(config.port);
  const std::string application = "millrace " + config.name;
  std::vector<const char*> names, values;
  const auto add = [&](const char* name, const std::string& value) {
    names.push_back(name);
    values.push_back(value.c_str());
  };
  add("host", config.hostname);
  add("port", port);
  add("user", config.user);
  add("password", config.password);
  add("dbname", config.dbname);
  for (const auto& [name, value] : config.ssl) add(name.c_str(), value);
  const std::string settings = kSettings, timeout = "10", utf8 = "UTF8", database = "database", idle = "30";
  add("options", settings);
  add("connect_timeout", timeout);
  add("client_encoding", utf8);
  add("application_name", application);
  add("keepalives_idle", idle);
  if (kind == ConnectionKind::kReplication) add("replication", database);
  names.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PgConnection> out(new PgConnection);
  out->connection_ = PQconnectdbParams(names.data(), values.data(), 0);
  if (out->connection_ == nullptr || PQstatus(out->connection_) != CONNECTION_OK) {
    return fail(connect_error(config, one_line(PQerrorMessage(out->connection_))));
  }
  out->user_ = config.user;
  out->dbname_ = config.dbname;
  return out;
}

PgConnection::~PgConnection() {
  if (buffer_ != nullptr) PQfreemem(buffer_);
  if (connection_ != nullptr) PQfinish(connection_);
}

int PgConnection::server_version() const { return PQserverVersion(connection_); }

Error PgConnection::last_error(std::string_view doing, const void* result) const {
  const auto* pg_result = static_cast<const PGresult*>(result);
  const char* state = pg_result == nullptr ? nullptr : PQresultErrorField(pg_result, PG_DIAG_SQLSTATE);
  const std::string_view code = state == nullptr ? "" : state;
  std::string text = one_line(pg_result != nullptr && state != nullptr ? PQresultErrorMessage(pg_result)
                                                                       : PQerrorMessage(connection_));
  if (text.empty()) text = "the connection was lost";
  const std::string message = fmt::format("{}: {}", doing, text);
  if (PQstatus(connection_) != CONNECTION_OK || code.empty() || code.starts_with("08") || code.starts_with("57P")) {
    return {Code::kUnavailable, message};
  }
  if (code == "55006") return {Code::kUnavailable, message};  // object_in_use
  if (code == "42501") return {Code::kDenied, message};
  if (code == "42704" || code == "42P01") return {Code::kNotFound, message};
  if (code == "42710") return {Code::kExists, message};
  if (code.starts_with("53") || code.starts_with("40")) return {Code::kUnavailable, message};
  return {Code::kInvalid, message};
}

Result<std::vector<Row>> PgConnection::query(const std::string& sql) {
  const ResultPtr result(PQexec(connection_, sql.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    return fail(last_error(sql.substr(0, 80), result.get()));
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  const int columns = PQnfields(result.get());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (int c = 0; c < columns; ++c) {
      const int r = static_cast<int>(i);
      if (PQgetisnull(result.get(), r, c)) {
        rows[i].emplace_back(std::nullopt);
      } else {
        rows[i].emplace_back(
            std::string(PQgetvalue(result.get(), r, c), static_cast<std::size_t>(PQgetlength(result.get(), r, c))));
      }
    }
  }
  return rows;
}

Result<void> PgConnection::execute(const std::string& sql) {
  TRY([[maybe_unused]] const auto rows, query(sql));
  return {};
}

Result<void> PgConnection::copy_out(const std::string& sql) {
  const ResultPtr result(PQexec(connection_, sql.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COPY_OUT) return fail(last_error(sql.substr(0, 80), result.get()));
  return {};
}

Result<std::optional<std::string_view>> PgConnection::copy_next() {
  if (buffer_ != nullptr) PQfreemem(std::exchange(buffer_, nullptr));
  const int size = PQgetCopyData(connection_, &buffer_, 0);
  if (size > 0) {
    std::string_view line(buffer_, static_cast<std::size_t>(size));
    if (line.ends_with('\n')) line.remove_suffix(1);
    return line;
  }
  const ResultPtr result(PQgetResult(connection_));
  if (size == -1 && PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
    while (const ResultPtr more{PQgetResult(connection_)}) continue;
    return std::nullopt;
  }
  return fail(last_error("reading a table", result.get()));
}

Result<void> PgConnection::start_replication(const std::string& command) {
  const ResultPtr result(PQexec(connection_, command.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) return fail(last_error("starting replication", result.get()));
  return {};
}

Result<std::optional<std::string_view>> PgConnection::receive() {
  if (buffer_ != nullptr) PQfreemem(std::exchange(buffer_, nullptr));
  int size = PQgetCopyData(connection_, &buffer_, 1);
  if (size == 0) {
    if (PQconsumeInput(connection_) == 0) return fail(last_error("streaming", nullptr));
    size = PQgetCopyData(connection_, &buffer_, 1);
  }
  if (size > 0) return std::string_view(buffer_, static_cast<std::size_t>(size));
  if (size == 0) return std::nullopt;
  const ResultPtr result(PQgetResult(connection_));
  if (PQresultStatus(result.get()) == PGRES_COPY_OUT || PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
    return fail(Code::kUnavailable, "streaming: the server ended the stream");
  }
  return fail(last_error("streaming", result.get()));
}

Result<void> PgConnection::send(std::string_view frame) {
  if (PQputCopyData(connection_, frame.data(), static_cast<int>(frame.size())) != 1 || PQflush(connection_) < 0) {
    return fail(last_error("telling Postgres the position", nullptr));
  }
  return {};
}

void PgConnection::wait(int wake_fd, Duration at_most) {
  pollfd fds[2] = {{PQsocket(connection_), POLLIN, 0}, {wake_fd, POLLIN, 0}};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  ::poll(fds, 2, static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000)));
}

void wait_readable(int fd, Duration at_most) {
  pollfd one{fd, POLLIN, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000)));
}

std::string PgConnection::quote(std::string_view name) const {
  char* quoted = PQescapeIdentifier(connection_, name.data(), name.size());
  CHECK(quoted != nullptr);
  std::string out(quoted);
  PQfreemem(quoted);
  return out;
}

std::string PgConnection::literal(std::string_view text) const {
  char* quoted = PQescapeLiteral(connection_, text.data(), text.size());
  CHECK(quoted != nullptr);
  std::string out(quoted);
  PQfreemem(quoted);
  return out;
}

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(fd_ >= 0); }
Wakeup::~Wakeup() { ::close(fd_); }
void Wakeup::wake() { ::eventfd_write(fd_, 1); }
void Wakeup::clear() {
  eventfd_t count = 0;
  ::eventfd_read(fd_, &count);
}

}  // namespace millrace::cdc
