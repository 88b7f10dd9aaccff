// What is asked of the cluster in its own words, as batches; and who leads new partitions, which the controller says.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr std::int64_t kProducerIdBlock = 1000;
constexpr std::int32_t kPartitionsMax = 1'000'000;

}  // namespace

// Those that live, as far as the controller knows: it is one of them, and it heard the others lately.
std::vector<const BrokerState*> ClusterNode::brokers_to_lead() const {
  std::vector<const BrokerState*> live, registered;
  const SteadyTime now = clock_.now();
  for (const auto& [id, broker] : state().brokers()) {
    const auto current = broker.incarnations.find(broker.current);
    if (current == broker.incarnations.end() || current->second.phase != IncarnationPhase::kLive) continue;
    registered.push_back(&broker);
    const auto heard = heard_.find(id);
    const bool lately = now < (heard == heard_.end() ? controls_since_ : heard->second) + options_.broker_timeout;
    if (id == options_.broker_id || lately) live.push_back(&broker);
  }
  return live.empty() ? registered : live;
}

// New partitions get their first leaders in the batch that makes them, spread over the brokers.
void ClusterNode::assign_leaders(std::vector<Record>& batch) const {
  std::vector<Record> assignments;
  for (const auto& record : batch) {
    Uuid topic_id;
    std::int32_t from = 0, to = 0;
    if (const auto* made = std::get_if<CreateTopicRecord>(&record)) {
      topic_id = made->topic_id;
      to = made->partitions;
    } else if (const auto* grown = std::get_if<CreatePartitionsRecord>(&record)) {
      topic_id = grown->topic_id;
      to = grown->total;
      if (const auto* topic = state().topic(topic_id)) from = static_cast<std::int32_t>(topic->partitions.size());
    }
    const std::vector<const BrokerState*> brokers = to > from ? brokers_to_lead() : std::vector<const BrokerState*>();
    if (brokers.empty()) continue;
    const std::size_t first = state().topic_ids().size();
    for (std::int32_t p = from; p < std::min(to, kPartitionsMax); ++p) {
      const BrokerState& broker = *brokers[(first + static_cast<std::size_t>(p)) % brokers.size()];
      assignments.emplace_back(AssignLeaderRecord{.partition = {topic_id, p},
                                                  .broker_id = broker.id,
                                                  .incarnation = broker.current,
                                                  .epoch = 0,
                                                  .base_offset = 0});
    }
  }
  std::move(assignments.begin(), assignments.end(), std::back_inserter(batch));
}

Task<Result<Uuid>> ClusterNode::create_topic(NewTopicSpec topic) {
  const Uuid id = Uuid::random(random_);
  if (state().topic_ids().contains(topic.name))
    co_return fail(Code::kExists, fmt::format("topic '{}' exists", topic.name));
  std::vector<Record> records;
  records.emplace_back(CreateTopicRecord{.topic_id = id,
                                         .name = std::move(topic.name),
                                         .partitions = topic.partitions,
                                         .configs = std::move(topic.configs),
                                         .created_ms = clock_.wall_ms()});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return id;
}

Task<Result<void>> ClusterNode::delete_topic(Uuid topic_id) {
  std::vector<Record> records;
  records.emplace_back(DeleteTopicRecord{topic_id});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<void>> ClusterNode::create_partitions(Uuid topic_id, std::int32_t total) {
  if (!state().topic(topic_id))
    co_return fail(Code::kNotFound, fmt::format("no topic with id {}", topic_id.to_string()));
  std::vector<Record> records;
  records.emplace_back(CreatePartitionsRecord{topic_id, total});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<void>> ClusterNode::alter_topic_config(Uuid topic_id, ConfigChanges changes) {
  std::vector<Record> records;
  records.emplace_back(AlterConfigRecord{topic_id, std::move(changes)});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<std::int64_t>> ClusterNode::allocate_producer_id() {
  while (next_producer_id_ == producer_ids_end_) {
    if (allocating_ids_) {
      co_await ids_allocated_.wait();
      continue;
    }
    allocating_ids_ = true;
    const std::int64_t begin = state().next_producer_id();
    std::vector<Record> records;
    records.emplace_back(ProducerIdsRecord{begin + kProducerIdBlock});
    Result<LogSeq> committed = co_await commit(std::move(records));
    allocating_ids_ = false;
    if (committed) {
      next_producer_id_ = begin;
      producer_ids_end_ = begin + kProducerIdBlock;
    }
    ids_allocated_.pulse();
    if (!committed && committed.error().code() == Code::kExists) continue;  // another broker was faster
    if (!committed) co_return fail(std::move(committed).error());
  }
  co_return next_producer_id_++;
}

}  // namespace millrace::cluster
