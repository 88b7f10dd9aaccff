// ElectLeaders (KIP-183, KIP-460). A partition has one replica, the broker that leads it, which so is the preferred one
// already; a partition without a leader gets one by itself as soon as there can be one, and nobody can make that
// happen earlier. Nothing is lost by any election here: the log is in the bucket, not with the leader.
#include <fmt/format.h>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using PartitionResult = kafka::ElectLeadersResponse::PartitionResult;

constexpr std::int8_t kPreferredElection = 0, kUncleanElection = 1;

PartitionResult elect(const Services& services, const cluster::TopicState* topic, std::int32_t index,
                      std::int8_t type) {
  PartitionResult out;
  out.partition_id = index;
  const auto answer = [&out](ErrorCode code, std::string message) {
    out.error_code = wire(code);
    out.error_message = std::move(message);
  };
  if (!topic || index < 0 || static_cast<std::size_t>(index) >= topic->partitions.size()) {
    answer(ErrorCode::kUnknownTopicOrPartition, "There is no such partition.");
    return out;
  }
  const auto placement = services.topics.placement_of(*topic, index);
  if (placement.leader >= 0) {
    answer(ErrorCode::kElectionNotNeeded, fmt::format("Broker {} leads it, its only replica.", placement.leader));
  } else if (type == kPreferredElection) {
    answer(ErrorCode::kPreferredLeaderNotAvailable,
           "Its last leader is gone; another broker leads it once that one's log is recovered.");
  } else {
    answer(ErrorCode::kEligibleLeadersNotAvailable,
           "A broker leads it once its last leader's log is recovered; no record is given up for that.");
  }
  return out;
}

}  // namespace

kafka::ElectLeadersResponse elect_leaders(Services& services, const Caller&,
                                          const kafka::ElectLeadersRequest& request) {
  kafka::ElectLeadersResponse response;
  if (request.election_type != kPreferredElection && request.election_type != kUncleanElection) {
    response.error_code = wire(ErrorCode::kInvalidRequest);
    return response;
  }
  if (request.topic_partitions) {
    for (const auto& asked : *request.topic_partitions) {
      auto& out = response.replica_election_results.emplace_back();
      out.topic = std::string(asked.topic);
      const auto* topic = services.topics.find(asked.topic);
      for (const std::int32_t index : asked.partitions) {
        out.partition_result.push_back(elect(services, topic, index, request.election_type));
      }
    }
    return response;
  }
  // Of all partitions, those that need no election are not listed, as Kafka does it.
  for (const auto& [name, id] : services.cluster.state().topic_ids()) {
    const auto& topic = *services.topics.find(id);
    kafka::ElectLeadersResponse::ReplicaElectionResult out;
    out.topic = name;
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      auto result = elect(services, &topic, static_cast<std::int32_t>(i), request.election_type);
      if (result.error_code != wire(ErrorCode::kElectionNotNeeded)) out.partition_result.push_back(std::move(result));
    }
    if (!out.partition_result.empty()) response.replica_election_results.push_back(std::move(out));
  }
  return response;
}

}  // namespace millrace::broker
