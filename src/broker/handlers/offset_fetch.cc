// OffsetFetch: the committed offsets of a group, from version 8 on of several. A coordinator error is never
// shown as "nothing committed": a client would start over (kafka-python#2428).
#include <map>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

constexpr std::int16_t kOffsetFetchBatchedSince = 8;
constexpr std::int16_t kOffsetFetchTopicIdsSince = 10;
constexpr std::int16_t kTopErrorSince = 2;

template <class Partition>
Partition answer_of(const coord::Offsets& offsets, const std::string& topic, std::int32_t index) {
  Partition out;
  out.partition_index = index;
  out.committed_offset = -1;
  out.metadata = "";
  if (const auto* committed = offsets.find({topic, index})) {
    out.committed_offset = committed->offset;
    out.committed_leader_epoch = committed->leader_epoch;
    out.metadata = committed->metadata;
  }
  return out;
}

template <class Partition>
Partition failed(std::int32_t index, ErrorCode code) {
  Partition out;
  out.partition_index = index;
  out.committed_offset = -1;
  out.metadata = "";
  out.error_code = wire(code);
  return out;
}

// Rule 19: without the proof another broker may coordinate the group by now and have newer offsets.
std::expected<const coord::Offsets*, ErrorCode> offsets_of(const Services& services, std::string_view group,
                                                           const Result<void>& proved) {
  if (!proved) return std::unexpected(ErrorCode::kNotCoordinator);
  return services.coordinator.offsets(group);
}

kafka::OffsetFetchResponse::OffsetFetchResponseGroup fetch_group(
    Services& services, std::int16_t version, const Result<void>& proved,
    const kafka::OffsetFetchRequest::OffsetFetchRequestGroup& asked) {
  kafka::OffsetFetchResponse::OffsetFetchResponseGroup out;
  out.group_id = std::string(asked.group_id);
  const auto offsets = offsets_of(services, asked.group_id, proved);
  if (!offsets) {
    out.error_code = wire(offsets.error());
    return out;
  }
  const bool by_id = version >= kOffsetFetchTopicIdsSince;
  if (!asked.topics) {
    std::map<std::string, std::vector<std::int32_t>> all;
    for (const auto& [key, committed] : (*offsets)->all()) all[key.topic].push_back(key.partition);
    for (const auto& [name, partitions] : all) {
      const auto* topic = services.topics.find(name);
      if (by_id && !topic) continue;
      auto& entry = out.topics.emplace_back();
      entry.name = name;
      if (topic) entry.topic_id = topic->id;
      for (const std::int32_t index : partitions) {
        entry.partitions.push_back(
            answer_of<kafka::OffsetFetchResponse::OffsetFetchResponsePartitions>(**offsets, name, index));
      }
    }
    return out;
  }
  for (const auto& wanted : *asked.topics) {
    auto& entry = out.topics.emplace_back();
    entry.name = std::string(wanted.name);
    entry.topic_id = wanted.topic_id;
    const auto* topic = by_id ? services.topics.find(wanted.topic_id) : nullptr;
    if (topic) entry.name = topic->name;
    for (const std::int32_t index : wanted.partition_indexes) {
      if (by_id && !topic) {
        entry.partitions.push_back(
            failed<kafka::OffsetFetchResponse::OffsetFetchResponsePartitions>(index, ErrorCode::kUnknownTopicId));
      } else {
        entry.partitions.push_back(
            answer_of<kafka::OffsetFetchResponse::OffsetFetchResponsePartitions>(**offsets, entry.name, index));
      }
    }
  }
  return out;
}

void fetch_single(Services& services, std::int16_t version, const Result<void>& proved,
                  const kafka::OffsetFetchRequest& request, kafka::OffsetFetchResponse& response) {
  const auto offsets = offsets_of(services, request.group_id, proved);
  if (!offsets) {
    response.error_code = wire(offsets.error());
    // Version 1 has no place for it but the partitions.
    if (version < kTopErrorSince && request.topics) {
      for (const auto& wanted : *request.topics) {
        auto& entry = response.topics.emplace_back();
        entry.name = std::string(wanted.name);
        for (const std::int32_t index : wanted.partition_indexes) {
          entry.partitions.push_back(
              failed<kafka::OffsetFetchResponse::OffsetFetchResponsePartition>(index, offsets.error()));
        }
      }
    }
    return;
  }
  if (!request.topics) {
    for (const auto& [key, committed] : (*offsets)->all()) {
      if (response.topics.empty() || response.topics.back().name != key.topic) {
        response.topics.emplace_back().name = key.topic;
      }
      response.topics.back().partitions.push_back(
          answer_of<kafka::OffsetFetchResponse::OffsetFetchResponsePartition>(**offsets, key.topic, key.partition));
    }
    return;
  }
  for (const auto& wanted : *request.topics) {
    auto& entry = response.topics.emplace_back();
    entry.name = std::string(wanted.name);
    for (const std::int32_t index : wanted.partition_indexes) {
      entry.partitions.push_back(
          answer_of<kafka::OffsetFetchResponse::OffsetFetchResponsePartition>(**offsets, entry.name, index));
    }
  }
}

}  // namespace

Task<kafka::OffsetFetchResponse> offset_fetch(Services& services, Caller caller, kafka::OffsetFetchRequest request) {
  kafka::OffsetFetchResponse response;
  const Result<void> proved = co_await services.cluster.prove_live();
  if (caller.version < kOffsetFetchBatchedSince) {
    fetch_single(services, caller.version, proved, request, response);
    co_return response;
  }
  for (const auto& group : request.groups)
    response.groups.push_back(fetch_group(services, caller.version, proved, group));
  co_return response;
}

}  // namespace millrace::broker
