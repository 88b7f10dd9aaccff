// CreateTopics: each topic on its own; one that cannot be created does not stop the others.
#include <fmt/format.h>

#include <map>

#include "broker/handlers/common.h"
#include "broker/handlers/config_entries.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using Result_ = kafka::CreateTopicsResponse::CreatableTopicResult;

constexpr std::int16_t kDefaultsSince = 4;  // -1 partitions and replication factor (KIP-464)

void refuse(Result_& out, ErrorCode code, std::string message) {
  out.error_code = wire(code);
  out.error_message = std::move(message);
  out.configs.reset();
  out.num_partitions = -1;
  out.replication_factor = -1;
}

// The partitions that an explicit assignment asks for, or what is wrong with it.
std::expected<std::int32_t, Topics::Refusal> partitions_of(const Services& services,
                                                           const kafka::CreateTopicsRequest::CreatableTopic& asked,
                                                           std::int16_t version) {
  const auto no = [](ErrorCode code, std::string message) {
    return std::unexpected(Topics::Refusal{code, std::move(message)});
  };
  const auto brokers = services.cluster.state().brokers().size();
  if (asked.assignments.empty()) {
    const bool default_replication = asked.replication_factor == -1 && version >= kDefaultsSince;
    if (!default_replication && asked.replication_factor < 1) {
      return no(ErrorCode::kInvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 for the default.");
    }
    if (!default_replication && static_cast<std::size_t>(asked.replication_factor) > brokers) {
      return no(ErrorCode::kInvalidReplicationFactor,
                fmt::format("Unable to replicate the partition {} time(s): there are {} broker(s). The log is durable "
                            "in the bucket with a replication factor of 1.",
                            asked.replication_factor, brokers));
    }
    if (asked.num_partitions == -1 && version < kDefaultsSince) {
      return no(ErrorCode::kInvalidPartitions, "Number of partitions must be given in this version.");
    }
    if (asked.num_partitions == 0) return no(ErrorCode::kInvalidPartitions, "Number of partitions must be positive.");
    return asked.num_partitions;
  }
  if (asked.num_partitions != -1 || asked.replication_factor != -1) {
    return no(ErrorCode::kInvalidRequest, "Both numbers and an assignment were given; only one of them is possible.");
  }
  std::map<std::int32_t, bool> seen;
  for (const auto& assignment : asked.assignments) {
    seen[assignment.partition_index] = true;
    if (assignment.broker_ids.empty()) return no(ErrorCode::kInvalidReplicaAssignment, "A partition has no broker.");
    for (const std::int32_t id : assignment.broker_ids) {
      if (!services.cluster.state().brokers().contains(id)) {
        return no(ErrorCode::kInvalidReplicaAssignment, fmt::format("There is no broker {}.", id));
      }
    }
  }
  const auto count = static_cast<std::int32_t>(seen.size());
  if (seen.size() != asked.assignments.size() || seen.begin()->first != 0 || seen.rbegin()->first != count - 1) {
    return no(ErrorCode::kInvalidReplicaAssignment, "Partitions must be numbered from 0 on, each once.");
  }
  return count;
}

std::expected<TopicConfigs, Topics::Refusal> configs_of(const kafka::CreateTopicsRequest::CreatableTopic& asked) {
  TopicConfigs configs;
  for (const auto& config : asked.configs) {
    if (!config.value) {
      return std::unexpected(Topics::Refusal{
          ErrorCode::kInvalidConfig, fmt::format("Null value not supported for topic configs: {}", config.name)});
    }
    configs[std::string(config.name)] = std::string(*config.value);
  }
  return configs;
}

Task<void> create_one(Services& services, const kafka::CreateTopicsRequest::CreatableTopic& asked, std::int16_t version,
                      bool validate_only, Result_& out) {
  auto partitions = partitions_of(services, asked, version);
  if (!partitions) co_return refuse(out, partitions.error().code, partitions.error().message);
  auto configs = configs_of(asked);
  if (!configs) co_return refuse(out, configs.error().code, configs.error().message);
  const TopicConfigs wanted = *configs;
  if (validate_only) {
    if (const auto checked = services.topics.check_new(asked.name, *partitions, wanted); !checked) {
      co_return refuse(out, checked.error().code, checked.error().message);
    }
  } else {
    std::string name(asked.name);
    const auto created = co_await services.topics.create(std::move(name), *partitions, wanted);
    if (!created) co_return refuse(out, created.error().code, created.error().message);
    out.topic_id = *created;
  }
  out.num_partitions = *partitions == -1 ? services.config.num_partitions : *partitions;
  out.replication_factor = 1;
  out.configs.emplace();
  for (const auto& key : cluster::topic_config_defs()) {
    const auto entry = topic_entry(wanted, services.config, key);
    out.configs->push_back({std::string(key.name), entry.value, false, static_cast<std::int8_t>(entry.source), false});
  }
}

}  // namespace

Task<kafka::CreateTopicsResponse> create_topics(Services& services, Caller caller, kafka::CreateTopicsRequest request) {
  kafka::CreateTopicsResponse response;
  std::map<std::string_view, int> times;
  for (const auto& asked : request.topics) ++times[asked.name];
  response.topics.reserve(request.topics.size());
  for (const auto& asked : request.topics) {
    if (times[asked.name] == 0) continue;  // a duplicate that was answered
    auto& out = response.topics.emplace_back();
    out.name = std::string(asked.name);
    if (times[asked.name] > 1) {
      times[asked.name] = 0;
      refuse(out, ErrorCode::kInvalidRequest, fmt::format("Duplicate topic name: {}", asked.name));
      continue;
    }
    if (is_internal_topic(asked.name) && asked.name == coord::kOffsetsTopic && !request.validate_only) {
      // Its settings are not a client's to choose; it is made when the first group needs it.
      refuse(out, ErrorCode::kInvalidTopicException, "This topic is created by the broker.");
      continue;
    }
    co_await create_one(services, asked, caller.version, request.validate_only, out);
  }
  co_return response;
}

}  // namespace millrace::broker
