#include "storage/compaction/past_compactor.h"

#include <algorithm>

#include "base/log.h"
#include "storage/compaction/responsible.h"

namespace millrace::storage {
namespace {

constexpr Duration kPastDelayMax = 5s;  // at most: partitions open first
constexpr Duration kPastRetryAfter = 5s;
constexpr Duration kPastLookAgain = 500ms;  // for a partition's still earlier batches to become objects

}  // namespace

Task<void> PastCompactor::run(Event& stopping) {
  while (!stopping.is_set() && !parts_.committer.fenced().is_set()) {
    if (!next_wal()) {
      co_await parts_.cluster.changed().wait();
      const SteadyTime later = parts_.clock.now() + std::min(kPastDelayMax, parts_.options.object_interval);
      if (next_wal()) co_await stopping.wait_until(parts_.clock, later);
      continue;
    }
    Result<bool> done = co_await compact_once();
    if (!done) {
      parts_.metrics.compaction_failures.Increment();
      LOG_WARN("compaction.failed", {"error", done.error().to_string()});
    }
    if (done && *done) continue;
    const SteadyTime later = parts_.clock.now() + (done ? kPastLookAgain : kPastRetryAfter);
    co_await stopping.wait_until(parts_.clock, later);
  }
}

// The oldest that is recovered and has slots left. Those on a disk are read where the disk is (rule 21).
std::optional<PastCompactor::Wal> PastCompactor::next_wal() const {
  std::optional<Wal> oldest;
  for (const auto& [id, broker] : parts_.cluster.state().brokers()) {
    for (const auto& [number, incarnation] : broker.incarnations) {
      if (incarnation.phase != cluster::IncarnationPhase::kRecovered || incarnation.floor >= *incarnation.seal_slot)
        continue;
      const bool on_disk = incarnation.wal_kind == cluster::WalKind::kDisk;
      if (on_disk ? id != parts_.cluster.broker_id() : !is_responsible(parts_.cluster, number.value())) continue;
      if (!oldest || number < oldest->incarnation) oldest = Wal{id, number, incarnation.floor, *incarnation.seal_slot};
    }
  }
  return oldest;
}

Task<Result<bool>> PastCompactor::compact_once() {
  const auto wal = next_wal();
  if (!wal) co_return false;
  const UploadBirth birth(parts_);
  CO_TRY(Work work, co_await collect(*wal));
  if (work.slots.empty()) co_return false;
  ObjectBuilder builder(birth.seq(), parts_.cluster.broker_id(), parts_.cluster.incarnation());
  struct State {
    PartitionId id;
    std::int64_t follows = 0, end_offset = 0;
    std::string bytes;
  };
  std::vector<State> states;
  const std::int64_t now_ms = parts_.clock.wall_ms();
  for (auto& [id, batches] : work.batches) {
    const auto* metadata = parts_.cluster.state().partition(id);
    if (!metadata) continue;  // the topic was deleted
    const std::int64_t log_start = metadata->log_start_offset;
    CO_TRY(Checkpoint checkpoint, co_await load_checkpoint(parts_, id));
    State state{id, checkpoint.end_offset, checkpoint.end_offset, {}};
    for (auto& batch : batches) {
      checkpoint.producers.note(batch.head, now_ms);
      state.end_offset = batch.head.last_offset() + 1;
      if (state.end_offset <= log_start) continue;
      SliceChain bytes;
      bytes.append(std::move(batch.bytes));
      builder.add_batch(id, batch.head.base_offset, state.end_offset, batch.head.max_timestamp, std::move(bytes));
    }
    state.bytes = checkpoint.producers.encode();
    states.push_back(std::move(state));
  }
  for (auto& state : states) builder.add_state(state.id, state.follows, state.end_offset, std::move(state.bytes));
  CO_TRY_VOID(co_await publish_object(parts_, builder, birth.seq(), std::move(work.slots)));
  co_return true;
}

Task<Result<PastCompactor::Work>> PastCompactor::collect(Wal wal) {
  Work work;
  for (SlotAddress at{wal.broker_id, wal.incarnation, wal.floor}; at.slot < wal.seal; at.slot = at.slot.next()) {
    if (work.bytes >= parts_.options.object_bytes_target) break;
    Result<object::Object> got = co_await parts_.store.get(slot_key(at));
    if (!got) co_return fail(std::move(got).error().with("reading " + slot_key(at)));
    CO_TRY(const bool taken, take(work, at, got->body));
    if (!taken) break;
  }
  co_return work;
}

// False: an earlier batch of one of its partitions is in no object yet, so the run ends before this slot.
Result<bool> PastCompactor::take(Work& work, const SlotAddress& address, const Slice& body) const {
  TRY(const DecodedSlot slot, decode_slot(body, address));
  if (slot.header.kind != SlotKind::kData) return fail(Code::kNotFound, slot_key(address) + " is no data slot");
  const auto& metadata = parts_.cluster.state();
  for (const auto& group : slot.groups) {
    const auto* state = metadata.partition(group.partition);
    if (!state || group.batches.empty()) continue;
    const auto end = work.ends.try_emplace(group.partition, state->registered_end()).first->second;
    if (group.batches.front().base_offset > end) return false;
  }
  for (const auto& group : slot.groups) {
    if (!work.ends.contains(group.partition)) continue;
    std::size_t position = group.position;
    auto& end = work.ends.at(group.partition);
    for (const auto& batch : group.batches) {
      const BatchHeader head = header_of(group, batch);
      if (head.base_offset >= end) {
        work.batches[group.partition].push_back({head, body.sub(position, batch.size)});
        end = head.last_offset() + 1;
      }
      position += batch.size;
    }
  }
  work.slots.push_back(address);
  work.bytes += body.size();
  return true;
}

}  // namespace millrace::storage
