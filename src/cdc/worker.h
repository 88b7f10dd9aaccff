// One connector's life on its own blocking thread: connect, recover, snapshot, stream, again after trouble.
//
// Driver over PgConnection and LogPort. `run` returns when it was asked to stop or nothing can be repeated.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/random.h"
#include "cdc/api.h"
#include "cdc/catalog.h"
#include "cdc/log_port.h"
#include "cdc/metrics.h"
#include "cdc/stream_core.h"

namespace millrace::cdc {

// What the worker shares with other threads.
struct Shared {
  std::atomic<bool> stopping{false};
  Wakeup wakeup;
  std::mutex mutex;
  Status status;
  std::map<std::string, TableShape, std::less<>> shapes;  // by topic

  template <class F>
  void update(F change) {
    const std::lock_guard lock(mutex);
    change(status);
  }
};

class Worker final : public StreamPort {
 public:
  using MakeLog = std::function<std::unique_ptr<LogPort>()>;
  Worker(const ConnectorConfig& config, Shared& shared, Clock& clock, CdcMetrics& metrics, std::string run_id,
         MakeLog make_log, std::function<void(std::unique_ptr<LogPort>)> drop_log);
  ~Worker() override;
  void run();

  Result<std::shared_ptr<const EventTable>> table_of(const PgMessage& relation) override;
  Result<std::int32_t> partitions_of(const std::string& topic) override;

 private:
  Result<void> attempt();
  // The slot and the position to stream from; snapshots when there is none yet.
  Result<Position> recover();
  // Tells the shapes of all tables, so that readers need not wait for a change of each.
  Result<void> describe_tables();
  Result<void> expect_replay(StreamCore& core, const Position& position);
  Result<Position> start_anew(const ServerFacts& server, std::optional<SlotFacts> slot);
  Result<void> snapshot(Position& position, const std::string& exported);
  Result<void> snapshot_table(const TableInfo& info, Position& position, Lsn lsn, std::int64_t xid,
                              std::int64_t started_us, bool first, bool last);
  Result<bool> landed_whole(const std::string& topic, const Position& position);
  Result<void> stream(Position position);
  Result<void> feed(StreamCore& core, bool& moved);
  Result<void> push(Unit unit);
  Result<void> flush(Duration at_most);
  Result<void> tell_position(bool now);
  bool stopping() const { return shared_.stopping.load(); }
  Result<std::shared_ptr<const EventTable>> make_table(const TableInfo& info);

  const ConnectorConfig& config_;
  Shared& shared_;
  Clock& clock_;
  CdcMetrics& metrics_;
  MakeLog make_log_;
  std::function<void(std::unique_ptr<LogPort>)> drop_log_;
  TableSelector selector_;
  std::vector<client::Header> headers_;

  std::unique_ptr<LogPort> log_;
  std::unique_ptr<PgConnection> sql_, replication_;
  TypeRegistry types_;
  PgMessage message_;
  Lsn received_ = 0, told_ = 0;
  SteadyTime last_status_{}, last_advance_{};
  bool streaming_ = false;
};

}  // namespace millrace::cdc
