// A private Postgres for the demo: its own directory, a free port on loopback, logical decoding on; a child that dies
// with this process, even by kill -9. Blocking; call from a BlockingPool or before the loop runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace millrace::app {

class PrivatePostgres {
 public:
  // Initialises `directory` (which must not exist or be empty) and starts. The binaries are looked for in
  // PATH and where Debian puts them. As root, Postgres runs as the user "postgres" or "nobody".
  static Result<std::unique_ptr<PrivatePostgres>> start(std::string directory);
  ~PrivatePostgres();
  // SIGINT (fast shutdown) and wait, at most 2 s; then SIGQUIT.
  void stop();
  // Whether the server still runs.
  bool alive();

  std::uint16_t port() const { return port_; }
  // libpq's key=value form; superuser "postgres", no password.
  std::string conninfo(std::string_view database = "postgres") const;

 private:
  PrivatePostgres(std::string directory, int pid, std::uint16_t port);
  std::string directory_;
  int pid_;
  std::uint16_t port_;
};

// One libpq connection, closed when it goes. Blocking, one thread at a time.
class PgSession {
 public:
  static Result<PgSession> connect(const std::string& conninfo);
  PgSession(PgSession&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  ~PgSession();
  // Runs all statements of `sql`; answers the first field of the last result.
  Result<std::string> run(const std::string& sql);

 private:
  explicit PgSession(void* connection) : connection_(connection) {}
  void* connection_;  // PGconn
};

}  // namespace millrace::app
