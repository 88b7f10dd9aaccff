// libpq as a small blocking port, for the connector's own thread: queries, COPY out and logical replication.
//
// Every session has settings under which text output is what pg_text.h reads. Errors carry a Code by what the
// caller must do, and the fix where there is one: kDenied (password, rights), kNotFound (database, slot), kInvalid,
// kUnavailable (repeat). One thread at a time. Source: PostgreSQL 15 documentation, chapters 34 and 55.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cdc/config.h"

struct pg_conn;

namespace millrace::cdc {

enum class ConnectionKind { kSql, kReplication };

using Row = std::vector<std::optional<std::string>>;

class PgConnection {
 public:
  static Result<std::unique_ptr<PgConnection>> connect(const ConnectorConfig& config, ConnectionKind kind);
  ~PgConnection();

  Result<std::vector<Row>> query(const std::string& sql);
  Result<void> execute(const std::string& sql);
  int server_version() const;  // 150004

  // COPY .. TO STDOUT: rows until `copy_next` answers nothing.
  Result<void> copy_out(const std::string& sql);
  // The next line without its newline; the view lives until the next call.
  Result<std::optional<std::string_view>> copy_next();

  // START_REPLICATION; then `receive` answers frames, or nothing when none is there yet.
  Result<void> start_replication(const std::string& command);
  Result<std::optional<std::string_view>> receive();
  Result<void> send(std::string_view frame);
  // Waits until bytes arrive, `wake_fd` is readable, or the time is over.
  void wait(int wake_fd, Duration at_most);

  std::string quote(std::string_view name) const;  // identifier
  std::string literal(std::string_view text) const;

 private:
  PgConnection() = default;
  Error last_error(std::string_view doing, const void* result) const;
  pg_conn* connection_ = nullptr;
  char* buffer_ = nullptr;  // of the last COPY row
  std::string user_, dbname_, host_;
};

// Waits until the descriptor is readable or the time is over.
void wait_readable(int fd, Duration at_most);

// Wakes a thread that sits in PgConnection::wait; `wake` from any thread.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  int fd() const { return fd_; }
  void wake();
  void clear();

 private:
  int fd_ = -1;
};

}  // namespace millrace::cdc
