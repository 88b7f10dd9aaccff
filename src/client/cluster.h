// What a Client knows of the cluster: connections by purpose, and which broker leads which partition.
// Shared by the Client and its Producers, and kept alive by the Tasks that they leave behind. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "client/client.h"
#include "client/connection.h"

namespace millrace::client {

struct Broker {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Broker&) const = default;
};

struct TopicInfo {
  // By partition number; -1 while there is no leader.
  std::vector<std::int32_t> leaders;
};

// Requests of one purpose never wait behind those of another: a long-polling Fetch would hold up all else.
enum class Purpose { kAdmin, kProduce, kFetch };

class Cluster {
 public:
  Cluster(Executor executor, Clock& clock, Connector& connector, ClientOptions options)
      : executor_(std::move(executor)), clock_(clock), connector_(connector), options_(std::move(options)) {}

  Clock& clock() { return clock_; }
  const Executor& executor() const { return executor_; }
  const ClientOptions& options() const { return options_; }
  // By when a call that begins now has to end.
  SteadyTime deadline() const { return clock_.now() + options_.call_timeout; }
  // By when one attempt within it has to be answered: a broker that hangs leaves time for others.
  SteadyTime attempt(SteadyTime deadline, Duration server_wait = {}) const {
    return std::min(deadline, clock_.now() + server_wait + options_.call_timeout / 3);
  }

  // Connects when there is no working connection. Fetches are spread over several.
  Task<Result<std::shared_ptr<Connection>>> connection(Broker broker, Purpose purpose, SteadyTime deadline);
  // The bootstrap broker, or another one that is known when that cannot be reached.
  Task<Result<std::shared_ptr<Connection>>> any(SteadyTime deadline);

  // The topic as the cluster has it now; kNotFound when it does not exist, kUnavailable while it has no leaders.
  Task<Result<TopicInfo>> look_up(std::string topic, SteadyTime deadline);
  Task<Result<std::vector<std::string>>> all_topics(SteadyTime deadline);

  // From what was looked up before, else looked up. kNotFound for a partition that does not exist.
  Task<Result<Broker>> leader_of(TopicPartition partition, SteadyTime deadline);
  Task<Result<std::int32_t>> partitions_of(std::string topic, SteadyTime deadline);
  Broker controller() const;
  // What was known of the topic is wrong.
  void forget(const std::string& topic) { topics_.erase(topic); }

  // Closes all connections; waiting requests fail.
  void close();

 private:
  struct Slot {
    std::shared_ptr<Connection> connection;
    std::optional<Promise<Result<std::shared_ptr<Connection>>>> opening;
  };
  using SlotKey = std::tuple<Broker, Purpose, int>;

  Task<Result<std::shared_ptr<Connection>>> open(Broker broker, SteadyTime deadline);
  SlotKey slot_for(const Broker& broker, Purpose purpose) const;
  template <class Response>
  Result<TopicInfo> learn(const Response& response, const std::string& topic);

  Executor executor_;
  Clock& clock_;
  Connector& connector_;
  ClientOptions options_;
  bool closed_ = false;
  std::map<SlotKey, std::shared_ptr<Slot>> slots_;
  std::map<std::int32_t, Broker> brokers_;
  std::int32_t controller_ = -1;
  std::map<std::string, TopicInfo> topics_;
};

}  // namespace millrace::client
