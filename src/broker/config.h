// The broker's own configuration, under Kafka's names, with Kafka's defaults unless the text says otherwise.
//
// One table (kBrokerConfigKeys) drives everything that shows or sets a key: `millrace config`, the
// configuration file, and DescribeConfigs for BROKER resources. Values are checked when they are set; a
// BrokerConfig that exists is valid. Topic-level keys live in cluster/topic_config.h.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace millrace::broker {

struct BrokerConfig {
  std::int32_t num_partitions = 1;
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  std::int32_t message_max_bytes = 1048588;
  std::int64_t connections_max_idle_ms = 600'000;
  std::int32_t max_connections = std::numeric_limits<std::int32_t>::max();
  std::int32_t socket_request_max_bytes = 100 << 20;
  std::int64_t queued_max_request_bytes = 192LL << 20;
  std::int64_t queued_max_response_bytes = 256LL << 20;
  std::int32_t connection_requests_max = 256;
  std::int32_t fetch_max_bytes = 55 << 20;
  std::int32_t fetch_session_slots = 1000;
  std::int32_t request_partition_limit = 2000;
  std::int32_t group_min_session_timeout_ms = 6'000;
  std::int32_t group_max_session_timeout_ms = 1'800'000;
  std::int32_t group_initial_rebalance_delay_ms = 3'000;
  std::int32_t group_max_size = std::numeric_limits<std::int32_t>::max();
  std::int32_t offsets_topic_num_partitions = 50;
  std::int32_t offsets_retention_minutes = 7 * 24 * 60;
  std::int64_t offsets_retention_check_interval_ms = 600'000;
  std::int32_t offset_metadata_max_bytes = 4096;
  // What DescribeLogDirs calls the place of the log: the bucket. Not a setting of its own.
  std::string log_place = "bucket";
};

using BrokerConfigField =
    std::variant<bool BrokerConfig::*, std::int32_t BrokerConfig::*, std::int64_t BrokerConfig::*>;

struct BrokerConfigKey {
  std::string_view name;
  BrokerConfigField field;
  std::int64_t lowest;  // of numbers
  std::string_view documentation;
};

std::span<const BrokerConfigKey> broker_config_keys();
// Null when there is no such key.
const BrokerConfigKey* find_broker_config_key(std::string_view name);
// As Kafka writes values: "true", "1048588".
std::string get_config(const BrokerConfig& config, const BrokerConfigKey& key);
// kNotFound for an unknown key (with the nearest known one), kInvalid for a value that does not fit.
Result<void> set_config(BrokerConfig& config, std::string_view name, std::string_view value);

}  // namespace millrace::broker
