// Topics as handlers need them: found by name or id, with the rules that their configs set for Produce,
// created on first use, and names that Kafka would take. One thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/task.h"
#include "base/uuid.h"
#include "broker/config.h"
#include "cluster/api.h"
#include "kafka/errors.h"
#include "kafka/produce_check.h"
#include "storage/api.h"

namespace millrace::broker {

// Nothing when Kafka would take the name, else why not.
std::optional<std::string> topic_name_problem(std::string_view name);
// `__consumer_offsets` and `__transaction_state`: written by brokers only.
bool is_internal_topic(std::string_view name);

class Topics {
 public:
  Topics(cluster::Cluster& cluster, storage::Engine& engine, const BrokerConfig& config)
      : cluster_(cluster), engine_(engine), config_(config) {}

  const cluster::TopicState* find(std::string_view name) const { return cluster_.state().topic_by_name(name); }
  const cluster::TopicState* find(const Uuid& id) const { return cluster_.state().topic(id); }

  // What Produce checks batches of this topic by; `now_ms` and `produce_version` are the caller's to set.
  const kafka::ProduceRules& produce_rules(const cluster::TopicState& topic);

  struct Refusal {
    kafka::ErrorCode code;
    std::string message;
  };
  // Checks everything that Kafka checks, then creates. -1 partitions: the default.
  std::expected<void, Refusal> check_new(std::string_view name, std::int32_t partitions,
                                         const std::map<std::string, std::string>& configs) const;
  Task<std::expected<Uuid, Refusal>> create(std::string name, std::int32_t partitions,
                                            std::map<std::string, std::string> configs);
  // Where a partition is: the broker that leads it, or led it last, is its one replica.
  struct Placement {
    std::int32_t leader = -1;  // -1: nobody that lives
    std::int32_t epoch = -1;
    std::int32_t replica = -1;
    bool offline = false;  // that broker is fenced
  };
  Placement placement_of(const cluster::TopicState& topic, std::int32_t partition) const;
  // The leader that clients should talk to; nothing while there is none that lives.
  struct Leader {
    std::int32_t broker = -1;
    std::int32_t epoch = -1;
  };
  std::optional<Leader> leader_of(const cluster::TopicState& topic, std::int32_t partition) const;

  // Null with the code that says why: no such topic or partition, or not led here.
  std::expected<storage::Partition*, kafka::ErrorCode> led_partition(const cluster::TopicState* topic,
                                                                     std::int32_t partition,
                                                                     std::int32_t current_leader_epoch = -1) const;

 private:
  struct CachedRules {
    std::map<std::string, std::string> configs;
    kafka::ProduceRules rules;
  };
  cluster::Cluster& cluster_;
  storage::Engine& engine_;
  const BrokerConfig& config_;
  std::unordered_map<Uuid, CachedRules> rules_;
};

}  // namespace millrace::broker
