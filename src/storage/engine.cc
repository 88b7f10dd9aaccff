#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "storage/engine_impl.h"

namespace millrace::storage {
namespace {

// Between two scans of all open partitions for changed metadata; calls on a partition see changes at once.
constexpr Duration kFollowInterval = 200ms;
// While nothing changes: what is kept for others has its time.
constexpr Duration kForgetInterval = 10s;

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
    : clock_(clock),
      options_(options),
      metrics_(metrics),
      committer_(executor, clock, random, store, metrics_, slots_, options_, cluster.broker_id(),
                 cluster.incarnation()),
      scope_(executor),
      cache_(scope_, clock, store, metrics_, {options.block_cache_bytes, options.cold_reads_bytes_max},
             options.disk_cache),
      objects_(cache_),
      parts_{executor, clock, random, store, cluster, metrics_, options_, slots_, past_, committer_, cache_, objects_},
      compactor_(parts_),
      past_compactor_(parts_),
      rewriter_(parts_),
      collector_(parts_),
      takeover_(parts_, partitions_),
      released_(parts_),
      recovered_(parts_.clock),
      recoverer_(parts_, recovered_),
      releaser_(parts_, *this, partitions_, compactor_, released_),
      load_meter_(parts_, partitions_) {}

Task<Result<void>> EngineImpl::open() {
  parts_.cluster.answer_storage([this](std::string_view question) { return answer(question); });
  CO_TRY_VOID(co_await recoverer_.recover_all());
  CO_TRY_VOID(co_await committer_.start());
  CO_TRY_VOID(co_await open_what_is_ours());
  committer_.on_acknowledged = [this](SlotRef ref) {
    compactor_.add(ref);
    evict_tail();
  };
  LOG_INFO("storage.opened", {"incarnation", parts_.cluster.incarnation().value()}, {"slots_recovered", past_.size()},
           {"partitions_open", partitions_.size()});
  scope_.spawn(follow_cluster());
  scope_.spawn(compactor_.run(scope_.stopping()));
  scope_.spawn(past_compactor_.run(scope_.stopping()));
  scope_.spawn(rewriter_.run(scope_.stopping()));
  scope_.spawn(collector_.run(scope_.stopping()));
  scope_.spawn(recoverer_.run(scope_.stopping()));
  scope_.spawn(takeover_.run(scope_.stopping()));
  scope_.spawn(releaser_.run(scope_.stopping()));
  scope_.spawn(load_meter_.run(scope_.stopping()));
  co_return Result<void>();
}

// The controller gives what nobody leads to somebody: alone, that is everything, and it is open when this ends. A
// follower does not wait for what the controller may give it.
Task<Result<void>> EngineImpl::open_what_is_ours() {
  auto& cluster = parts_.cluster;
  const SteadyTime deadline = clock_.now() + options_.put_unknown_deadline;
  for (;;) {
    CO_TRY_VOID(co_await takeover_.open_assigned());
    if (cluster.fenced()) co_return fail(Code::kFenced, "this broker was fenced while it started");
    const bool more_to_come = cluster.is_controller() && !cluster.state().leaderless().empty();
    if (takeover_.done() && !more_to_come) co_return Result<void>();
    if (clock_.now() >= deadline) co_return fail(Code::kTimeout, "partitions stay without a leader");
    const SteadyTime soon = clock_.now() + kFollowInterval;
    co_await cluster.changed().wait_until(clock_, soon);
  }
}

Result<std::string> EngineImpl::answer(std::string_view question) {
  TRY(const StorageQuestion asked, decode_question(question));
  if (const auto* wishes = std::get_if<std::vector<HandoverWish>>(&asked))
    return encode_handover(released_.answer(*wishes));
  TRY(const std::vector<RecoveredSlot> slots, recovered_.answer(std::get<FootersWish>(asked)));
  return encode_footers(slots);
}

Partition* EngineImpl::find(const PartitionId& id) {
  auto found = partitions_.find(id);
  if (found != partitions_.end() && found->second->refresh()) return found->second.get();
  const auto* state = parts_.cluster.state().partition(id);
  // Rule 17: what has a history is opened by takeover_.
  if (!state || !state->led_by(parts_.cluster.wal()) || state->has_history()) return nullptr;
  if (found != partitions_.end()) {
    if (found->second->deleted || found->second->log.epoch() >= state->leader_epoch) return nullptr;
    end_leadership(found->second);
    partitions_.erase(found);
  }
  auto partition = std::make_shared<LedPartition>(parts_, id);
  partition->log.open(state->leader_epoch, state->log_start_offset, 0);
  partitions_.emplace(id, partition);
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
  status.wal_bytes += past_.bytes();
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
  parts_.cluster.answer_storage({});
  co_await committer_.stop();
  scope_.request_stop();
  compactor_.wake();
  parts_.cluster.changed().pulse();
  for (auto& [id, partition] : partitions_) partition->wake_watchers();
  co_await scope_.stop();
}

Task<void> EngineImpl::follow_cluster() {
  std::uint64_t seen = 0;
  while (!scope_.stopping().is_set()) {
    released_.forget_old();
    recovered_.forget_old();
    const std::uint64_t applied = parts_.cluster.state().applied().value();
    if (seen == applied && !parts_.cluster.fenced()) {
      const SteadyTime later = clock_.now() + kForgetInterval;
      co_await parts_.cluster.changed().wait_until(clock_, later);
      continue;
    }
    seen = applied;
    if (parts_.cluster.fenced()) committer_.fence(Error(Code::kFenced, parts_.cluster.fenced_reason()));
    for (auto at = partitions_.begin(); at != partitions_.end();) {
      const auto partition = at->second;
      const bool leads = partition->refresh();
      if (!leads) end_leadership(partition);
      at = leads ? std::next(at) : partitions_.erase(at);
    }
    forget_past_slots();
    co_await scope_.stopping().wait_until(clock_, clock_.now() + kFollowInterval);
  }
}

// Its slots keep it until they are compacted.
void EngineImpl::end_leadership(const std::shared_ptr<LedPartition>& partition) {
  partition->wake_watchers();
  partition->watchers.clear();
}

void EngineImpl::forget_past_slots() {
  if (past_.size() == 0) return;
  const auto& brokers = parts_.cluster.state().brokers();
  past_.forget_below([&brokers](const cluster::WalId& wal) -> std::optional<SlotNumber> {
    const auto broker = brokers.find(wal.broker_id);
    if (broker == brokers.end()) return std::nullopt;
    const auto incarnation = broker->second.incarnations.find(wal.incarnation);
    return incarnation == broker->second.incarnations.end() ? std::nullopt : std::optional(incarnation->second.floor);
  });
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
