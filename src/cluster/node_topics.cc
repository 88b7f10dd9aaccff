// What is asked of the cluster in its own words, as batches.
#include <fmt/format.h>

#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr std::int64_t kProducerIdBlock = 1000;

}  // namespace

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
