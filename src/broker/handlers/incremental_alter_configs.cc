// IncrementalAlterConfigs (KIP-339): set, delete, append to and subtract from the keys of topics. Broker keys are
// read when the program starts, so setting one is refused, as Kafka refuses its read-only ones; taking back what was
// never set changes nothing, which is how Kafka's reassignment tool ends (it removes throttles).
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/config_entries.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using AlterConfigsResource = kafka::IncrementalAlterConfigsRequest::AlterConfigsResource;
using AlterConfigsResourceResponse = kafka::IncrementalAlterConfigsResponse::AlterConfigsResourceResponse;

Result<std::vector<cluster::ConfigAlteration>> alterations_of(const AlterConfigsResource& resource) {
  std::vector<cluster::ConfigAlteration> all;
  for (const auto& change : resource.configs) {
    if (change.config_operation < 0 || change.config_operation > 3) {
      return fail(Code::kInvalid, fmt::format("Unknown operation {}", change.config_operation));
    }
    std::optional<std::string> value;
    if (change.value) value = std::string(*change.value);
    all.push_back(
        {std::string(change.name), static_cast<cluster::ConfigOp>(change.config_operation), std::move(value)});
  }
  return all;
}

// A key twice is a mistake of the request, all else one of the config.
bool repeats_a_key(const AlterConfigsResource& resource) {
  std::set<std::string_view> names;
  return !std::ranges::all_of(resource.configs, [&](const auto& change) { return names.insert(change.name).second; });
}

Task<AlterConfigsResourceResponse> alter_topic(Services& services, const AlterConfigsResource& resource,
                                               bool validate_only) {
  AlterConfigsResourceResponse out;
  out.resource_type = resource.resource_type;
  out.resource_name = std::string(resource.resource_name);
  const auto refuse = [&](ErrorCode code, std::string message) {
    out.error_code = wire(code);
    out.error_message = std::move(message);
  };
  const auto* topic = services.topics.find(resource.resource_name);
  if (!topic) {
    refuse(ErrorCode::kUnknownTopicOrPartition, "There is no such topic.");
    co_return out;
  }
  if (repeats_a_key(resource)) {
    refuse(ErrorCode::kInvalidRequest, "Error due to duplicate config keys");
    co_return out;
  }
  const auto alterations = alterations_of(resource);
  if (!alterations) {
    refuse(ErrorCode::kInvalidRequest, alterations.error().message());
    co_return out;
  }
  auto changes = cluster::alter_topic_configs(topic->configs, *alterations);
  if (!changes) {
    refuse(ErrorCode::kInvalidConfig, changes.error().message());
    co_return out;
  }
  if (validate_only || changes->empty()) co_return out;
  const Uuid id = topic->id;
  const Result<void> altered = co_await services.cluster.alter_topic_config(id, std::move(*changes));
  if (!altered) refuse(code_of_change(altered.error()), altered.error().message());
  co_return out;
}

bool only_deletes(const AlterConfigsResource& resource) {
  const auto deletes = [](const auto& change) {
    return change.config_operation == static_cast<std::int8_t>(cluster::ConfigOp::kDelete);
  };
  return std::ranges::all_of(resource.configs, deletes);
}

}  // namespace

Task<kafka::IncrementalAlterConfigsResponse> incremental_alter_configs(Services& services, Caller,
                                                                       kafka::IncrementalAlterConfigsRequest request) {
  kafka::IncrementalAlterConfigsResponse response;
  std::set<std::pair<std::int8_t, std::string_view>> seen, repeated;
  for (const auto& resource : request.resources) {
    const std::pair key(resource.resource_type, resource.resource_name);
    if (!seen.insert(key).second) repeated.insert(key);
  }
  for (const auto& resource : request.resources) {
    const auto type = static_cast<ResourceType>(resource.resource_type);
    if (type == ResourceType::kTopic && !repeated.contains({resource.resource_type, resource.resource_name})) {
      AlterConfigsResourceResponse answer = co_await alter_topic(services, resource, request.validate_only);
      response.responses.push_back(std::move(answer));
      continue;
    }
    AlterConfigsResourceResponse refused;
    refused.resource_type = resource.resource_type;
    refused.resource_name = std::string(resource.resource_name);
    if (type == ResourceType::kBroker && only_deletes(resource)) {
      response.responses.push_back(std::move(refused));
      continue;
    }
    refused.error_code = wire(ErrorCode::kInvalidRequest);
    if (type == ResourceType::kTopic) {
      refused.error_message = "Each resource must appear at most once.";
    } else if (type == ResourceType::kBroker) {
      refused.error_message =
          "Cannot update these configs dynamically: broker configs are read from the configuration file at start.";
    } else {
      refused.error_message = fmt::format("Configs of resource type {} are not supported.", resource.resource_type);
    }
    response.responses.push_back(std::move(refused));
  }
  co_return response;
}

}  // namespace millrace::broker
