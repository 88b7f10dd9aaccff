// DescribeConfigs: all keys of a topic or of this broker, with sources, synonyms and types (KIP-133, KIP-226).
#include <fmt/format.h>

#include <algorithm>

#include "broker/handlers/common.h"
#include "broker/handlers/config_entries.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

ConfigEntry broker_entry(const BrokerConfig& broker, const BrokerConfigKey& key) {
  static const BrokerConfig kDefaults;
  ConfigEntry entry{get_config(broker, key), ConfigSource::kStaticBroker};
  if (entry.value == get_config(kDefaults, key)) entry.source = ConfigSource::kDefault;
  return entry;
}

cluster::ConfigType broker_type(const BrokerConfigKey& key) {
  using cluster::ConfigType;
  constexpr ConfigType kTypes[] = {ConfigType::kBoolean, ConfigType::kInt, ConfigType::kLong};
  return kTypes[key.field.index()];
}

ConfigEntry topic_entry(const TopicConfigs& configs, const BrokerConfig& broker, const cluster::TopicConfigDef& key) {
  // Setting a key to its default value still sets it.
  if (const auto set = configs.find(std::string(key.name)); set != configs.end()) {
    return {set->second, ConfigSource::kDynamicTopic};
  }
  for (const std::string_view synonym : key.synonyms) {
    if (const BrokerConfigKey* inherited = find_broker_config_key(synonym)) return broker_entry(broker, *inherited);
  }
  return {std::string(key.default_value), ConfigSource::kDefault};
}

namespace {

using cluster::ConfigType;
using kafka::ErrorCode;

bool wanted(const kafka::DescribeConfigsRequest::DescribeConfigsResource& resource, std::string_view key) {
  // An empty list means all as well: librdkafka sends it so.
  return !resource.configuration_keys || resource.configuration_keys->empty() ||
         std::ranges::find(*resource.configuration_keys, key) != resource.configuration_keys->end();
}

kafka::DescribeConfigsResponse::DescribeConfigsResourceResult shown(std::string_view name, const ConfigEntry& entry,
                                                                    ConfigType type, std::string_view documentation,
                                                                    const kafka::DescribeConfigsRequest& request) {
  kafka::DescribeConfigsResponse::DescribeConfigsResourceResult out;
  out.name = std::string(name);
  out.value = entry.value;
  out.config_source = static_cast<std::int8_t>(entry.source);
  out.config_type = static_cast<std::int8_t>(type);
  if (request.include_documentation) out.documentation = std::string(documentation);
  return out;
}

void describe_topic(const Services& services, const kafka::DescribeConfigsRequest& request,
                    const kafka::DescribeConfigsRequest::DescribeConfigsResource& resource,
                    kafka::DescribeConfigsResponse::DescribeConfigsResult& out) {
  const auto* topic = services.topics.find(resource.resource_name);
  if (!topic) {
    const auto problem = topic_name_problem(resource.resource_name);
    out.error_code = wire(problem ? ErrorCode::kInvalidTopicException : ErrorCode::kUnknownTopicOrPartition);
    out.error_message = problem ? *problem : "There is no such topic.";
    return;
  }
  for (const auto& key : cluster::topic_config_defs()) {
    if (!wanted(resource, key.name)) continue;
    const ConfigEntry entry = topic_entry(topic->configs, services.config, key);
    auto result = shown(key.name, entry, key.type, key.documentation, request);
    if (request.include_synonyms) {
      if (entry.source == ConfigSource::kDynamicTopic) {
        result.synonyms.push_back({result.name, entry.value, static_cast<std::int8_t>(entry.source)});
      }
      if (!key.synonyms.empty()) {
        const ConfigEntry below = topic_entry({}, services.config, key);
        result.synonyms.push_back(
            {std::string(key.synonyms.front()), below.value, static_cast<std::int8_t>(below.source)});
      }
    }
    out.configs.push_back(std::move(result));
  }
}

void describe_broker(const Services& services, const kafka::DescribeConfigsRequest& request,
                     const kafka::DescribeConfigsRequest::DescribeConfigsResource& resource,
                     kafka::DescribeConfigsResponse::DescribeConfigsResult& out) {
  // The empty name stands for what was set for all brokers dynamically: nothing is.
  if (resource.resource_name.empty()) return;
  if (resource.resource_name != std::to_string(services.cluster.broker_id())) {
    out.error_code = wire(ErrorCode::kInvalidRequest);
    out.error_message = fmt::format("Unexpected broker id, expected {} or empty string, but received {}",
                                    services.cluster.broker_id(), resource.resource_name);
    return;
  }
  const auto show = [&](std::string_view name, const ConfigEntry& entry, ConfigType type, std::string_view text) {
    if (!wanted(resource, name)) return;
    auto result = shown(name, entry, type, text, request);
    result.read_only = true;  // they are read when the program starts
    if (request.include_synonyms) {
      result.synonyms.push_back({result.name, entry.value, static_cast<std::int8_t>(entry.source)});
    }
    out.configs.push_back(std::move(result));
  };
  for (const auto& key : broker_config_keys()) {
    show(key.name, broker_entry(services.config, key), broker_type(key), key.documentation);
  }
  const std::string id = std::to_string(services.cluster.broker_id());
  show("broker.id", {id, ConfigSource::kStaticBroker}, ConfigType::kInt, "This broker's number.");
  show("node.id", {id, ConfigSource::kStaticBroker}, ConfigType::kInt, "This broker's number.");
  show("default.replication.factor", {"1", ConfigSource::kDefault}, ConfigType::kInt,
       "The bucket is the one replica of the log.");
}

}  // namespace

kafka::DescribeConfigsResponse describe_configs(Services& services, const Caller&,
                                                const kafka::DescribeConfigsRequest& request) {
  kafka::DescribeConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = std::string(resource.resource_name);
    switch (static_cast<ResourceType>(resource.resource_type)) {
      case ResourceType::kTopic: describe_topic(services, request, resource, out); break;
      case ResourceType::kBroker: describe_broker(services, request, resource, out); break;
      // Nothing of these kinds can be set, so nothing is.
      case ResourceType::kGroup:
      case ResourceType::kClientMetrics:
      case ResourceType::kBrokerLogger: break;
      default:
        out.error_code = wire(ErrorCode::kInvalidRequest);
        out.error_message = fmt::format("Unsupported resource type: {}", resource.resource_type);
    }
  }
  return response;
}

}  // namespace millrace::broker
