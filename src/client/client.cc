#include "client/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/backoff.h"
#include "client/cluster.h"
#include "client/kafka_error.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/list_offsets.h"

namespace millrace::client {
namespace {

using kafka::CreateTopicsRequest;
using kafka::CreateTopicsResponse;
using kafka::ErrorCode;
using kafka::kReadCommitted;
using kafka::ListOffsetsRequest;
using kafka::ListOffsetsResponse;

constexpr std::int16_t kListOffsetsVersionMax = 7;
constexpr std::int16_t kCreateTopicsVersionMax = 7;

std::string name_of(const TopicPartition& partition) {
  return fmt::format("partition {}-{}", partition.topic, partition.partition);
}

Task<Result<void>> create_once(std::shared_ptr<Cluster> cluster, const NewTopic& topic, SteadyTime deadline) {
  CO_TRY(const auto broker, co_await cluster->connection(cluster->controller(), Purpose::kAdmin, deadline));
  CreateTopicsRequest request;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic.name;
  wanted.num_partitions = topic.partitions;
  wanted.replication_factor = -1;
  for (const auto& [key, value] : topic.configs) wanted.configs.push_back({.name = key, .value = value});
  request.timeout_ms = 15'000;
  CO_TRY(const auto response, co_await broker->ask<CreateTopicsResponse>(request, kCreateTopicsVersionMax, deadline));
  if (response.topics.size() != 1) co_return fail(Code::kCorrupt, "CreateTopics: no answer for the topic");
  const auto& answer = response.topics.front();
  const auto code = kafka::error_from_wire(answer.error_code);
  if (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists) co_return Result<void>();
  co_return fail(error_of(code, "creating topic " + topic.name, answer.error_message.value_or("")));
}

// A new topic is known to all brokers, and has leaders, a little later than its creation is answered.
Task<Result<void>> wait_for_leaders(std::shared_ptr<Cluster> cluster, std::string topic, SteadyTime deadline) {
  Backoff backoff(cluster->clock(), deadline);
  while (true) {
    const auto info = co_await cluster->look_up(topic, deadline);
    if (info && !info->leaders.empty() && std::ranges::find(info->leaders, -1) == info->leaders.end()) {
      co_return Result<void>();
    }
    if (!info && !info.error().retriable() && info.error().code() != Code::kNotFound) co_return fail(info.error());
    if (!co_await backoff.wait()) {
      co_return fail(Code::kUnavailable, fmt::format("topic {} was created but has no leaders yet", topic));
    }
  }
}

Task<Result<std::int64_t>> offset_once(std::shared_ptr<Cluster> cluster, TopicPartition partition, OffsetSpec spec,
                                       SteadyTime deadline) {
  CO_TRY(const Broker leader, co_await cluster->leader_of(partition, deadline));
  CO_TRY(const auto broker, co_await cluster->connection(leader, Purpose::kAdmin, deadline));
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = kReadCommitted;
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  topic.partitions.push_back({.partition_index = partition.partition, .timestamp = static_cast<std::int64_t>(spec)});
  CO_TRY(const auto response,
         co_await broker->ask<ListOffsetsResponse>(request, kListOffsetsVersionMax, cluster->attempt(deadline)));
  if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1) {
    co_return fail(Code::kCorrupt, "ListOffsets: no answer for the partition");
  }
  const auto& answer = response.topics[0].partitions[0];
  const auto code = kafka::error_from_wire(answer.error_code);
  if (code == ErrorCode::kNone) co_return answer.offset;
  co_return fail(error_of(code, name_of(partition)));
}

}  // namespace

Client::Client(Executor executor, Clock& clock, Connector& connector, ClientOptions options)
    : cluster_(std::make_shared<Cluster>(std::move(executor), clock, connector, std::move(options))) {}

Client::~Client() { close(); }

void Client::close() { cluster_->close(); }

Task<Result<std::int32_t>> Client::partition_count(std::string topic) {
  return cluster_->partitions_of(std::move(topic), cluster_->deadline());
}

Task<Result<void>> Client::create_topic(NewTopic topic) {
  const auto cluster = cluster_;
  const SteadyTime deadline = cluster->deadline();
  Backoff backoff(cluster->clock(), deadline);
  while (true) {
    auto created = co_await create_once(cluster, topic, deadline);
    if (created) co_return co_await wait_for_leaders(cluster, topic.name, deadline);
    if (!created.error().retriable() || !co_await backoff.wait()) co_return created;
    // Another controller may have been chosen.
    (void)co_await cluster->look_up(topic.name, deadline);
  }
}

Task<Result<std::vector<std::string>>> Client::list_topics() {
  const auto cluster = cluster_;
  const SteadyTime deadline = cluster->deadline();
  Backoff backoff(cluster->clock(), deadline);
  while (true) {
    auto names = co_await cluster->all_topics(deadline);
    if (names || !names.error().retriable() || !co_await backoff.wait()) co_return names;
  }
}

Task<Result<std::int64_t>> Client::offset_of(TopicPartition partition, OffsetSpec spec) {
  const auto cluster = cluster_;
  const SteadyTime deadline = cluster->deadline();
  Backoff backoff(cluster->clock(), deadline);
  while (true) {
    auto offset = co_await offset_once(cluster, partition, spec, deadline);
    if (offset || !offset.error().retriable() || !co_await backoff.wait()) co_return offset;
    cluster->forget(partition.topic);
  }
}

}  // namespace millrace::client
