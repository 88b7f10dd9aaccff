// AlterPartitionReassignments (KIP-455): moves partitions to other brokers, or calls a move off. The answer says that
// the move is decided; ListPartitionReassignments shows it until the partition has its new leader.
#include <fmt/format.h>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using Asked = kafka::AlterPartitionReassignmentsRequest::ReassignablePartition;
using Answer = kafka::AlterPartitionReassignmentsResponse::ReassignablePartitionResponse;

void refuse_reassignment(Answer& out, ErrorCode code, std::string message) {
  out.error_code = wire(code);
  out.error_message = std::move(message);
}

// The one broker that shall have the partition, or why that cannot be.
std::expected<std::int32_t, std::string> target_of(const Services& services, const std::vector<std::int32_t>& brokers) {
  if (brokers.empty()) return std::unexpected("The manual partition assignment includes an empty replica list.");
  if (brokers.size() > 1) {
    return std::unexpected(
        fmt::format("{} replicas were asked for, but a partition has one: the broker that leads it. "
                    "Its records are durable in the bucket.",
                    brokers.size()));
  }
  const std::int32_t id = brokers.front();
  const auto& known = services.cluster.state().brokers();
  const auto broker = known.find(id);
  if (broker == known.end()) {
    return std::unexpected(
        fmt::format("The manual partition assignment includes broker {}, but no such broker is registered.", id));
  }
  if (!broker->second.is_live()) return std::unexpected(fmt::format("Broker {} is fenced: it cannot lead.", id));
  if (broker->second.draining) return std::unexpected(fmt::format("Broker {} is being drained.", id));
  return id;
}

// What has to be committed for one partition; nothing when it is as asked, or was refused in `out`.
std::optional<cluster::Record> change_of(const Services& services, const cluster::TopicState* topic, const Asked& asked,
                                         Answer& out) {
  const auto index = asked.partition_index;
  if (!topic || index < 0 || static_cast<std::size_t>(index) >= topic->partitions.size()) {
    refuse_reassignment(out, ErrorCode::kUnknownTopicOrPartition, "This server does not host this topic-partition.");
    return std::nullopt;
  }
  const cluster::PartitionId id{topic->id, index};
  const bool moves = services.cluster.state().moves().contains(id);
  const auto placement = services.topics.placement_of(*topic, index);
  if (!asked.replicas) {
    if (moves) return cluster::MovePartitionRecord{id, placement.replica};
    refuse_reassignment(out, ErrorCode::kNoReassignmentInProgress, "No partition reassignment is in progress.");
    return std::nullopt;
  }
  const auto target = target_of(services, *asked.replicas);
  if (!target) {
    refuse_reassignment(out, ErrorCode::kInvalidReplicaAssignment, target.error());
    return std::nullopt;
  }
  if (!moves && placement.leader == *target) return std::nullopt;
  return cluster::MovePartitionRecord{id, *target};
}

ErrorCode code_of_refused_move(const Error& error) {
  if (error.code() == Code::kInvalid || error.code() == Code::kNotFound) return ErrorCode::kInvalidReplicaAssignment;
  return code_of_change(error);
}

struct Change {
  cluster::Record record;
  std::size_t topic = 0, partition = 0;
};

// All in one entry of the log. When something changed meanwhile and one is refused, each by itself.
Task<void> commit_changes(Services& services, std::vector<Change> changes,
                          kafka::AlterPartitionReassignmentsResponse& response) {
  if (changes.empty()) co_return;
  std::vector<cluster::Record> all;
  for (const auto& change : changes) all.push_back(change.record);
  const auto together = co_await services.cluster.commit(std::move(all));
  if (together) co_return;
  const bool one_by_one = changes.size() > 1 && !together.error().retriable();
  for (auto& change : changes) {
    Result<cluster::LogSeq> done = together;
    if (one_by_one) {
      std::vector<cluster::Record> one;
      one.push_back(std::move(change.record));
      done = co_await services.cluster.commit(std::move(one));
    }
    if (done) continue;
    auto& out = response.responses[change.topic].partitions[change.partition];
    refuse_reassignment(out, code_of_refused_move(done.error()), done.error().message());
  }
}

}  // namespace

Task<kafka::AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    Services& services, Caller, kafka::AlterPartitionReassignmentsRequest request) {
  kafka::AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  std::vector<Change> changes;
  for (const auto& asked : request.topics) {
    auto& topic = response.responses.emplace_back();
    topic.name = std::string(asked.name);
    for (const auto& partition : asked.partitions) {
      auto& out = topic.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      auto record = change_of(services, services.topics.find(asked.name), partition, out);
      if (record) changes.push_back({std::move(*record), response.responses.size() - 1, topic.partitions.size() - 1});
    }
  }
  co_await commit_changes(services, std::move(changes), response);
  co_return response;
}

}  // namespace millrace::broker
