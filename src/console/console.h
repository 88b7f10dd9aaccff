// The operator's door: health, metrics, status as JSON, and the live page, over HTTP.
//
//   GET  /               the page (embedded in the binary; needs nothing from outside)
//   GET  /healthz        200 while the process lives
//   GET  /readyz         200 once every role serves and while none drains; else 503 and the reason
//   GET  /metrics        Prometheus text format
//   GET  /api/v1/status  what StatusSource says
//   POST /api/v1/sql     {"sql": "..."} -> {"columns": [..], "rows": [[..]], "elapsed_ms": n} or {"error": ".."}
//
// The console knows no other room: it sees them through the ports below, which app plugs in. Requests
// whose Host is not a loopback name or the bound address are refused (DNS rebinding), as are cross-origin
// POSTs. One thread: the executor's.
#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/task.h"
#include "net/http_server.h"

namespace millrace::console {

struct Readiness {
  bool ready = false;
  std::string reason;  // why not
};

class StatusSource {
 public:
  virtual ~StatusSource() = default;
  virtual Readiness readiness() = 0;
  // One JSON object.
  virtual Task<std::string> status_json() = 0;
};

// Runs one statement as the MySQL port would; the answer is the JSON object of POST /api/v1/sql.
class SqlPort {
 public:
  virtual ~SqlPort() = default;
  virtual Task<Result<std::string>> run_json(std::string sql) = 0;
};

class Console {
 public:
  // `sql` may be null: this process has no sql role.
  Console(Executor executor, Clock& clock, Metrics& metrics, std::unique_ptr<net::Listener> listener,
          StatusSource& status, SqlPort* sql);
  ~Console();
  void start();
  Task<void> stop();
  const net::Address& bound() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::console
