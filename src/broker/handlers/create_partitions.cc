// CreatePartitions (KIP-195): topics only grow.
#include <fmt/format.h>

#include <map>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using CreatePartitionsTopic = kafka::CreatePartitionsRequest::CreatePartitionsTopic;
using CreatePartitionsTopicResult = kafka::CreatePartitionsResponse::CreatePartitionsTopicResult;

Task<CreatePartitionsTopicResult> grow(Services& services, const CreatePartitionsTopic& asked, bool validate_only) {
  CreatePartitionsTopicResult out;
  out.name = std::string(asked.name);
  const auto refuse = [&](ErrorCode code, std::string message) {
    out.error_code = wire(code);
    out.error_message = std::move(message);
  };
  const auto* topic = services.topics.find(asked.name);
  if (!topic) {
    refuse(ErrorCode::kUnknownTopicOrPartition, "There is no such topic.");
    co_return out;
  }
  const auto now = static_cast<std::int32_t>(topic->partitions.size());
  if (is_internal_topic(asked.name)) {
    // Groups would belong to other partitions at once, and be forgotten.
    refuse(ErrorCode::kInvalidRequest, "The partitions of internal topics cannot change.");
  } else if (asked.count == now) {
    refuse(ErrorCode::kInvalidPartitions, fmt::format("Topic already has {} partition(s).", now));
  } else if (asked.count < now) {
    refuse(ErrorCode::kInvalidPartitions,
           fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.", asked.name, now,
                       asked.count));
  } else if (asked.count > 10'000) {
    refuse(ErrorCode::kInvalidPartitions, "A topic has at most 10000 partitions.");
  } else if (asked.assignments && static_cast<std::int32_t>(asked.assignments->size()) != asked.count - now) {
    refuse(ErrorCode::kInvalidReplicaAssignment,
           fmt::format("Increasing the number of partitions by {} but {} assignments "
                       "provided.",
                       asked.count - now, asked.assignments->size()));
  }
  if (out.error_code != 0 || validate_only) co_return out;
  const Uuid topic_id = topic->id;
  const Result<void> grown = co_await services.cluster.create_partitions(topic_id, asked.count);
  if (!grown) refuse(code_of_change(grown.error()), grown.error().message());
  co_return out;
}

}  // namespace

Task<kafka::CreatePartitionsResponse> create_partitions(Services& services, Caller,
                                                        kafka::CreatePartitionsRequest request) {
  kafka::CreatePartitionsResponse response;
  std::map<std::string_view, int> times;
  for (const auto& asked : request.topics) ++times[asked.name];
  for (const auto& asked : request.topics) {
    if (times[asked.name] > 1) {
      CreatePartitionsTopicResult refused;
      refused.name = std::string(asked.name);
      refused.error_code = wire(ErrorCode::kInvalidRequest);
      refused.error_message = "Duplicate topic in request.";
      response.results.push_back(std::move(refused));
      continue;
    }
    CreatePartitionsTopicResult answer = co_await grow(services, asked, request.validate_only);
    response.results.push_back(std::move(answer));
  }
  co_return response;
}

}  // namespace millrace::broker
