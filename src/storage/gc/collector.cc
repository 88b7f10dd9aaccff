#include "storage/gc/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "cluster/bucket_layout.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kListPage = 1000;
constexpr std::int64_t kRetentionMsDefault = 604'800'000;  // Kafka's log.retention.hours=168

std::int64_t number_of(const std::map<std::string, std::string>& configs, const char* name, std::int64_t otherwise) {
  const auto found = configs.find(name);
  if (found == configs.end()) return otherwise;
  std::int64_t value = otherwise;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

bool deletes(const std::map<std::string, std::string>& configs) {
  const auto found = configs.find("cleanup.policy");
  return found == configs.end() || found->second.find("delete") != std::string::npos;
}

}  // namespace

std::int64_t retained_from(const cluster::PartitionState& partition, std::uint64_t unregistered_bytes,
                           std::int64_t now_ms, std::int64_t retention_ms, std::int64_t retention_bytes) {
  std::int64_t from = partition.log_start_offset;
  std::uint64_t bytes = unregistered_bytes;
  for (const auto& [base, held] : partition.extents) bytes += held.extent.size_bytes;
  for (const auto& [base, held] : partition.extents) {
    const auto& extent = held.extent;
    const bool too_old =
        retention_ms >= 0 && extent.max_timestamp_ms >= 0 && extent.max_timestamp_ms < now_ms - retention_ms;
    const bool too_much =
        retention_bytes >= 0 && bytes - extent.size_bytes >= static_cast<std::uint64_t>(retention_bytes);
    if (!too_old && !too_much) break;
    bytes -= extent.size_bytes;
    from = std::max(from, extent.end_offset);
  }
  return from;
}

Task<void> Collector::run(Event& stopping) {
  SteadyTime sweep = parts_.clock.now();
  while (!stopping.is_set() && !parts_.committer.fenced().is_set()) {
    Result<void> done;
    const bool sweeps = parts_.clock.now() >= sweep;
    if (sweeps) done = co_await delete_old_slots();
    if (sweeps && done) done = co_await delete_orphans();
    if (sweeps && done) sweep = parts_.clock.now() + parts_.options.sweep_interval;
    if (!stopping.is_set()) {
      Result<void> retained = co_await apply_retention();
      if (retained) retained = co_await delete_dead_objects();
      if (done) done = std::move(retained);
    }
    if (!done) LOG_WARN("collector.failed", {"error", done.error().to_string()});
    co_await stopping.wait_until(parts_.clock, parts_.clock.now() + parts_.options.retention_check_interval);
  }
}

Task<Result<void>> Collector::apply_retention() {
  const auto& state = parts_.cluster.state();
  const std::int64_t now_ms = parts_.clock.wall_ms();
  cluster::SetLogStartRecord record;
  for (const auto& [name, topic_id] : state.topic_ids()) {
    const auto* topic = state.topic(topic_id);
    if (!deletes(topic->configs)) continue;
    const auto retention_ms = number_of(topic->configs, "retention.ms", kRetentionMsDefault);
    const auto retention_bytes = number_of(topic->configs, "retention.bytes", -1);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto& partition = topic->partitions[i];
      if (partition.extents.empty() || partition.leader_broker != parts_.cluster.broker_id()) continue;
      const auto from = retained_from(partition, 0, now_ms, retention_ms, retention_bytes);
      if (from > partition.log_start_offset) record.starts.push_back({{topic_id, static_cast<std::int32_t>(i)}, from});
    }
  }
  if (record.starts.empty()) co_return Result<void>();
  LOG_INFO("retention.applied", {"partitions", record.starts.size()});
  std::vector<cluster::Record> records;
  records.emplace_back(std::move(record));
  CO_TRY_VOID(co_await parts_.cluster.commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<void>> Collector::delete_dead_objects() {
  if (!parts_.cluster.is_controller()) co_return Result<void>();  // one is enough
  std::vector<std::string> keys;
  for (const auto& [key, object] : parts_.cluster.state().objects()) {
    if (object.live_references == 0) keys.push_back(key);
  }
  if (keys.empty()) co_return Result<void>();
  std::sort(keys.begin(), keys.end());  // the map's order is nobody's business
  std::vector<cluster::Record> records;
  records.emplace_back(cluster::UnregisterObjectsRecord{keys});
  CO_TRY_VOID(co_await parts_.cluster.commit(std::move(records)));
  parts_.metrics.deleted_keys.Increment(static_cast<double>(keys.size()));
  // Readers under way look the place up anew when they meet a 404.
  co_return co_await parts_.store.remove(std::move(keys));
}

Task<Result<void>> Collector::delete_orphans() {
  if (!parts_.cluster.is_controller()) co_return Result<void>();  // one is enough
  const cluster::LogSeq floor = std::min(parts_.oldest_birth(), parts_.cluster.oldest_birth_elsewhere());
  if (floor > parts_.cluster.state().orphan_floor()) {
    std::vector<cluster::Record> records;
    records.emplace_back(cluster::OrphanFloorRecord{floor});
    CO_TRY_VOID(co_await parts_.cluster.commit(std::move(records)));
  }
  std::string after;
  for (;;) {
    CO_TRY(const std::vector<object::Listed> page, co_await parts_.store.list("obj/", after, kListPage));
    if (page.empty()) co_return Result<void>();
    after = page.back().key;
    std::vector<std::string> keys;
    const auto& state = parts_.cluster.state();
    for (const auto& listed : page) {
      const auto birth = cluster::birth_of_object_key(listed.key);
      // Registrations born below the committed floor are refused, so an absent name stays absent.
      if (birth && *birth < state.orphan_floor() && !state.objects().contains(listed.key)) keys.push_back(listed.key);
    }
    if (keys.empty()) continue;
    parts_.metrics.deleted_keys.Increment(static_cast<double>(keys.size()));
    CO_TRY_VOID(co_await parts_.store.remove(std::move(keys)));
  }
}

// Every broker looks after its own slots, the controller after those of brokers that are gone.
bool Collector::may_collect(std::int32_t broker_id) const {
  if (broker_id == parts_.cluster.broker_id()) return true;
  const auto broker = parts_.cluster.state().brokers().find(broker_id);
  return parts_.cluster.is_controller() &&
         (broker == parts_.cluster.state().brokers().end() || !broker->second.is_live());
}

// An incarnation that this state does not know is recovered and wholly replaced, unless it is newer than the state.
bool Collector::needed(const SlotAddress& slot) const {
  const auto& state = parts_.cluster.state();
  if (slot.incarnation.value() > state.applied().value()) return true;
  const auto broker = state.brokers().find(slot.broker_id);
  if (broker == state.brokers().end()) return false;
  const auto known = broker->second.incarnations.find(slot.incarnation);
  if (known == broker->second.incarnations.end()) return false;
  // Beyond a Seal everything is void; before there is one, only what lies below the floor.
  const bool ended = known->second.phase == cluster::IncarnationPhase::kRecovered;
  return slot.slot >= known->second.floor && (!ended || slot.slot < *known->second.seal_slot);
}

Task<Result<void>> Collector::delete_old_slots() {
  std::string after;
  for (;;) {
    CO_TRY(const std::vector<object::Listed> page, co_await parts_.store.list("wal/", after, kListPage));
    if (page.empty()) co_return Result<void>();
    after = page.back().key;
    std::vector<std::string> keys;
    for (const auto& listed : page) {
      const auto address = parse_slot_key(listed.key);
      // A Seal is exactly one header long, a data slot always longer: Seals are never deleted (rule 3).
      const bool data = address && address->slot != SlotNumber(0) && listed.size_bytes > kSlotHeaderBytes;
      if (data && may_collect(address->broker_id) && !needed(*address)) keys.push_back(listed.key);
    }
    if (keys.empty()) continue;
    parts_.metrics.deleted_keys.Increment(static_cast<double>(keys.size()));
    CO_TRY_VOID(co_await parts_.store.remove(std::move(keys)));
  }
}

}  // namespace millrace::storage
