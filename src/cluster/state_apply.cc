#include "cluster/state_apply.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::cluster {
namespace {

constexpr std::int32_t kPartitionsPerTopicMax = 1'000'000;

}  // namespace

Result<void> MetadataApplier::apply(std::span<const Record> records) {
  const std::size_t mark = undo_.size();
  for (const auto& record : records) {
    Result<void> done = std::visit([this](const auto& r) { return on(r); }, record);
    if (!done) {
      roll_back_to(mark);
      return done;
    }
  }
  return {};
}

void MetadataApplier::roll_back_to(std::size_t mark) {
  while (undo_.size() > mark) {
    undo_.back()();
    undo_.pop_back();
  }
}

Result<TopicState*> MetadataApplier::find_topic(const Uuid& id) {
  const auto found = state_.topics_.find(id);
  if (found == state_.topics_.end()) return refuse(Code::kNotFound, "no topic with id {}", id.to_string());
  return &found->second;
}

PartitionState* MetadataApplier::find_partition(const PartitionId& id) {
  const auto found = state_.topics_.find(id.topic_id);
  if (found == state_.topics_.end() || id.partition < 0) return nullptr;
  auto& partitions = found->second.partitions;
  const auto index = static_cast<std::size_t>(id.partition);
  return index < partitions.size() ? &partitions[index] : nullptr;
}

Result<IncarnationState*> MetadataApplier::find_incarnation(std::int32_t broker_id, Incarnation incarnation) {
  const auto broker = state_.brokers_.find(broker_id);
  if (broker == state_.brokers_.end()) return refuse(Code::kNotFound, "no broker {}", broker_id);
  const auto found = broker->second.incarnations.find(incarnation);
  if (found == broker->second.incarnations.end())
    return refuse(Code::kNotFound, "broker {} has no incarnation {}", broker_id, incarnation.value());
  return &found->second;
}

// ---- controller and brokers ----

Result<void> MetadataApplier::on(const ClaimRecord& r) {
  // Rule 6: of two Claims the one that won the slot counts; the other finds its epoch taken.
  if (r.controller_epoch != state_.controller_epoch_ + 1) {
    return refuse(Code::kFenced, "claim of controller epoch {} while the epoch is {}", r.controller_epoch,
                  state_.controller_epoch_);
  }
  set(state_.controller_epoch_, r.controller_epoch);
  set(state_.controller_id_, r.broker_id);
  return {};
}

Result<void> MetadataApplier::on(const RegisterBrokerRecord& r) {
  if (r.broker_id < 0) return refuse(Code::kInvalid, "broker id {} is negative", r.broker_id);
  const Incarnation incarnation(seq_.value());  // Rule 14: the log number of this entry, so never used twice.
  BrokerState* broker = nullptr;
  if (const auto known = state_.brokers_.find(r.broker_id); known != state_.brokers_.end()) {
    broker = &known->second;
    if (broker->incarnations.contains(incarnation))
      return refuse(Code::kExists, "broker {} is registered twice in entry {}", r.broker_id, seq_.value());
    const Incarnation previous = broker->current;
    if (const auto at = broker->incarnations.find(previous); at != broker->incarnations.end()) {
      // Rule 14: the same entry fences the previous incarnation.
      if (at->second.phase == IncarnationPhase::kLive) set(at->second.phase, IncarnationPhase::kFenced);
    }
    set(broker->current, incarnation);
    set(broker->draining, false);
    drop_if_done(r.broker_id, previous);
  } else {
    broker = insert(state_.brokers_, r.broker_id, BrokerState{.id = r.broker_id, .current = incarnation});
  }
  set(broker->host, r.host);
  set(broker->port, r.port);
  set(broker->rack, r.rack);
  insert(broker->incarnations, incarnation, IncarnationState{.wal_kind = r.wal_kind});  // Rule 21: the WAL's kind.
  return {};
}

Result<void> MetadataApplier::on(const FenceRecord& r) {
  TRY(IncarnationState * incarnation, find_incarnation(r.broker_id, r.incarnation));
  if (incarnation->phase != IncarnationPhase::kLive)
    return refuse(Code::kExists, "incarnation {} of broker {} is fenced already", r.incarnation.value(), r.broker_id);
  set(incarnation->phase, IncarnationPhase::kFenced);
  return {};
}

Result<void> MetadataApplier::on(const RecoveredRecord& r) {
  TRY(IncarnationState * incarnation, find_incarnation(r.broker_id, r.incarnation));
  // Rule 2: only of a fenced incarnation, once, and from the floor that stood still since the Fence (rule 1).
  if (incarnation->phase == IncarnationPhase::kLive)
    return refuse(Code::kInvalid, "incarnation {} is live: fence it first", r.incarnation.value());
  if (incarnation->phase == IncarnationPhase::kRecovered)
    return refuse(Code::kExists, "incarnation {} is recovered already", r.incarnation.value());
  if (r.from != incarnation->floor) {
    return refuse(Code::kInvalid, "recovery of incarnation {} began at slot {}, its floor is {}", r.incarnation.value(),
                  r.from.value(), incarnation->floor.value());
  }
  if (r.seal_slot < r.from) return refuse(Code::kInvalid, "seal slot {} lies below the floor", r.seal_slot.value());
  std::map<PartitionId, std::int64_t> ends;
  for (const auto& end : r.ends) ends[end.partition] = std::max(ends[end.partition], end.end_offset);
  set(incarnation->phase, IncarnationPhase::kRecovered);
  set(incarnation->seal_slot, std::optional(r.seal_slot));  // Rule 3: the end for ever.
  // Rule 12: what the incarnation leads here and now, whatever it led when it was fenced.
  for (auto& [id, topic] : state_.topics_) {
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      PartitionState& partition = topic.partitions[i];
      if (!partition.led_by({r.broker_id, r.incarnation})) continue;
      std::int64_t end = partition.base_offset;
      if (!partition.extents.empty()) end = std::max(end, partition.extents.rbegin()->second.extent.end_offset);
      const auto given = ends.find({id, static_cast<std::int32_t>(i)});
      if (given != ends.end()) end = std::max(end, given->second);
      close({id, static_cast<std::int32_t>(i)}, partition, end, SlotNumber(r.seal_slot.value() - 1));
    }
  }
  drop_if_done(r.broker_id, r.incarnation);
  return {};
}

void MetadataApplier::drop_if_done(std::int32_t broker_id, Incarnation incarnation) {
  BrokerState& broker = state_.brokers_.find(broker_id)->second;
  const auto at = broker.incarnations.find(incarnation);
  if (at == broker.incarnations.end() || broker.current == incarnation) return;
  if (at->second.phase == IncarnationPhase::kRecovered && at->second.floor >= *at->second.seal_slot)
    erase(broker.incarnations, at);
}

// ---- topics and leaders ----

Result<void> MetadataApplier::on(const CreateTopicRecord& r) {
  if (r.name.empty()) return refuse(Code::kInvalid, "a topic needs a name");
  if (r.partitions < 1 || r.partitions > kPartitionsPerTopicMax)
    return refuse(Code::kInvalid, "topic '{}' cannot have {} partitions", r.name, r.partitions);
  if (state_.topic_ids_.contains(r.name)) return refuse(Code::kExists, "topic '{}' exists", r.name);
  if (r.topic_id.is_zero() || state_.topics_.contains(r.topic_id))
    return refuse(Code::kExists, "topic id {} is taken", r.topic_id.to_string());
  TopicState topic{
      .id = r.topic_id, .name = r.name, .configs = r.configs, .created_ms = r.created_ms, .partitions = {}};
  topic.partitions.resize(static_cast<std::size_t>(r.partitions));
  for (std::int32_t p = 0; p < r.partitions; ++p) mark_leaderless({r.topic_id, p}, true);
  insert(state_.topics_, r.topic_id, std::move(topic));
  insert(state_.topic_ids_, r.name, r.topic_id);
  return {};
}

Result<void> MetadataApplier::on(const DeleteTopicRecord& r) {
  TRY(TopicState * topic, find_topic(r.topic_id));
  drop_partition_references(*topic);
  erase(state_.topic_ids_, state_.topic_ids_.find(topic->name));
  erase(state_.topics_, state_.topics_.find(r.topic_id));
  return {};
}

void MetadataApplier::drop_partition_references(TopicState& topic) {
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    auto& partition = topic.partitions[i];
    mark_leaderless({topic.id, static_cast<std::int32_t>(i)}, false);
    end_move({topic.id, static_cast<std::int32_t>(i)});
    for (const auto& [base, held] : partition.extents) drop_reference(held.key);
    if (partition.state) drop_reference(partition.state_key);
  }
}

Result<void> MetadataApplier::on(const CreatePartitionsRecord& r) {
  TRY(TopicState * topic, find_topic(r.topic_id));
  if (r.total <= static_cast<std::int64_t>(topic->partitions.size()) || r.total > kPartitionsPerTopicMax) {
    return refuse(Code::kInvalid, "topic '{}' has {} partitions; {} is not an increase", topic->name,
                  topic->partitions.size(), r.total);
  }
  // A copy takes the place, so that pointers held by older inverses still point into the vector they restore.
  auto grown = topic->partitions;
  for (auto p = static_cast<std::int32_t>(grown.size()); p < r.total; ++p) mark_leaderless({r.topic_id, p}, true);
  grown.resize(static_cast<std::size_t>(r.total));
  set(topic->partitions, std::move(grown));
  return {};
}

Result<void> MetadataApplier::on(const AlterConfigRecord& r) {
  TRY(TopicState * topic, find_topic(r.topic_id));
  auto configs = topic->configs;
  for (const auto& [name, value] : r.changes) {
    if (value) {
      configs[name] = *value;
    } else {
      configs.erase(name);
    }
  }
  set(topic->configs, std::move(configs));
  return {};
}

Result<void> MetadataApplier::on(const AssignLeaderRecord& r) {
  PartitionState* partition = find_partition(r.partition);
  if (!partition) return refuse(Code::kNotFound, "no partition {}", name_of(r.partition));
  // Rule 13: nobody leads it, and the new leader's incarnation is live.
  if (partition->leader_broker) {
    return refuse(Code::kExists, "partition {} is led by broker {}: it must release it, or be fenced and recovered",
                  name_of(r.partition), *partition->leader_broker);
  }
  TRY(const IncarnationState* incarnation, find_incarnation(r.broker_id, r.incarnation));
  // Rule 1: a fenced incarnation gets nothing.
  if (incarnation->phase != IncarnationPhase::kLive)
    return refuse(Code::kFenced, "incarnation {} of broker {} is fenced", r.incarnation.value(), r.broker_id);
  // Rule 11: only a higher epoch reopens a partition.
  if (r.epoch <= partition->leader_epoch) {
    return refuse(Code::kInvalid, "epoch {} of partition {} is not above {}", r.epoch, name_of(r.partition),
                  partition->leader_epoch);
  }
  if (r.base_offset != partition->end_offset) {
    return refuse(Code::kInvalid, "partition {} ends at offset {}, a leader cannot begin at {}", name_of(r.partition),
                  partition->end_offset, r.base_offset);
  }
  if (partition->state || !partition->past.empty() || r.base_offset > 0) set(state_.takeovers_, seq_.value());
  mark_leaderless(r.partition, false);
  end_move(r.partition);
  set(partition->leader_broker, std::optional(r.broker_id));
  set(partition->last_leader, r.broker_id);
  set(partition->leader_incarnation, r.incarnation);
  set(partition->leader_epoch, r.epoch);
  set(partition->base_offset, r.base_offset);
  // An epoch that took no record leaves no trace, as in Kafka's epoch cache.
  auto epochs = partition->epochs;
  while (!epochs.empty() && epochs.back().start_offset >= r.base_offset) epochs.pop_back();
  epochs.push_back({r.epoch, r.base_offset});
  set(partition->epochs, std::move(epochs));
  return {};
}

Result<void> MetadataApplier::on(const ReleaseRecord& r) {
  PartitionState* partition = find_partition(r.partition);
  if (!partition) return refuse(Code::kNotFound, "no partition {}", name_of(r.partition));
  // Rule 10: by the incarnation that leads it, still live (rule 1), in the current epoch.
  if (!partition->leader_broker || partition->leader_incarnation != r.incarnation ||
      partition->leader_epoch != r.epoch) {
    return refuse(Code::kFenced, "partition {} is not led by incarnation {} in epoch {}", name_of(r.partition),
                  r.incarnation.value(), r.epoch);
  }
  TRY(const IncarnationState* incarnation, find_incarnation(*partition->leader_broker, r.incarnation));
  if (incarnation->phase != IncarnationPhase::kLive)
    return refuse(Code::kFenced, "incarnation {} is fenced", r.incarnation.value());
  if (r.end_offset < partition->base_offset) {
    return refuse(Code::kInvalid, "partition {} cannot end at {}, its epoch began at {}", name_of(r.partition),
                  r.end_offset, partition->base_offset);
  }
  close(r.partition, *partition, r.end_offset, r.last_slot);
  return {};
}

void MetadataApplier::close(const PartitionId& id, PartitionState& partition, std::int64_t end_offset,
                            SlotNumber last_slot) {
  if (end_offset > std::max(partition.base_offset, partition.registered_end())) {
    auto past = partition.past;
    past.push_back({*partition.leader_broker, partition.leader_incarnation, end_offset, last_slot});
    set(partition.past, std::move(past));
  }
  set(partition.leader_broker, std::nullopt);
  set(partition.end_offset, end_offset);
  mark_leaderless(id, true);
}

void MetadataApplier::mark_leaderless(const PartitionId& id, bool is) {
  auto& all = state_.leaderless_;
  if (is == all.contains(id)) return;
  const auto flip = [&all, id](bool in) {
    if (in) {
      all.insert(id);
    } else {
      all.erase(id);
    }
  };
  flip(is);
  undo_.push_back([flip, is] { flip(!is); });
}

void MetadataApplier::end_move(const PartitionId& id) {
  if (const auto at = state_.moves_.find(id); at != state_.moves_.end()) erase(state_.moves_, at);
}

// ---- moves ----

Result<void> MetadataApplier::on(const MovePartitionRecord& r) {
  const PartitionState* partition = find_partition(r.partition);
  if (!partition) return refuse(Code::kNotFound, "no partition {}", name_of(r.partition));
  const auto broker = state_.brokers_.find(r.to_broker);
  if (broker == state_.brokers_.end()) return refuse(Code::kNotFound, "no broker {}", r.to_broker);
  end_move(r.partition);
  if (partition->leader_broker == r.to_broker) return {};
  if (!broker->second.is_live())
    return refuse(Code::kInvalid, "broker {} is fenced: it cannot lead {}", r.to_broker, name_of(r.partition));
  insert(state_.moves_, r.partition, r.to_broker);
  return {};
}

Result<void> MetadataApplier::on(const DrainBrokerRecord& r) {
  const auto broker = state_.brokers_.find(r.broker_id);
  if (broker == state_.brokers_.end()) return refuse(Code::kNotFound, "no broker {}", r.broker_id);
  set(broker->second.draining, r.draining);
  return {};
}

Result<void> MetadataApplier::on(const UnregisterBrokerRecord& r) {
  const auto broker = state_.brokers_.find(r.broker_id);
  if (broker == state_.brokers_.end()) return refuse(Code::kNotFound, "no broker {}", r.broker_id);
  for (const auto& [number, incarnation] : broker->second.incarnations) {
    if (incarnation.phase == IncarnationPhase::kLive)
      return refuse(Code::kInvalid, "broker {} is live: stop it first", r.broker_id);
    if (incarnation.phase == IncarnationPhase::kFenced || incarnation.floor < *incarnation.seal_slot)
      return refuse(Code::kUnavailable, "broker {} has records that are in no data object yet", r.broker_id);
  }
  erase(state_.brokers_, broker);
  return {};
}

// ---- offsets and counters ----

Result<void> MetadataApplier::on(const SetLogStartRecord& r) {
  for (const auto& start : r.starts) {
    // A topic deleted meanwhile needs no log start, and a log start never falls.
    PartitionState* partition = find_partition(start.partition);
    if (partition && start.offset > partition->log_start_offset) raise_log_start(*partition, start.offset);
  }
  return {};
}

void MetadataApplier::raise_log_start(PartitionState& partition, std::int64_t offset) {
  set(partition.log_start_offset, offset);
  while (!partition.extents.empty() && partition.extents.begin()->second.extent.end_offset <= offset)
    drop_extent(partition, partition.extents.begin());
  auto epochs = partition.epochs;
  const auto covers = std::find_if(epochs.rbegin(), epochs.rend(),
                                   [offset](const EpochStart& epoch) { return epoch.start_offset <= offset; });
  if (covers == epochs.rend() || std::next(covers) == epochs.rend()) return;
  epochs.erase(epochs.begin(), std::next(covers).base());
  set(partition.epochs, std::move(epochs));
}

Result<void> MetadataApplier::on(const ProducerIdsRecord& r) {
  if (r.next_id <= state_.next_producer_id_) {
    return refuse(Code::kExists, "producer ids below {} are given out, {} is not above", state_.next_producer_id_,
                  r.next_id);
  }
  set(state_.next_producer_id_, r.next_id);
  return {};
}

Result<void> MetadataApplier::on(const OrphanFloorRecord& r) {
  if (r.floor < state_.orphan_floor_ || r.floor > seq_) {
    return refuse(Code::kInvalid, "orphan floor {} is not between {} and this entry's number {}", r.floor.value(),
                  state_.orphan_floor_.value(), seq_.value());
  }
  set(state_.orphan_floor_, r.floor);
  return {};
}

}  // namespace millrace::cluster
