// DescribeTopicPartitions (KIP-966): topics in name order, cut into pages of at most so many partitions.
#include <algorithm>
#include <set>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

kafka::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition described(
    const Services& services, const cluster::TopicState& topic, std::int32_t index) {
  kafka::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition out;
  out.partition_index = index;
  const auto placement = services.topics.placement_of(topic, index);
  if (placement.leader < 0) out.error_code = wire(ErrorCode::kLeaderNotAvailable);
  out.leader_id = placement.leader;
  out.leader_epoch = placement.epoch;
  if (placement.replica >= 0) out.replica_nodes = out.isr_nodes = {placement.replica};
  if (placement.offline) out.offline_replicas = {placement.replica};
  out.eligible_leader_replicas.emplace();
  out.last_known_elr.emplace();
  return out;
}

}  // namespace

kafka::DescribeTopicPartitionsResponse describe_topic_partitions(Services& services, const Caller&,
                                                                 const kafka::DescribeTopicPartitionsRequest& request) {
  kafka::DescribeTopicPartitionsResponse response;
  std::set<std::string, std::less<>> names;
  for (const auto& topic : request.topics) names.emplace(topic.name);
  if (request.topics.empty()) {
    for (const auto& [name, id] : services.cluster.state().topic_ids()) names.insert(name);
  }
  std::int32_t room = std::clamp(request.response_partition_limit, 1, services.config.request_partition_limit);
  auto name = request.cursor ? names.lower_bound(request.cursor->topic_name) : names.begin();
  for (; name != names.end(); ++name) {
    const auto* topic = services.topics.find(*name);
    if (room == 0) {
      response.next_cursor = kafka::DescribeTopicPartitionsResponse::Cursor{*name, 0};
      break;
    }
    auto& out = response.topics.emplace_back();
    out.name = *name;
    if (!topic) {
      const bool bad = topic_name_problem(*name).has_value();
      out.error_code = wire(bad ? ErrorCode::kInvalidTopicException : ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    out.topic_id = topic->id;
    out.is_internal = is_internal_topic(*name);
    out.topic_authorized_operations = kAllTopicOperations;
    const auto count = static_cast<std::int32_t>(topic->partitions.size());
    const bool resumes = request.cursor && request.cursor->topic_name == *name;
    std::int32_t index = resumes ? std::max(request.cursor->partition_index, 0) : 0;
    for (; index < count && room > 0; ++index, --room) out.partitions.push_back(described(services, *topic, index));
    if (index < count) {
      response.next_cursor = kafka::DescribeTopicPartitionsResponse::Cursor{*name, index};
      break;
    }
  }
  return response;
}

}  // namespace millrace::broker
