#include "client/cluster.h"

#include <fmt/format.h>

#include "client/backoff.h"
#include "client/kafka_error.h"
#include "kafka/messages/metadata.h"

namespace millrace::client {
namespace {

using kafka::MetadataRequest;
using kafka::MetadataResponse;

constexpr std::int16_t kMetadataVersionMax = 12;
// Beyond this many connections to one broker, long polls wait behind one another.
constexpr int kFetchConnectionsMax = 64;

struct Opening {
  Event done;
  std::optional<Result<std::unique_ptr<Channel>>> channel;
};

Task<void> open_channel(Connector& connector, Broker broker, std::shared_ptr<Opening> opening) {
  opening->channel = co_await connector.connect(broker.host, broker.port);
  opening->done.set();
}

}  // namespace

Task<Result<std::shared_ptr<Connection>>> Cluster::open(Broker broker, SteadyTime deadline) {
  const std::string name = fmt::format("{}:{}", broker.host, broker.port);
  auto opening = std::make_shared<Opening>();
  spawn_on(executor_, open_channel(connector_, broker, opening));
  if (!co_await opening->done.wait_until(clock_, attempt(deadline))) {
    co_return fail(Code::kUnavailable, fmt::format("connecting to {} took too long", name));
  }
  if (!*opening->channel) co_return fail(std::move(*opening->channel).error().with(name));
  auto connection = std::make_shared<Connection>(executor_, clock_, std::move(**opening->channel), options_.client_id);
  auto negotiated = co_await connection->negotiate(attempt(deadline));
  if (!negotiated) co_return fail(std::move(negotiated).error().with(name));
  co_return connection;
}

Cluster::SlotKey Cluster::slot_for(const Broker& broker, Purpose purpose) const {
  SlotKey key{broker, purpose, 0};
  if (purpose != Purpose::kFetch) return key;
  for (int i = 0; i < kFetchConnectionsMax; ++i) {
    std::get<2>(key) = i;
    const auto found = slots_.find(key);
    if (found == slots_.end()) return key;
    // One owner: this map. More: a Fetch is using it.
    if (!found->second->opening && found->second->connection.use_count() <= 1) return key;
  }
  std::get<2>(key) = 0;
  return key;
}

Task<Result<std::shared_ptr<Connection>>> Cluster::connection(Broker broker, Purpose purpose, SteadyTime deadline) {
  if (closed_) co_return fail(Code::kCancelled, "the client is closed");
  auto& entry = slots_[slot_for(broker, purpose)];
  if (!entry) entry = std::make_shared<Slot>();
  const auto slot = entry;
  if (slot->connection && !slot->connection->broken()) co_return slot->connection;
  if (slot->opening) {
    const auto opening = *slot->opening;
    co_return co_await opening.wait();
  }
  const Promise<Result<std::shared_ptr<Connection>>> opening;
  slot->opening = opening;
  slot->connection = nullptr;
  auto opened = co_await open(broker, deadline);
  if (closed_) opened = fail(Code::kCancelled, "the client is closed");
  if (opened) slot->connection = *opened;
  slot->opening.reset();
  opening.set(opened);
  co_return opened;
}

Task<Result<std::shared_ptr<Connection>>> Cluster::any(SteadyTime deadline) {
  const Broker bootstrap{options_.bootstrap_host, options_.bootstrap_port};
  auto first = co_await connection(bootstrap, Purpose::kAdmin, deadline);
  if (first || first.error().code() == Code::kCancelled) co_return first;
  const auto known = brokers_;
  for (const auto& [id, broker] : known) {
    if (broker == bootstrap) continue;
    auto other = co_await connection(broker, Purpose::kAdmin, deadline);
    if (other) co_return other;
  }
  co_return first;
}

Broker Cluster::controller() const {
  const auto found = brokers_.find(controller_);
  return found != brokers_.end() ? found->second : Broker{options_.bootstrap_host, options_.bootstrap_port};
}

template <class Response>
Result<TopicInfo> Cluster::learn(const Response& response, const std::string& topic) {
  brokers_.clear();
  for (const auto& broker : response.brokers) {
    brokers_[broker.node_id] = {broker.host, static_cast<std::uint16_t>(broker.port)};
  }
  controller_ = response.controller_id;
  topics_.erase(topic);
  for (const auto& each : response.topics) {
    if (each.name != topic) continue;
    const auto code = kafka::error_from_wire(each.error_code);
    if (code != kafka::ErrorCode::kNone) return fail(error_of(code, "topic " + topic));
    TopicInfo info;
    info.leaders.assign(each.partitions.size(), -1);
    for (const auto& partition : each.partitions) {
      const auto index = static_cast<std::size_t>(partition.partition_index);
      if (index < info.leaders.size() && brokers_.contains(partition.leader_id)) {
        info.leaders[index] = partition.leader_id;
      }
    }
    topics_[topic] = info;
    return info;
  }
  return fail(Code::kUnavailable, fmt::format("topic {}: the broker did not answer for it", topic));
}

Task<Result<TopicInfo>> Cluster::look_up(std::string topic, SteadyTime deadline) {
  CO_TRY(const auto broker, co_await any(deadline));
  MetadataRequest request;
  request.topics.emplace().emplace_back().name = topic;
  request.allow_auto_topic_creation = false;
  CO_TRY(const auto response, co_await broker->ask<MetadataResponse>(request, kMetadataVersionMax, attempt(deadline)));
  co_return learn(response, topic);
}

Task<Result<std::vector<std::string>>> Cluster::all_topics(SteadyTime deadline) {
  CO_TRY(const auto broker, co_await any(deadline));
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  CO_TRY(const auto response, co_await broker->ask<MetadataResponse>(request, kMetadataVersionMax, attempt(deadline)));
  std::vector<std::string> names;
  for (const auto& topic : response.topics) {
    if (topic.name) names.push_back(*topic.name);
  }
  co_return names;
}

Task<Result<Broker>> Cluster::leader_of(TopicPartition partition, SteadyTime deadline) {
  auto known = topics_.find(partition.topic);
  if (known == topics_.end()) {
    CO_TRY_VOID(co_await look_up(partition.topic, deadline));
    known = topics_.find(partition.topic);
    if (known == topics_.end()) co_return fail(Code::kUnavailable, "topic " + partition.topic + " was just forgotten");
  }
  const auto& leaders = known->second.leaders;
  const auto index = static_cast<std::size_t>(partition.partition);
  if (partition.partition < 0 || index >= leaders.size()) {
    forget(partition.topic);
    co_return fail(Code::kNotFound, fmt::format("topic {} has no partition {}", partition.topic, partition.partition));
  }
  const auto broker = brokers_.find(leaders[index]);
  if (broker == brokers_.end()) {
    forget(partition.topic);
    co_return fail(Code::kUnavailable,
                   fmt::format("partition {}-{} has no leader now", partition.topic, partition.partition));
  }
  co_return broker->second;
}

Task<Result<std::int32_t>> Cluster::partitions_of(std::string topic, SteadyTime deadline) {
  Backoff backoff(clock_, deadline);
  while (true) {
    auto info = co_await look_up(topic, deadline);
    if (info) co_return static_cast<std::int32_t>(info->leaders.size());
    if (!info.error().retriable() || !co_await backoff.wait()) co_return fail(std::move(info).error());
  }
}

void Cluster::close() {
  closed_ = true;
  for (auto& [key, slot] : slots_) {
    if (slot->connection) slot->connection->set_broken();
    slot->connection = nullptr;
  }
}

}  // namespace millrace::client
