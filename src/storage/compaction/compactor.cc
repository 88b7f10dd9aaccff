#include "storage/compaction/compactor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "storage/compaction/publish.h"

namespace millrace::storage {
namespace {

constexpr Duration kRetryAfter = 5s;
constexpr Duration kLookAgain = 500ms;

}  // namespace

// When the next object is due; nothing while no acknowledged slot waits.
std::optional<SteadyTime> Compactor::due() const {
  if (waiting_bytes_ == 0) return std::nullopt;
  if (hurry_ || waiting_bytes_ >= parts_.options.object_bytes_target) return parts_.clock.now();
  for (SlotRef ref = parts_.slots.first(); ref < parts_.slots.end(); ++ref) {
    const SlotInfo& slot = parts_.slots[ref];
    if (!slot.registered) return slot.acked_at + parts_.options.object_interval;
  }
  return std::nullopt;
}

void Compactor::add(SlotRef ref) {
  const std::uint64_t before = waiting_bytes_, target = parts_.options.object_bytes_target;
  waiting_bytes_ += parts_.slots[ref].bytes;
  // Only when that changes what is due: not at each of a thousand slots a second.
  if (before == 0 || (before < target && waiting_bytes_ >= target)) work_.pulse();
}

Task<void> Compactor::run(Event& stopping) {
  SteadyTime not_before = parts_.clock.now();
  while (!stopping.is_set() && !parts_.committer.fenced().is_set()) {
    const auto when = due();
    const SteadyTime now = parts_.clock.now();
    if (!when) {
      co_await work_.wait();
    } else if (std::max(*when, not_before) > now) {
      co_await work_.wait_until(parts_.clock, std::max(*when, not_before));
    } else {
      Result<bool> done = co_await compact_once();
      if (!done) {
        parts_.metrics.compaction_failures.Increment();
        LOG_WARN("compaction.failed", {"error", done.error().to_string()});
        if (done.error().code() == Code::kFenced) co_return;
      }
      // Nothing can be done while earlier batches of a partition wait elsewhere.
      if (!done || !*done) not_before = parts_.clock.now() + (done ? kLookAgain : kRetryAfter);
    }
  }
}

bool Compactor::may_compact(const LivePartition& partition) const {
  const auto* state = parts_.cluster.state().partition(partition.id);
  return !state || state->registered_end() >= partition.term_base;
}

// Rule 8: from the floor on, without a hole, acknowledged only.
std::optional<Compactor::Work> Compactor::choose() const {
  Work work;
  bool any = false;
  std::uint64_t bytes = 0;
  const auto waits = [this](const auto& partition) { return !may_compact(*partition); };
  for (SlotRef ref = parts_.slots.first(); ref < parts_.slots.end(); ++ref) {
    const SlotInfo& slot = parts_.slots[ref];
    if (slot.registered) continue;
    const bool safe = slot.acked || parts_.options.sabotage == Sabotage::kCompactUnacked;
    if (!safe || (any && bytes + slot.bytes > parts_.options.object_bytes_target)) break;
    if (std::ranges::any_of(slot.partitions, waits)) break;
    if (!any) work.first = ref;
    any = true;
    work.last = ref;
    bytes += slot.bytes;
    work.partitions.insert(work.partitions.end(), slot.partitions.begin(), slot.partitions.end());
  }
  if (!any) return std::nullopt;
  auto& partitions = work.partitions;
  std::sort(partitions.begin(), partitions.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  std::erase_if(partitions, [this](const auto& p) { return !parts_.cluster.state().partition(p->id); });
  return work;
}

Task<Result<bool>> Compactor::compact_once() {
  drop_what_is_registered();
  auto work = choose();
  if (!work) co_return false;
  const UploadBirth birth(parts_);
  ObjectBuilder builder(birth.seq(), parts_.cluster.broker_id(), parts_.cluster.incarnation());
  std::vector<Done> all;
  Result<void> result;
  for (const auto& partition : work->partitions) {
    Result<Done> done = co_await add_partition(partition, work->last, builder);
    if (!done) {
      result = fail(std::move(done).error());
      break;
    }
    all.push_back(std::move(*done));
  }
  if (result) result = co_await publish(std::move(*work), std::move(all), builder, birth.seq());
  if (!result) co_return fail(std::move(result).error());
  co_return true;
}

Task<Result<SliceChain>> Compactor::bytes_of(BatchEntry entry) {
  const SlotInfo& slot = parts_.slots[entry.slot];
  const std::string key = slot_key(slot.address);
  const std::uint64_t object_size = slot.object_size;
  co_return co_await parts_.cache.read(key, object_size, entry.position, entry.size);
}

Task<Result<Compactor::Done>> Compactor::add_partition(std::shared_ptr<LivePartition> partition, SlotRef last,
                                                       ObjectBuilder& builder) {
  const auto* state = parts_.cluster.state().partition(partition->id);
  if (state && partition->checkpoint_end != state->registered_end()) {
    CO_TRY(Checkpoint loaded, co_await load_checkpoint(parts_, partition->id));
    partition->checkpoint = std::move(loaded.producers);
    partition->checkpoint_end = loaded.end_offset;
    partition->log.registered(loaded.end_offset);
  }
  const PartitionLog& log = partition->log;
  Done done{partition, partition->checkpoint_end, partition->checkpoint_end, partition->checkpoint};
  // The index may move while bytes are read: every turn begins with the offset.
  for (;;) {
    const auto at = log.find(done.end_offset);
    if (at == log.index().end() || log.index()[at].slot > last) break;
    const BatchEntry entry = log.index()[at];
    SliceChain bytes;
    if (const Slice* held = log.memory(at)) {
      bytes.append(*held);
    } else {
      CO_TRY(bytes, co_await bytes_of(entry));
    }
    const auto head = header_in_chain(bytes, 0);
    if (!head || head->base_offset != entry.base_offset || head->size != entry.size) {
      co_return fail(Code::kCorrupt, fmt::format("a slot does not hold the batch at offset {}", entry.base_offset));
    }
    done.checkpoint.note(*head, parts_.clock.wall_ms());
    done.end_offset = entry.next_offset();
    // DeleteRecords was here first: only its producers are remembered.
    if (entry.next_offset() <= log.log_start()) continue;
    builder.add_batch(partition->id, entry.base_offset, entry.next_offset(), entry.max_timestamp_ms, std::move(bytes));
  }
  co_return done;
}

Task<Result<void>> Compactor::publish(Work work, std::vector<Done> done, ObjectBuilder& builder,
                                      cluster::LogSeq birth) {
  const std::int64_t expired =
      parts_.clock.wall_ms() -
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.options.producer_id_expiration).count();
  for (auto& item : done) {
    item.checkpoint.expire(expired);
    // Also when empty: it says up to where this partition was compacted.
    builder.add_state(item.partition->id, item.follows, item.end_offset, item.checkpoint.encode());
  }
  ReplacedSlots slots;
  for (SlotRef ref = work.first; ref <= work.last; ++ref) slots.push_back(parts_.slots[ref].address);
  CO_TRY_VOID(co_await publish_object(parts_, builder, birth, std::move(slots)));
  for (auto& item : done) {
    item.partition->checkpoint = std::move(item.checkpoint);
    item.partition->checkpoint_end = item.end_offset;
    item.partition->log.registered(item.end_offset);
  }
  for (SlotRef ref = work.first; ref <= work.last; ++ref) mark_registered(ref);
  parts_.slots.drop_front();
  co_return Result<void>();
}

void Compactor::mark_registered(SlotRef ref) {
  if (!parts_.slots.holds(ref) || parts_.slots[ref].registered) return;
  parts_.slots[ref].registered = true;
  waiting_bytes_ -= parts_.slots[ref].bytes;
}

// A Register whose answer was lost may have been committed all the same.
void Compactor::drop_what_is_registered() {
  const auto& brokers = parts_.cluster.state().brokers();
  const auto broker = brokers.find(parts_.cluster.broker_id());
  if (broker == brokers.end()) return;
  const auto mine = broker->second.incarnations.find(parts_.cluster.incarnation());
  if (mine == broker->second.incarnations.end()) return;
  for (SlotRef ref = parts_.slots.first(); ref < parts_.slots.end(); ++ref) {
    const SlotInfo& slot = parts_.slots[ref];
    if (!slot.acked || slot.address.slot >= mine->second.floor) break;
    mark_registered(ref);
  }
  parts_.slots.drop_front();
}

}  // namespace millrace::storage
