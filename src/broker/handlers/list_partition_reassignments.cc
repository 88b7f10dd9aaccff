// ListPartitionReassignments (KIP-455): the moves under way. A partition that moves has two replicas as Kafka sees it,
// the broker that shall lead it and the one that does.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using Topic = kafka::ListPartitionReassignmentsResponse::OngoingTopicReassignment;

void list_one(const Services& services, const cluster::TopicState& topic, std::int32_t index, Topic& out) {
  const auto& moves = services.cluster.state().moves();
  const auto move = moves.find({topic.id, index});
  if (move == moves.end()) return;
  auto& partition = out.partitions.emplace_back();
  partition.partition_index = index;
  const std::int32_t from = services.topics.placement_of(topic, index).replica;
  partition.replicas = partition.adding_replicas = {move->second};
  if (from < 0 || from == move->second) return;
  partition.replicas.push_back(from);
  partition.removing_replicas = {from};
}

}  // namespace

kafka::ListPartitionReassignmentsResponse list_partition_reassignments(
    Services& services, const Caller&, const kafka::ListPartitionReassignmentsRequest& request) {
  kafka::ListPartitionReassignmentsResponse response;
  const auto keep = [&](Topic topic) {
    if (!topic.partitions.empty()) response.topics.push_back(std::move(topic));
  };
  if (request.topics) {
    for (const auto& asked : *request.topics) {
      const auto* topic = services.topics.find(asked.name);
      if (!topic) continue;
      Topic out;
      out.name = topic->name;
      const auto count = static_cast<std::int32_t>(topic->partitions.size());
      for (const std::int32_t index : asked.partition_indexes) {
        if (index >= 0 && index < count) list_one(services, *topic, index, out);
      }
      keep(std::move(out));
    }
    return response;
  }
  Topic out;
  for (const auto& [id, to] : services.cluster.state().moves()) {
    const auto* topic = services.topics.find(id.topic_id);
    if (!topic) continue;
    if (out.name != topic->name) {
      keep(std::exchange(out, Topic()));
      out.name = topic->name;
    }
    list_one(services, *topic, id.partition, out);
  }
  keep(std::move(out));
  return response;
}

}  // namespace millrace::broker
