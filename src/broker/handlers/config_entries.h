// One configuration key as DescribeConfigs shows it: its value and where that came from.
#pragma once

#include <map>
#include <string>

#include "broker/config.h"
#include "cluster/topic_config.h"
#include "kafka/messages/describe_configs.h"

namespace millrace::broker {

// As DescribeConfigs numbers them.
enum class ConfigSource : std::int8_t { kDynamicTopic = 1, kDynamicBroker = 2, kStaticBroker = 4, kDefault = 5 };
enum class ResourceType : std::int8_t { kTopic = 2, kBroker = 4, kBrokerLogger = 8, kClientMetrics = 16, kGroup = 32 };

using TopicConfigs = std::map<std::string, std::string>;

struct ConfigEntry {
  std::string value;
  ConfigSource source = ConfigSource::kDefault;
};

ConfigEntry topic_entry(const TopicConfigs& configs, const BrokerConfig& broker, const cluster::TopicConfigDef& key);
ConfigEntry broker_entry(const BrokerConfig& broker, const BrokerConfigKey& key);
cluster::ConfigType broker_type(const BrokerConfigKey& key);

}  // namespace millrace::broker
