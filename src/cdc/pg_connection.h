// libpq as a small blocking port, for the connector's own thread: queries, COPY out and logical replication.
//
// A stop ends every wait (kCancelled; only the look-up of a host's name cannot be ended). Connecting takes at most
// 10 s for each address of the host.
// Every session has settings under which text output is what pg_text.h reads. Errors carry a Code by what the
// caller must do, and the fix where there is one: kDenied (password, rights), kNotFound (database, slot), kInvalid,
// kUnavailable (repeat). One thread at a time. Source: PostgreSQL 15 documentation, chapters 34 and 55.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cdc/config.h"

struct pg_conn;
struct pg_result;

namespace millrace::cdc {

enum class ConnectionKind { kSql, kReplication };

using Row = std::vector<std::optional<std::string>>;

// Wakes a thread that waits; `wake` from any thread.
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

// What ends a connection's waits: `stopping`, set before `wakeup` is woken. Both outlive the connection.
struct Interrupt {
  const std::atomic<bool>* stopping;
  Wakeup* wakeup;
};

class PgConnection {
 public:
  // Without an interrupt, its waits end by themselves alone.
  static Result<std::unique_ptr<PgConnection>> connect(const ConnectorConfig& config, ConnectionKind kind,
                                                       std::optional<Interrupt> interrupt = std::nullopt);
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
  // Until the socket is ready for `events`; kCancelled when stopped, kTimeout when `at_most` is over.
  Result<void> wait_socket(short events, Duration at_most);
  Result<void> finish_connecting();
  // The next result of what was sent; null after the last.
  Result<pg_result*> next_result();
  Result<pg_result*> run(const std::string& sql);
  pg_conn* connection_ = nullptr;
  char* buffer_ = nullptr;  // of the last COPY row
  std::optional<Interrupt> interrupt_;
};

// Waits until the descriptor is readable or the time is over.
void wait_readable(int fd, Duration at_most);

}  // namespace millrace::cdc
