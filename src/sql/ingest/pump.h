// The pump: fetches for all running loads, decodes, and applies micro-batches. A driver.
//
// One fetch loop per log (and per copy of a topic that several loads follow); records are decoded on one pool
// thread while the batch before is applied on the writer's thread. All tables of an apply become visible together.
// Passing trouble is waited out and retried from the applied offsets; a load that cannot go on is reported
// through PumpEvents and left out. Belongs to one executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/task.h"
#include "sql/ingest/load.h"
#include "sql/ingest/log.h"
#include "sql/ingest/store.h"

namespace millrace::sql::ingest {

class PumpEvents {
 public:
  virtual ~PumpEvents() = default;
  // The load has stopped at a record; the pump has paused it already.
  virtual void load_stopped(TableName job, std::string reason) = 0;
  // The table needs these columns before the load can go on.
  virtual void columns_missing(TableName job, std::vector<Column> columns) = 0;
};

struct PumpOptions {
  Duration batch_interval = 100ms;
  std::size_t batch_rows_min = 10'000;   // enough to apply without waiting for the interval
  std::size_t batch_rows_max = 100'000;  // no more is decoded before an apply
  std::uint64_t buffered_bytes_max = 128 << 20;
  Duration retry_delay = 500ms;
  Duration discovery_interval = 2s;  // for topics and partitions that do not exist yet
};

struct PumpStatus {
  std::string trouble;
  std::uint64_t rows_applied = 0, batches_applied = 0;
  double apply_ms = 0;
  double rows_applied_per_second = 0;
  std::int64_t freshness_ms = -1;
};

class Pump {
 public:
  Pump(Executor executor, Clock& clock, Metrics& metrics, LogOpener& logs, Store& store, BlockingPool& writer,
       PumpEvents& events, PumpOptions options);
  ~Pump();

  void start();
  Task<void> stop();

  // Begins (or goes on) at what `progress` says. A paused load is only held, for its status.
  Result<void> add(LoadEntry entry, TableSchema schema, LoadProgress progress);
  // Lets the load go: its apply under way ends first, what is not applied is dropped. Answers its progress.
  Task<LoadProgress> remove(TableName job);

  std::vector<LoadStatus> loads() const;
  PumpStatus status() const { return status_; }

 private:
  struct Source;
  struct Work;
  struct Counters;
  using LoadPtr = std::shared_ptr<Load>;

  Task<void> fetch_loop(std::shared_ptr<Source> source);
  Task<void> discover(std::shared_ptr<Source> source);
  Task<void> find_partitions(std::shared_ptr<Source> source, LoadPtr load);
  void take_fetched(Source& source, std::vector<client::FetchedPartition> fetched,
                    const std::map<client::TopicPartition, std::int64_t>& asked);
  void out_of_range(const LoadPtr& load, LoadPartition& partition, const client::FetchedPartition& part);
  Task<void> decode_loop();
  void after_decode(const LoadPtr& load);
  bool apply_is_due() const;
  std::vector<Work> take_work();
  Task<void> apply(std::vector<Work> work);
  void drop_fetched(const LoadPtr& load);
  void note_applied(const std::vector<Work>& work, const Applied& applied, SteadyTime began);
  Task<void> wait(Duration longest);
  bool stopping() { return scope_.stopping().is_set(); }
  Source& source_for(const LoadEntry& entry, Result<void>& opened);
  std::size_t open_rows() const;

  Executor executor_;
  Clock& clock_;
  LogOpener& logs_;
  Store& store_;
  BlockingPool& writer_;
  PumpEvents& events_;
  PumpOptions options_;
  BlockingPool decoder_{1};
  TaskScope scope_;
  Event changed_;  // pulsed when there is something to do
  std::vector<std::shared_ptr<Source>> sources_;
  std::map<TableName, LoadPtr> loads_;
  std::vector<std::pair<LoadPtr, Load::Piece>> fetched_;
  std::uint64_t buffered_bytes_ = 0;
  bool decoding_ = false, applying_ = false;
  SteadyTime last_apply_{};
  PumpStatus status_;
  std::uint64_t window_rows_ = 0;
  SteadyTime window_began_{};
  std::unique_ptr<Counters> counters_;
};

}  // namespace millrace::sql::ingest
