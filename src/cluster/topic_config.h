// Every topic configuration of Apache Kafka 4.3 (TopicConfig and LogConfig there): type, default, valid values, the
// broker settings that are its synonyms, and what it means here. All are accepted, kept and described, so that existing
// tools work; those that speak of segment files, replicas or tiered storage say that they change nothing here.
//
// Errors are kInvalid with a message in the words that Kafka's clients print. Pure functions over constant tables,
// any thread. Times in milliseconds, sizes in bytes, -1 without limit, as the names say.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/records.h"

namespace millrace::cluster {

// Numbered as DescribeConfigs has them (KIP-569).
enum class ConfigType : std::int8_t { kBoolean = 1, kString = 2, kInt = 3, kLong = 5, kDouble = 6, kList = 7 };

struct TopicConfigDef {
  std::string_view name;
  ConfigType type = ConfigType::kString;
  std::string_view default_value;
  std::string_view documentation;
  std::vector<std::string_view> synonyms;  // broker settings that give the default, the strongest first
  // Numbers: inclusive bounds. For kInt and kLong both fit an int64.
  double min = 0, max = 0;
  std::vector<std::string_view> allowed;  // kString and kList: the only values; empty: any
};

// Ascending by name.
std::span<const TopicConfigDef> topic_config_defs();
const TopicConfigDef* find_topic_config(std::string_view name);

// One value by itself: known name, right type, in range. Lists may not repeat a value.
Result<void> check_topic_config(std::string_view name, std::string_view value);
// A topic's whole configuration: each value, then those that must fit each other.
Result<void> check_topic_configs(const std::map<std::string, std::string>& configs);

// IncrementalAlterConfigs (KIP-339) on top of what is set now; answers what to hand to alter_topic_config.
enum class ConfigOp : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
struct ConfigAlteration {
  std::string name;
  ConfigOp op = ConfigOp::kSet;
  std::optional<std::string> value;  // none for kDelete
};
Result<ConfigChanges> alter_topic_configs(const std::map<std::string, std::string>& now,
                                          std::span<const ConfigAlteration> alterations);

enum class TimestampType : std::uint8_t { kCreateTime, kLogAppendTime };

// The settings that act, parsed. Values in committed metadata were checked before; an odd one reads as its default.
struct TopicSettings {
  bool cleanup_delete = true;
  bool cleanup_compact = false;
  std::int64_t retention_ms = 604'800'000;  // -1: for ever
  std::int64_t retention_bytes = -1;        // per partition
  std::int32_t max_message_bytes = 1'048'588;
  TimestampType message_timestamp_type = TimestampType::kCreateTime;
  std::int64_t message_timestamp_before_max_ms = INT64_MAX;
  std::int64_t message_timestamp_after_max_ms = 3'600'000;
  std::int64_t delete_retention_ms = 86'400'000;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = INT64_MAX;
  double min_cleanable_dirty_ratio = 0.5;
  std::string compression_type = "producer";
  std::int32_t compression_gzip_level = -1;
  std::int32_t compression_lz4_level = 9;
  std::int32_t compression_zstd_level = 3;
  std::int32_t segment_bytes = 1'073'741'824;
  std::int64_t segment_ms = 604'800'000;
  std::int32_t min_insync_replicas = 1;
};
TopicSettings topic_settings(const std::map<std::string, std::string>& configs);

}  // namespace millrace::cluster
