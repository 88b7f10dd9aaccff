// OffsetCommit: for topics that exist, answered once durable.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
constexpr std::int16_t kOffsetCommitTopicIdsSince = 10;

}  // namespace

Task<kafka::OffsetCommitResponse> offset_commit(Services& services, Caller caller, kafka::OffsetCommitRequest request) {
  kafka::OffsetCommitResponse response;
  coord::CommitRequest commit;
  commit.group = std::string(request.group_id);
  commit.member_id = std::string(request.member_id);
  if (request.group_instance_id) commit.instance = std::string(*request.group_instance_id);
  commit.generation = request.generation_id_or_member_epoch;
  commit.retention_ms = request.retention_time_ms;

  std::vector<std::pair<std::size_t, std::size_t>> places;  // of each entry in the response
  for (const auto& asked : request.topics) {
    const bool by_id = caller.version >= kOffsetCommitTopicIdsSince;
    const auto* topic = by_id ? services.topics.find(asked.topic_id) : services.topics.find(asked.name);
    auto& out = response.topics.emplace_back();
    out.name = std::string(asked.name);
    out.topic_id = asked.topic_id;
    for (const auto& partition : asked.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      const bool exists = topic && partition.partition_index >= 0 &&
                          static_cast<std::size_t>(partition.partition_index) < topic->partitions.size();
      if (!exists) {
        const bool unknown_id = by_id && !topic;
        answer.error_code = wire(unknown_id ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition);
        continue;
      }
      commit.entries.push_back({{topic->name, partition.partition_index},
                                partition.committed_offset,
                                partition.committed_leader_epoch,
                                std::string(partition.committed_metadata.value_or(""))});
      places.emplace_back(response.topics.size() - 1, out.partitions.size() - 1);
    }
  }
  const std::vector<ErrorCode> errors = co_await services.coordinator.commit(std::move(commit));
  for (std::size_t i = 0; i < places.size(); ++i) {
    response.topics[places[i].first].partitions[places[i].second].error_code = wire(errors[i]);
  }
  co_return response;
}

}  // namespace millrace::broker
