// The `sql` room as the app sees it: the engine (DuckDB), the tables that follow topics, and what is to be
// known about them. The MySQL listener is sql/mysql/server.h and serves `engine()`.
//
// A SqlRole belongs to one thread, `Environment::executor`: construct, start, stop and use the engine there;
// `status()` may be called from any thread. DuckDB runs on pools of its own. The DuckDB file is a cache: when
// it is missing, foreign or broken it is rebuilt from the log, whose topic `__millrace_sql_catalog` holds every
// definition. Trouble with the log after start is waited out and shown in `status()`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "client/client.h"
#include "sql/session.h"

namespace millrace::sql {

// A captured table as its topic writes it, in the words of Connect's schemas: for topics whose records carry
// none. `connect_type`: "int32", "string", "bytes", "array", ...; `semantic`: "io.debezium.time.Date", ... or
// empty; `scale` and `precision` for Decimal.
struct DescribedColumn {
  std::string name;
  std::string connect_type;
  std::string semantic;
  std::int32_t scale = 0;
  std::int32_t precision = 0;
  bool optional = true;
};
struct TableDescription {
  std::string schema, table;  // as the source database names them
  std::vector<DescribedColumn> columns;
  std::vector<std::string> key;  // empty: the table has none, and is not kept in SQL
};

// Port: who captures a table tells what it looks like now. Any thread; nothing when the topic is not known (yet).
class TableDescriptionSource {
 public:
  virtual ~TableDescriptionSource() = default;
  virtual std::optional<TableDescription> describe(std::string_view topic) = 0;
};

struct SqlOptions {
  std::string cache_path;                        // the DuckDB file; empty: in memory. Its directory exists
  int threads = 2;                               // of DuckDB, and statements that run at once
  std::uint64_t memory_limit_bytes = 0;          // 0: DuckDB's default, 80 % of the machine
  std::vector<std::string> auto_tables;          // topic prefixes whose captured topics become tables by themselves
  Duration batch_interval = 100ms;               // between two applies
  Duration query_timeout = 300s;                 // 0: none
  std::uint64_t buffered_bytes_max = 128 << 20;  // records on their way into tables
};

struct SqlEnvironment {
  Executor executor;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  client::Connector& connector;                    // to the log of this process (or the cluster it belongs to)
  client::ClientOptions log;                       // its bootstrap address
  TableDescriptionSource* descriptions = nullptr;  // outlives the role; may be null
};

enum class LoadState { kNeedSchedule, kRunning, kPaused, kStopped };
std::string_view to_string(LoadState state);

struct PartitionProgress {
  std::int32_t partition = 0;
  std::int64_t next_offset = 0, end_offset = 0;  // end: the high watermark last seen
};
struct LoadStatus {
  std::string database, job, table, topic;
  LoadState state = LoadState::kNeedSchedule;
  std::string reason;  // why it is paused, or what it waits for
  bool automatic = false;
  std::uint64_t rows_applied = 0;  // changes since start
  std::uint64_t error_rows = 0;
  std::string last_error;
  std::int64_t lag = 0;            // records
  std::int64_t freshness_ms = -1;  // source commit to visible, of the last batch; -1: not known
  std::vector<PartitionProgress> partitions;
};
struct SqlStatus {
  bool log_reachable = true;
  std::string trouble;  // what the role waits for; empty when all is well
  std::uint64_t tables = 0, views = 0;
  std::vector<LoadStatus> loads;
  std::vector<std::string> skipped_topics;  // "topic: why it has no table"
  double rows_applied_per_second = 0;
  std::uint64_t rows_applied = 0, batches_applied = 0;
  double apply_ms = 0;             // of the last batch
  std::int64_t freshness_ms = -1;  // the worst of the last batch
  std::uint64_t queries = 0, queries_running = 0, queries_waiting = 0;
};

class SqlRole {
 public:
  SqlRole(SqlEnvironment environment, SqlOptions options);
  ~SqlRole();  // must be stopped when it was started

  // Reads the catalogue from the log (waiting for it as long as its client does), opens or rebuilds the cache,
  // and starts the loads. kExists: another process has the cache file.
  Task<Result<void>> start();
  Task<void> stop();
  QueryEngine& engine();
  SqlStatus status() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::sql
