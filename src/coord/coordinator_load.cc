// How the coordinator follows its partitions of `__consumer_offsets`: finding out which are led here, loading
// and dropping their groups, and forgetting offsets whose time is over.
#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "coord/coordinator.h"
#include "coord/coordinator_state.h"

namespace millrace::coord {
namespace {

constexpr Duration kLookAgain = 50ms;        // while a partition has not been opened by storage yet
constexpr Duration kPrepareTimeout = 10s;    // FindCoordinator answers COORDINATOR_NOT_AVAILABLE then
constexpr std::size_t kLoadBytes = 4 << 20;  // read at once
constexpr Duration kRetry = 500ms;
constexpr std::int64_t kSegmentBytes = 104857600;

}  // namespace

Task<ErrorCode> Coordinator::prepare(std::string group) {
  const SteadyTime deadline = clock_.now() + kPrepareTimeout;
  while (true) {
    if (stop_event_.is_set()) co_return ErrorCode::kCoordinatorNotAvailable;
    if (!partition_of(group) && !creating_topic_) {
      creating_topic_ = true;
      cluster::NewTopicSpec spec;
      spec.name = std::string(kOffsetsTopic);
      spec.partitions = options_.offsets_topic_partitions;
      spec.configs = {{"cleanup.policy", "compact"},
                      {"compression.type", "producer"},
                      {"segment.bytes", std::to_string(kSegmentBytes)}};
      const auto created = co_await cluster_.create_topic(std::move(spec));
      creating_topic_ = false;
      if (!created && created.error().code() != Code::kExists) {
        LOG_WARN("coord.topic_not_created", {"error", created.error().to_string()});
        co_return ErrorCode::kCoordinatorNotAvailable;
      }
      cluster_.changed().pulse();  // so that `follow` looks now
    }
    const auto partition = partition_of(group);
    if (partition) {
      const auto shard = shards_.find(*partition);
      if (shard != shards_.end() && shard->second.loaded) co_return ErrorCode::kNone;
      const auto* state = cluster_.state().topic_by_name(kOffsetsTopic);
      const auto& leader = state->partitions[static_cast<std::size_t>(*partition)].leader_broker;
      if (leader && *leader != cluster_.broker_id()) co_return ErrorCode::kNone;  // another broker's business
    }
    const bool in_time = co_await loaded_.wait_until(clock_, deadline);
    if (!in_time) co_return ErrorCode::kCoordinatorNotAvailable;
  }
}

Task<void> Coordinator::follow() {
  while (!stop_event_.is_set()) {
    bool unsettled = false;
    reconcile(unsettled);
    if (unsettled) {
      const SteadyTime next = clock_.now() + kLookAgain;
      co_await cluster_.changed().wait_until(clock_, next);
    } else {
      co_await cluster_.changed().wait();
    }
  }
}

void Coordinator::reconcile(bool& unsettled) {
  const auto count = log_.partition_count();
  if (!count) return;
  for (std::int32_t index = 0; index < *count; ++index) {
    const auto* topic = cluster_.state().topic_by_name(kOffsetsTopic);
    const auto& assigned = topic->partitions[static_cast<std::size_t>(index)].leader_broker;
    storage::Partition* partition = log_.partition(index);
    const auto shard = shards_.find(index);
    if (shard != shards_.end() && (!partition || partition->leader_epoch() != shard->second.epoch)) unload(index);
    if (partition && !shards_.contains(index)) {
      shards_[index] = Shard{partition->leader_epoch(), false};
      scope_.spawn(load(index, partition->leader_epoch()));
    }
    if (!partition && assigned == cluster_.broker_id()) unsettled = true;
  }
}

Task<void> Coordinator::load(std::int32_t index, std::int32_t epoch) {
  const SteadyTime began = clock_.now();
  std::int64_t offset = -1;
  std::uint64_t records = 0;
  while (!stop_event_.is_set()) {
    storage::Partition* partition = log_.partition(index);
    const auto shard = shards_.find(index);
    if (!partition || partition->leader_epoch() != epoch || shard == shards_.end()) co_return;
    if (offset < 0) offset = partition->log_start_offset();
    // All that a previous leader acknowledged lies below our log end; what it did not must be decided, too.
    if (offset >= partition->high_watermark()) {
      shard->second.loaded = true;
      metrics_.loads.Increment();
      metrics_.load_seconds.Observe(std::chrono::duration<double>(clock_.now() - began).count());
      if (records > 0) LOG_INFO("coord.loaded", {"partition", index}, {"records", records});
      loaded_.pulse();
      co_return;
    }
    auto read = co_await partition->read(offset, kLoadBytes, storage::ReadLimit::kAtLeastOneBatch);
    if (!read) {
      LOG_WARN("coord.load_failed", {"partition", index}, {"offset", offset}, {"error", read.error().to_string()});
      const SteadyTime next = clock_.now() + kRetry;
      co_await stop_event_.wait_until(clock_, next);
      continue;
    }
    auto parsed = parse_batches(read->batches.flatten(), offset);
    if (!parsed) {
      // What is broken is left out, and said so: the groups in it start over.
      metrics_.unreadable.Increment();
      LOG_ERROR("coord.records_unreadable", {"partition", index}, {"offset", offset},
                {"error", parsed.error().to_string()});
    } else {
      records += parsed->size();
      absorb(index, std::move(*parsed));
    }
    if (read->next_offset <= offset) co_return;  // cannot be; never spin
    offset = read->next_offset;
  }
}

void Coordinator::absorb(std::int32_t, std::vector<LoadedRecord> records) {
  for (auto& record : records) {
    if (auto* loaded = std::get_if<LoadedOffset>(&record.what)) {
      if (loaded->value) {
        loaded->value->log_offset = record.offset;
        find_or_create(loaded->group).offsets.put(loaded->key, std::move(*loaded->value));
      } else if (Entry* entry = find(loaded->group)) {
        entry->offsets.remove(loaded->key, record.offset);
        if (entry->offsets.empty() && entry->group.phase_since_ms() < 0) drop(*entry, ErrorCode::kNotCoordinator);
      }
    } else if (auto* group = std::get_if<LoadedGroup>(&record.what)) {
      if (!group->value) {
        if (Entry* entry = find(group->group)) drop(*entry, ErrorCode::kNotCoordinator);
        continue;
      }
      Entry& entry = find_or_create(group->group);
      entry.group = Group(group->group, options_.group, *group->value, clock_.now());
      entry.phase_seen = entry.group.phase();
      schedule(entry);
    }
  }
}

void Coordinator::unload(std::int32_t index) {
  std::vector<std::string> gone;
  for (const auto& [id, entry] : groups_) {
    if (partition_of(id).value_or(index) == index) gone.push_back(id);
  }
  for (const auto& id : gone) drop(*find(id), ErrorCode::kNotCoordinator);
  shards_.erase(index);
}

Task<void> Coordinator::expire_loop() {
  while (true) {
    const SteadyTime next = clock_.now() + options_.offsets_retention_check;
    const bool stopping = co_await stop_event_.wait_until(clock_, next);
    if (stopping) co_return;
    expire_offsets();
  }
}

void Coordinator::expire_offsets() {
  const std::int64_t now_ms = clock_.wall_ms();
  std::vector<std::string> vacant;
  for (auto& [id, entry] : groups_) {
    if (check(id) != ErrorCode::kNone || entry->commits_in_flight > 0) continue;
    const bool simple = entry->group.protocol_type().empty();
    GroupAge age{.simple = simple};
    if (entry->group.phase() == GroupPhase::kEmpty && entry->group.phase_since_ms() >= 0) {
      age.empty_since_ms = entry->group.phase_since_ms();
    }
    auto expired = entry->offsets.expired(now_ms, options_.offsets_retention_ms, age);
    const bool empty_after = expired.size() == entry->offsets.all().size();
    const bool group_too = empty_after && entry->group.vacant();
    if (expired.empty() && !group_too) continue;
    metrics_.expired.Increment(static_cast<double>(expired.size()));
    if (group_too) vacant.push_back(id);
    scope_.spawn(write_tombstones(id, std::move(expired), group_too));
  }
  for (const auto& id : vacant) drop(*find(id), ErrorCode::kGroupIdNotFound);
}

void Coordinator::forget_topic(const std::string& topic) {
  for (auto& [id, entry] : groups_) {
    auto keys = entry->offsets.of_topic(topic);
    if (!keys.empty()) scope_.spawn(write_tombstones(id, std::move(keys), false));
  }
}

Task<void> Coordinator::write_tombstones(std::string group, std::vector<OffsetKey> keys, bool with_group) {
  std::vector<RecordBytes> records;
  for (const auto& key : keys) records.push_back(offset_tombstone(group, key));
  if (with_group) records.push_back(group_tombstone(group));
  const auto partition = partition_of(group);
  if (!partition || records.empty()) co_return;
  const auto written = log_.add(*partition, std::move(records));
  const WriteOutcome outcome = co_await written.wait();
  Entry* entry = find(group);
  // Without its tombstone an offset comes back with the next load, and expires again.
  if (!entry || outcome.error != ErrorCode::kNone) co_return;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    entry->offsets.remove(keys[i], outcome.first_offset + static_cast<std::int64_t>(i));
  }
}

}  // namespace millrace::coord
