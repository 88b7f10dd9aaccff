// The sql role: engine, tables that follow topics, and the MySQL listener, on a thread of their own. The methods are
// called from the main loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/log_access.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "base/random.h"
#include "net/tcp.h"
#include "sql/api.h"

namespace millrace::app {

class SqlRoleThread {
 public:
  // `auto_tables`: prefixes of captured topics that become tables by themselves; `descriptions` may be null
  // and outlives this.
  SqlRoleThread(Metrics& metrics, LogAccess log, std::vector<std::string> auto_tables,
                sql::TableDescriptionSource* descriptions);
  ~SqlRoleThread();
  Task<Result<void>> start(const Config& config);
  Task<void> stop();

  const net::Address& bound() const;
  sql::SqlStatus status() const;
  // One statement, as the MySQL port would run it; the answer is the JSON of POST /api/v1/sql.
  Task<Result<std::string>> run_json(std::string statement);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::app
