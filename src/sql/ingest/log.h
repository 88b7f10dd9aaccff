// The log as this room needs it: a port over client::Client, so that loads can be tested on a log in memory.
//
// Used on the executor it was made for. Errors are those of client/client.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "client/client.h"

namespace millrace::sql::ingest {

class Log {
 public:
  virtual ~Log() = default;
  virtual Task<Result<std::int32_t>> partition_count(std::string topic) = 0;
  virtual Task<Result<void>> create_compacted_topic(std::string name) = 0;
  virtual Task<Result<std::vector<std::string>>> list_topics() = 0;
  virtual Task<Result<std::int64_t>> offset_of(client::TopicPartition partition, client::OffsetSpec spec) = 0;
  virtual Task<Result<std::vector<client::FetchedPartition>>> fetch(
      std::map<client::TopicPartition, std::int64_t> positions, client::FetchOptions options) = 0;
  // Durable when it answers. Writes to one topic are made one at a time.
  virtual Task<Result<void>> append(std::string topic, std::vector<client::Record> records) = 0;
};

class LogOpener {
 public:
  virtual ~LogOpener() = default;
  // "host:port,host:port"; empty: the log of this process.
  virtual Result<std::unique_ptr<Log>> open(const std::string& brokers) = 0;
};

class ClientLogOpener final : public LogOpener {
 public:
  ClientLogOpener(Executor executor, Clock& clock, client::Connector& own, client::ClientOptions own_options);
  ~ClientLogOpener() override;
  Result<std::unique_ptr<Log>> open(const std::string& brokers) override;

 private:
  Executor executor_;
  Clock& clock_;
  client::Connector& own_;
  client::ClientOptions own_options_;
  std::unique_ptr<client::Connector> tcp_;
};

// All records of partition 0 of a topic, from its start to the end it has now.
Task<Result<std::vector<client::Record>>> read_whole(Log& log, std::string topic);

}  // namespace millrace::sql::ingest
