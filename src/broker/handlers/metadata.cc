// Metadata: brokers and topics, by name, by id, or all; creates a topic on first use where that is allowed.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

kafka::MetadataResponse::MetadataResponseTopic failed(std::optional<std::string> name, const Uuid& id, ErrorCode code) {
  kafka::MetadataResponse::MetadataResponseTopic topic;
  topic.error_code = wire(code);
  topic.name = std::move(name);
  topic.topic_id = id;
  return topic;
}

kafka::MetadataResponse::MetadataResponseTopic described(const Services& services, const cluster::TopicState& state,
                                                         bool operations) {
  kafka::MetadataResponse::MetadataResponseTopic topic;
  topic.name = state.name;
  topic.topic_id = state.id;
  topic.is_internal = is_internal_topic(state.name);
  if (operations) topic.topic_authorized_operations = kAllTopicOperations;
  topic.partitions.resize(state.partitions.size());
  for (std::size_t i = 0; i < state.partitions.size(); ++i) {
    auto& partition = topic.partitions[i];
    partition.partition_index = static_cast<std::int32_t>(i);
    const auto placement = services.topics.placement_of(state, partition.partition_index);
    if (placement.leader < 0) partition.error_code = wire(ErrorCode::kLeaderNotAvailable);
    partition.leader_id = placement.leader;
    partition.leader_epoch = placement.epoch;
    if (placement.replica >= 0) partition.replica_nodes = partition.isr_nodes = {placement.replica};
    if (placement.offline) partition.offline_replicas = {placement.replica};
  }
  return topic;
}

}  // namespace

Task<kafka::MetadataResponse> metadata(Services& services, Caller caller, kafka::MetadataRequest request) {
  kafka::MetadataResponse response;
  for_each_live_broker(services.cluster, [&](std::int32_t id, const cluster::BrokerState& broker) {
    response.brokers.push_back({id, broker.host, broker.port, rack_of(broker)});
  });
  response.cluster_id = services.cluster.cluster_id().to_string();
  response.controller_id = controller_to_show(services.cluster);
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kAllClusterOperations;
  const bool operations = request.include_topic_authorized_operations;

  // Version 0 has no null: there an empty list asks for all.
  if (!request.topics || (caller.version == 0 && request.topics->empty())) {
    for (const auto& [name, id] : services.cluster.state().topic_ids()) {
      response.topics.push_back(described(services, *services.topics.find(id), operations));
    }
    co_return response;
  }
  // Before version 4 the broker's own setting is the only one.
  const bool may_create =
      services.config.auto_create_topics_enable && (caller.version < 4 || request.allow_auto_topic_creation);
  std::optional<std::string> no_name;
  if (caller.version < 12) no_name = "";  // null exists from version 12 on
  for (const auto& asked : *request.topics) {
    if (!asked.name) {
      const auto* topic = services.topics.find(asked.topic_id);
      response.topics.push_back(topic ? described(services, *topic, operations)
                                      : failed(no_name, asked.topic_id, ErrorCode::kUnknownTopicId));
      continue;
    }
    std::string name(*asked.name);
    if (topic_name_problem(name)) {
      response.topics.push_back(failed(std::move(name), Uuid{}, ErrorCode::kInvalidTopicException));
      continue;
    }
    ErrorCode error = ErrorCode::kUnknownTopicOrPartition;
    if (!services.topics.find(name) && may_create) {
      if (is_internal_topic(name)) {
        std::string any_group;
        if (name == coord::kOffsetsTopic) co_await services.coordinator.prepare(std::move(any_group));
      } else {
        std::map<std::string, std::string> no_configs;
        const auto created = co_await services.topics.create(name, -1, std::move(no_configs));
        if (!created && created.error().code != ErrorCode::kTopicAlreadyExists) error = created.error().code;
      }
    }
    const auto* topic = services.topics.find(name);
    response.topics.push_back(topic ? described(services, *topic, operations) : failed(name, Uuid{}, error));
  }
  co_return response;
}

}  // namespace millrace::broker
