// DeleteTopics: by name, from version 6 on also by id.
#include <fmt/format.h>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using DeletableTopicResult = kafka::DeleteTopicsResponse::DeletableTopicResult;

constexpr std::int16_t kByIdSince = 6;

Task<DeletableTopicResult> delete_one(Services& services, std::optional<std::string> name, Uuid id) {
  DeletableTopicResult out;
  out.name = name;
  out.topic_id = id;
  const auto refuse = [&](ErrorCode code, std::string message) {
    out.error_code = wire(code);
    out.error_message = std::move(message);
  };
  if (name && !id.is_zero()) {
    refuse(ErrorCode::kInvalidRequest, "A topic is named by its name or its id, not both.");
    co_return out;
  }
  const auto* topic = name ? services.topics.find(*name) : services.topics.find(id);
  if (!topic) {
    refuse(name ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kUnknownTopicId, "There is no such topic.");
    co_return out;
  }
  if (!services.config.delete_topic_enable) {
    refuse(ErrorCode::kTopicDeletionDisabled, "delete.topic.enable is false.");
    co_return out;
  }
  if (is_internal_topic(topic->name)) {
    refuse(ErrorCode::kInvalidRequest, "Internal topics hold the state of consumer groups and cannot be deleted.");
    co_return out;
  }
  const std::string topic_name = topic->name;
  const Uuid topic_id = topic->id;
  const Result<void> deleted = co_await services.cluster.delete_topic(topic_id);
  if (!deleted) {
    refuse(code_of_change(deleted.error()), deleted.error().message());
    co_return out;
  }
  out.name = topic_name;
  out.topic_id = topic_id;
  services.coordinator.forget_topic(topic_name);
  co_return out;
}

}  // namespace

Task<kafka::DeleteTopicsResponse> delete_topics(Services& services, Caller caller, kafka::DeleteTopicsRequest request) {
  kafka::DeleteTopicsResponse response;
  if (caller.version < kByIdSince) {
    for (const std::string_view name : request.topic_names) {
      std::optional<std::string> wanted(name);
      DeletableTopicResult answer = co_await delete_one(services, std::move(wanted), Uuid{});
      response.responses.push_back(std::move(answer));
    }
    co_return response;
  }
  for (const auto& topic : request.topics) {
    std::optional<std::string> name;
    if (topic.name) name = std::string(*topic.name);
    DeletableTopicResult answer = co_await delete_one(services, std::move(name), topic.topic_id);
    response.responses.push_back(std::move(answer));
  }
  co_return response;
}

}  // namespace millrace::broker
