// `millrace start`: constructs the roles, starts them in order (log, sql, cdc, console), writes the ready file,
// and stops them in reverse. One thread: the main loop's, except where a role has threads of its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"

namespace millrace::app {

// A query that the page shows, refreshed every second.
struct PageView {
  std::string name, title, sql;
};

struct CaptureProgress {
  bool snapshot_done = false;
  std::uint64_t tables = 0;  // that follow a topic
  std::uint64_t rows_applied = 0;
  std::uint64_t lag_records = 0;  // between the topics' ends and the tables
  std::string error;              // of a connector or a load that failed for good
};

class Server {
 public:
  Server(EventLoop& loop, Config config);
  ~Server();

  // Answers once everything serves. After an error, stop() must still be called.
  Task<Result<void>> start();
  // Drains and stops; bounded by the roles' own bounds (about 2 s).
  Task<void> stop();
  // Set when the process has to end although nobody asked: the reason is in failure().
  Event& failed();
  const std::string& failure() const;
  // It failed because the cluster did not hear it for a while: a new Server may go on.
  bool may_rejoin() const;

  // "kafka" -> "127.0.0.1:9092", also mysql, http: what is bound.
  const std::map<std::string, std::string>& addresses() const;
  // Atomically: readers see the whole object or no file.
  Result<void> write_ready_file(const std::string& path) const;

  // Runs one statement as the MySQL port would; answers the JSON of POST /api/v1/sql.
  Task<Result<std::string>> run_sql(std::string sql);
  // How far capture and tables have come, all connectors together.
  Task<CaptureProgress> capture_progress();

  void set_page_views(std::vector<PageView> views);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::app
