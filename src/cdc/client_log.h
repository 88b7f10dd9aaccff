// LogPort over client::Client: tasks on the client's thread, asked from the connector's blocking thread.
//
// Sends keep their order per partition; positions are written at most every kPositionEvery unless `flush` waits.
// `stop` (on the client's thread) ends all waiting with kCancelled.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "base/task.h"
#include "cdc/log_port.h"
#include "cdc/metrics.h"

namespace millrace::cdc {

struct ClientLogOptions {
  std::string prefix, slot, positions_topic;
  std::size_t bytes_in_flight_max = 24 << 20;
  Duration position_every = 500ms;
  const std::atomic<bool>* stopping = nullptr;  // once set, nothing waits long for a log that is away
};

class ClientLog final : public LogPort {
 public:
  // `on_progress` is called from the client's thread when something was acknowledged or failed.
  ClientLog(Executor executor, Clock& clock, client::Connector& connector, client::ClientOptions options,
            ClientLogOptions log, CdcMetrics& metrics, std::function<void()> on_progress);
  ~ClientLog() override;
  Task<void> stop();  // on the executor; before the destructor, which is on the executor too

  Result<std::optional<Position>> load_position() override;
  Result<std::map<client::TopicPartition, std::int64_t>> end_offsets() override;
  Result<std::optional<LandedTail>> read_tail(client::TopicPartition partition, std::int64_t from) override;
  Result<std::int32_t> partitions_of(const std::string& topic) override;
  void begin(const std::map<client::TopicPartition, std::int64_t>& offsets) override;
  Result<bool> submit(Unit& unit, Duration wait) override;
  Result<void> flush(Duration at_most) override;
  Result<Lsn> stored() override;
  std::size_t units_in_flight() override;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace millrace::cdc
