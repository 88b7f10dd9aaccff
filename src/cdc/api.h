// Change capture: one Connector per Debezium connector file follows one Postgres slot into topics.
//
// A Connector belongs to `Environment::executor` (start, stop and the log's client run there); libpq and the
// building of records have a thread of their own. Passing trouble (Postgres or the log away) is retried with
// back-off for ever and shown in `status()`; what repeating cannot cure (wrong password, a lost slot, a slot
// ahead of the stored position) ends in State::kFailed with one error that says what to do.
// Exactly once into the log: see README.md, "Invariants".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/task.h"
#include "cdc/config.h"
#include "client/client.h"

namespace millrace::cdc {

struct Environment {
  Executor executor;
  Clock& clock;
  client::Connector& connector;  // to the log
  client::ClientOptions log;     // its bootstrap address
  Metrics& metrics;
  std::uint64_t seed = 0;  // for the run id in `__debezium.context.runId`
  std::string positions_topic = "__millrace_cdc_positions";
};

enum class State { kStarting, kSnapshot, kStreaming, kRetrying, kFailed, kStopped };
std::string_view to_string(State state);

struct Status {
  std::string name, database, topic_prefix, slot;
  State state = State::kStarting;
  std::string error;             // of the last attempt; empty when all is well
  std::uint64_t position = 0;    // LSN: everything up to it is in the log for good
  std::uint64_t server_lsn = 0;  // the newest end of WAL that the server told
  std::uint64_t lag_bytes = 0;   // server_lsn - position
  std::uint64_t rows = 0;        // row events written since start, snapshot included
  std::uint64_t transactions = 0;
  std::uint64_t replayed = 0;  // events found in the log already after a restart, and not written again
  std::uint32_t snapshot_tables = 0, snapshot_tables_done = 0;
  std::uint64_t snapshot_rows = 0;
  // Of the present attempt alone.
  std::uint64_t rows_of_attempt = 0, transactions_of_attempt = 0, replayed_of_attempt = 0;
};

struct Finding {
  std::string what;  // "wal_level", "slot", ...
  bool good = false;
  std::string text;  // what was found and, when not good, the fix
};
struct Report {
  std::vector<Finding> findings;
  bool good() const;
};

// A captured table as its topic writes it, for readers of records that carry no schema. `columns`: Connect's
// field schemas as JSON, {"type":..,"optional":..,"name":..,"parameters":..,"field":..}; left-out ones are not there.
struct TableShape {
  std::string schema, table;
  std::vector<std::string> columns;
  std::vector<std::string> key;
};

class Connector {
 public:
  Connector(ConnectorConfig config, Environment environment);
  ~Connector();  // must be stopped when it was started
  void start();
  // Lets what was sent be acknowledged (at most a few seconds), stores the position, leaves slot and publication.
  Task<void> stop();
  // From any thread.
  Status status() const;
  const ConnectorConfig& config() const;
  // From any thread. Nothing when the topic is not of this connector, or Postgres was not reached yet.
  std::optional<TableShape> describe(std::string_view topic) const;
  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Tries the connection, wal_level, rights, publication, slot, tables and types; changes nothing.
Task<Result<Report>> check(ConnectorConfig config);

}  // namespace millrace::cdc
