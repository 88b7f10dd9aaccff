#include "cdc/pg_connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace millrace::cdc {
namespace {

constexpr Duration kConnectWait = 10s;
constexpr Duration kForever = 24h;

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

// Every address of the host as numbers; nothing for a socket's path or a name that libpq must judge.
std::vector<std::string> addresses_of(const std::string& host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  std::vector<std::string> out;
  if (host.starts_with('/') || ::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
      out.emplace_back(text);
    }
  }
  ::freeaddrinfo(found);
  return out;
}

}  // namespace

Result<std::unique_ptr<PgConnection>> PgConnection::connect(const ConnectorConfig& config, ConnectionKind kind,
                                                            std::optional<Interrupt> interrupt) {
  const std::vector<std::pair<std::string, std::string>> parameters{
      {"host", config.hostname},   {"port", std::to_string(config.port)},
      {"user", config.user},       {"password", config.password},
      {"dbname", config.dbname},   {"options", kSettings},
      {"client_encoding", "UTF8"}, {"application_name", "millrace " + config.name},
      {"keepalives_idle", "30"},
  };
  std::vector<const char*> names, values;
  const auto add = [&](const char* name, const std::string& value) {
    names.push_back(name);
    values.push_back(value.c_str());
  };
  for (const auto& [name, value] : parameters) add(name.c_str(), value);
  for (const auto& [name, value] : config.ssl) add(name.c_str(), value);
  const std::string database = "database";
  if (kind == ConnectionKind::kReplication) add("replication", database);
  auto addresses = addresses_of(config.hostname);
  if (addresses.empty()) addresses.emplace_back();  // empty: as if it were not given
  names.push_back("hostaddr");
  values.push_back(nullptr);
  names.push_back(nullptr);
  values.push_back(nullptr);
  // libpq moves on to the next address only after an error, not after silence: so one address at a time.
  Error error(Code::kUnavailable, "");
  for (const auto& address : addresses) {
    values[values.size() - 2] = address.c_str();
    std::unique_ptr<PgConnection> out(new PgConnection);
    out->interrupt_ = interrupt;
    out->connection_ = PQconnectStartParams(names.data(), values.data(), 0);
    CHECK(out->connection_ != nullptr);
    const auto done = out->finish_connecting();
    if (done) return out;
    if (done.error().code() == Code::kCancelled) return fail(done.error());
    error = connect_error(config, done.error().message());
    if (!error.retriable()) break;
  }
  return fail(std::move(error));
}

Result<void> PgConnection::wait_socket(short events, Duration at_most) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  for (;;) {
    if (interrupt_ && interrupt_->stopping->load()) return fail(Code::kCancelled, "stopped");
    pollfd fds[2] = {{PQsocket(connection_), events, 0}, {interrupt_ ? interrupt_->wakeup->fd() : -1, POLLIN, 0}};
    const int ready = ::poll(fds, 2, static_cast<int>(ms));
    if (ready == 0) return fail(Code::kTimeout, "no answer");
    if (fds[0].revents != 0) return {};
    if (fds[1].revents != 0) interrupt_->wakeup->clear();
  }
}

Result<void> PgConnection::finish_connecting() {
  auto step = PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (step == PGRES_POLLING_FAILED) return fail(Code::kUnavailable, one_line(PQerrorMessage(connection_)));
    const auto ready = wait_socket(step == PGRES_POLLING_READING ? POLLIN : POLLOUT, kConnectWait);
    if (!ready && ready.error().code() == Code::kCancelled) return ready;
    if (!ready) return fail(Code::kUnavailable, "no answer within 10 s");
    step = PQconnectPoll(connection_);
  }
  return {};
}

Result<pg_result*> PgConnection::next_result() {
  while (PQisBusy(connection_) != 0) {
    auto ready = wait_socket(POLLIN, kForever);
    if (!ready && ready.error().code() == Code::kCancelled) return fail(std::move(ready).error());
    if (PQconsumeInput(connection_) == 0) break;
  }
  return PQgetResult(connection_);
}

Result<pg_result*> PgConnection::run(const std::string& sql) {
  if (PQsendQuery(connection_, sql.c_str()) == 0) return fail(last_error(sql.substr(0, 80), nullptr));
  ResultPtr last;
  for (;;) {
    TRY(pg_result* const next, next_result());
    if (next == nullptr) break;
    last.reset(next);
    const auto status = PQresultStatus(next);
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH || PQstatus(connection_) == CONNECTION_BAD) break;
  }
  return last.release();
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
  TRY(pg_result* const answer, run(sql));
  const ResultPtr result(answer);
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
  TRY(pg_result* const answer, run(sql));
  const ResultPtr result(answer);
  if (PQresultStatus(result.get()) != PGRES_COPY_OUT) return fail(last_error(sql.substr(0, 80), result.get()));
  return {};
}

Result<std::optional<std::string_view>> PgConnection::copy_next() {
  if (buffer_ != nullptr) PQfreemem(std::exchange(buffer_, nullptr));
  int size = 0;
  while ((size = PQgetCopyData(connection_, &buffer_, 1)) == 0) {
    auto ready = wait_socket(POLLIN, kForever);
    if (!ready && ready.error().code() == Code::kCancelled) return fail(std::move(ready).error());
    if (PQconsumeInput(connection_) == 0) return fail(last_error("reading a table", nullptr));
  }
  if (size > 0) {
    std::string_view line(buffer_, static_cast<std::size_t>(size));
    if (line.ends_with('\n')) line.remove_suffix(1);
    return line;
  }
  TRY(pg_result* const answer, next_result());
  const ResultPtr result(answer);
  if (size == -1 && PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
    while (const ResultPtr more{PQgetResult(connection_)}) continue;
    return std::nullopt;
  }
  return fail(last_error("reading a table", result.get()));
}

Result<void> PgConnection::start_replication(const std::string& command) {
  TRY(pg_result* const answer, run(command));
  const ResultPtr result(answer);
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
