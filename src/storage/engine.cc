#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "storage/engine_impl.h"

namespace millrace::storage {
namespace {

// Between two scans of all open partitions for changed metadata; calls on a partition see changes at once.
constexpr Duration kFollowInterval = 200ms;

}  // namespace

Watch::~Watch() {
  for (const auto& id : watched_) engine_.unwatch(id, &event_);
}

void Watch::add(const PartitionId& id) {
  if (auto* partition = engine_.find(id)) {
    partition->add_watcher(&event_);
    watched_.push_back(id);
  }
}

EngineImpl::EngineImpl(Executor executor, Clock& clock, Random& random, object::Store& store, cluster::Cluster& cluster,
                       Metrics& metrics, EngineOptions options)
    : executor_(executor),
      clock_(clock),
      options_(options),
      metrics_(metrics),
      committer_(executor, clock, random, store, metrics_, slots_, options_, cluster.broker_id(),
                 cluster.incarnation()),
      scope_(executor),
      cache_(scope_, clock, store, metrics_, options.block_cache_bytes),
      objects_(cache_),
      parts_{clock, random, store, cluster, metrics_, options_, slots_, committer_, cache_, objects_},
      compactor_(parts_),
      collector_(parts_, compactor_) {}

Task<Result<void>> EngineImpl::open() {
  CO_TRY(const std::vector<Recovered> recovered, co_await recover_predecessors());
  CO_TRY_VOID(co_await take_leadership());
  CO_TRY_VOID(co_await open_checkpointed());
  CO_TRY_VOID(replay(recovered));
  CO_TRY_VOID(check_ends());
  evicted_end_ = slots_.end();
  CO_TRY_VOID(co_await committer_.start());
  for (SlotRef ref = slots_.first(); ref < slots_.end(); ++ref) compactor_.add(ref);
  committer_.on_acknowledged = [this](SlotRef ref) {
    compactor_.add(ref);
    evict_tail();
  };
  LOG_INFO("storage.opened", {"incarnation", parts_.cluster.incarnation().value()},
           {"slots_recovered", slots_.end() - slots_.first()}, {"partitions_open", partitions_.size()});
  scope_.spawn(follow_cluster());
  scope_.spawn(compactor_.run(scope_.stopping()));
  scope_.spawn(collector_.run(scope_.stopping()));
  co_return Result<void>();
}

std::shared_ptr<LedPartition> EngineImpl::open_partition(const PartitionId& id, std::int64_t end) {
  auto partition = std::make_shared<LedPartition>(parts_, id);
  const auto* state = parts_.cluster.state().partition(id);
  partition->log.open(state->leader_epoch, state->log_start_offset, end);
  partitions_.emplace(id, partition);
  return partition;
}

Partition* EngineImpl::find(const PartitionId& id) {
  if (const auto found = partitions_.find(id); found != partitions_.end()) {
    return found->second->refresh() ? found->second.get() : nullptr;
  }
  const auto* state = parts_.cluster.state().partition(id);
  if (!state || state->leader_broker != parts_.cluster.broker_id() ||
      state->leader_incarnation != parts_.cluster.incarnation()) {
    return nullptr;
  }
  // Rule 17: whatever had records or producers was opened by open(); this one begins with this epoch.
  auto partition = open_partition(id, state->base_offset);
  return partition->refresh() ? partition.get() : nullptr;
}

void EngineImpl::unwatch(const PartitionId& id, Event* event) {
  if (const auto found = partitions_.find(id); found != partitions_.end()) found->second->remove_watcher(event);
}

EngineStatus EngineImpl::status() const {
  EngineStatus status;
  status.slots_written = committer_.slots_acked();
  status.slots_in_flight = committer_.in_flight();
  for (SlotRef ref = slots_.first(); ref < slots_.end(); ++ref) {
    if (!slots_[ref].registered) status.wal_bytes += slots_[ref].bytes;
  }
  for (const auto& [key, object] : parts_.cluster.state().objects()) {
    ++status.objects;
    status.object_bytes += object.size_bytes;
  }
  status.tail_bytes = parts_.tail_bytes;
  status.unacked_bytes = committer_.unacked_bytes();
  status.partitions = partitions_.size();
  status.fenced = const_cast<Committer&>(committer_).fenced().is_set();
  status.fenced_reason = committer_.fenced_reason();
  return status;
}

Task<void> EngineImpl::stop() {
  parts_.stopping = true;
  co_await committer_.stop();
  scope_.request_stop();
  compactor_.wake();
  parts_.cluster.changed().pulse();
  for (auto& [id, partition] : partitions_) partition->wake_watchers();
  co_await scope_.stop();
}

Task<void> EngineImpl::follow_cluster() {
  while (!scope_.stopping().is_set()) {
    co_await parts_.cluster.changed().wait();
    if (scope_.stopping().is_set()) break;
    if (parts_.cluster.fenced())
      committer_.fence(
          Error(Code::kFenced,
                "another process took over this broker's node.id, or the bucket gave no definite answer for too long"));
    for (auto at = partitions_.begin(); at != partitions_.end();) {
      const auto partition = at->second;
      partition->refresh();
      at = partition->deleted ? partitions_.erase(at) : std::next(at);
      if (!partition->deleted) continue;
      partition->wake_watchers();
      partition->watchers.clear();
    }
    co_await scope_.stopping().wait_until(clock_, clock_.now() + kFollowInterval);
  }
}

// The oldest acknowledged slots leave memory; they are read from the bucket from then on.
void EngineImpl::evict_tail() {
  while (parts_.tail_bytes > options_.tail_bytes_max && evicted_end_ < slots_.end() && slots_[evicted_end_].acked) {
    SlotInfo& slot = slots_[evicted_end_];
    for (const auto& partition : slot.partitions) parts_.tail_bytes -= partition->log.evict(evicted_end_);
    slot.evicted = true;
    ++evicted_end_;
  }
  slots_.drop_front();
  metrics_.tail_bytes.Set(static_cast<double>(parts_.tail_bytes));
  metrics_.unacked_bytes.Set(static_cast<double>(committer_.unacked_bytes()));
}

Task<Result<std::unique_ptr<Engine>>> open_engine(Executor executor, Clock& clock, Random& random, object::Store& store,
                                                  cluster::Cluster& cluster, Metrics& metrics, EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(executor, clock, random, store, cluster, metrics, options);
  Result<void> opened = co_await engine->open();
  if (!opened) {
    co_await engine->stop();  // what it reads ahead
    co_return fail(std::move(opened).error());
  }
  co_return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace millrace::storage
