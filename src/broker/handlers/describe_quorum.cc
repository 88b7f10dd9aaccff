// DescribeQuorum (KIP-595): who writes the metadata log, and how far the others have read it. The controller is the
// leader; every live broker can become controller, so all of them are voters. Offsets are numbers of log entries.
#include <algorithm>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using Response = kafka::DescribeQuorumResponse;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::string_view kListenerName = "PLAINTEXT";
constexpr std::int16_t kNodesSince = 2;  // KIP-853

Response::ReplicaState voter(const cluster::ClusterDescription& cluster, const cluster::BrokerDescription& broker,
                             std::int64_t now_ms) {
  Response::ReplicaState out;
  out.replica_id = broker.id;
  const bool known = broker.applied.value() > 0;
  out.log_end_offset = known ? static_cast<std::int64_t>(broker.applied.value()) : -1;
  if (broker.id == cluster.controller_id) {
    out.last_fetch_timestamp = out.last_caught_up_timestamp = now_ms;
  } else if (broker.heard_ms_ago >= 0) {
    out.last_fetch_timestamp = now_ms - broker.heard_ms_ago;
    if (known && broker.applied >= cluster.applied) out.last_caught_up_timestamp = out.last_fetch_timestamp;
  }
  return out;
}

void describe_metadata_log(const cluster::ClusterDescription& cluster, std::int64_t now_ms,
                           Response::PartitionData& out) {
  out.leader_id = cluster.controller_id;
  out.leader_epoch = static_cast<std::int32_t>(cluster.controller_epoch);
  out.high_watermark = static_cast<std::int64_t>(cluster.applied.value());
  for (const auto& broker : cluster.brokers) {
    if (broker.live || broker.id == cluster.controller_id) out.current_voters.push_back(voter(cluster, broker, now_ms));
  }
  // Of the one that answers it is certain.
  const auto own = std::ranges::find(out.current_voters, cluster.described_by, &Response::ReplicaState::replica_id);
  if (own != out.current_voters.end()) own->log_end_offset = out.high_watermark;
}

}  // namespace

Task<kafka::DescribeQuorumResponse> describe_quorum(Services& services, Caller caller,
                                                    kafka::DescribeQuorumRequest request) {
  Response response;
  const cluster::ClusterDescription cluster = co_await services.cluster.describe();
  const std::int64_t now_ms = services.clock.wall_ms();
  for (const auto& asked : request.topics) {
    auto& topic = response.topics.emplace_back();
    topic.topic_name = std::string(asked.topic_name);
    for (const auto& partition : asked.partitions) {
      auto& out = topic.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      if (asked.topic_name == kMetadataTopic && partition.partition_index == 0) {
        describe_metadata_log(cluster, now_ms, out);
      } else {
        out.error_code = wire(ErrorCode::kUnknownTopicOrPartition);
        out.error_message = "There is one quorum, that of __cluster_metadata-0.";
      }
    }
  }
  if (caller.version < kNodesSince) co_return response;
  for (const auto& broker : cluster.brokers) {
    if (!broker.live && broker.id != cluster.controller_id) continue;
    auto& node = response.nodes.emplace_back();
    node.node_id = broker.id;
    node.listeners.push_back({std::string(kListenerName), broker.host, broker.port});
  }
  co_return response;
}

}  // namespace millrace::broker
