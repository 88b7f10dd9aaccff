#include "storage/takeover/takeover.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "storage/compaction/publish.h"
#include "storage/takeover/common.h"
#include "storage/wal/slot_batches.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kTakeoversAtOnce = 10'000;
constexpr int kTakeoverAttempts = 10;
constexpr Duration kTakeoverPause = 100ms;

}  // namespace

Task<void> Takeover::run(Event& stopping) {
  const auto wanted = [this] { return seen_ != parts_.cluster.state().takeovers(); };
  const auto open = [this] { return open_assigned(); };
  co_await work_on_changes(parts_, stopping, "storage.takeover_failed", 1s, wanted, open);
}

Task<Result<void>> Takeover::open_assigned() {
  const std::uint64_t takeovers = parts_.cluster.state().takeovers();
  if (seen_ == takeovers) co_return Result<void>();
  const SteadyTime begin = parts_.clock.now();
  opening_ = true;
  Result<void> result;
  std::size_t opened = 0;
  handed_over_ = 0;
  for (int attempt = 0; attempt < kTakeoverAttempts; ++attempt) {
    result = Result<void>();
    std::vector<Opening> openings = assigned();
    opened += openings.size();
    for (std::size_t from = 0; from < openings.size(); from += kTakeoversAtOnce) {
      const auto first = openings.begin() + static_cast<std::ptrdiff_t>(from);
      const auto last =
          openings.begin() + static_cast<std::ptrdiff_t>(std::min(from + kTakeoversAtOnce, openings.size()));
      std::vector<Opening> some(std::make_move_iterator(first), std::make_move_iterator(last));
      Result<void> done = co_await open_some(std::move(some));
      if (!done && result) result = std::move(done);
    }
    // Slots became objects while they were read: the metadata says where the batches are, once this broker has read it.
    if (result || result.error().code() != Code::kNotFound) break;
    const Result<void> current = co_await parts_.cluster.prove_live();
    if (!current) result = fail(Code::kUnavailable, current.error().message());
    if (!current) break;
    co_await sleep_for(parts_.clock, kTakeoverPause);
  }
  opening_ = false;
  if (!result && result.error().code() == Code::kNotFound) {
    co_return fail(Code::kCorrupt, result.error().message() + ": it is missing, restore it from a backup");
  }
  if (!result) co_return result;
  seen_ = takeovers;
  if (opened > 0) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - begin);
    LOG_INFO("storage.partitions_taken_over", {"partitions", opened}, {"handed_over", handed_over_},
             {"ms", took.count()});
  }
  co_return result;
}

std::vector<Takeover::Opening> Takeover::assigned() const {
  std::vector<Opening> openings;
  const cluster::WalId own = parts_.cluster.wal();
  parts_.cluster.state().for_each_partition([&](const PartitionId& id, const cluster::PartitionState& partition) {
    if (!partition.led_by(own) || !partition.has_history()) return;
    const auto open = table_.find(id);
    if (open != table_.end() && open->second->log.epoch() == partition.leader_epoch) return;
    openings.push_back({.id = id,
                        .epoch = partition.leader_epoch,
                        .base_offset = partition.base_offset,
                        .registered_end = partition.registered_end(),
                        .log_start = partition.log_start_offset,
                        .past = partition.past,
                        .producers = {}});
  });
  return openings;
}

Task<Result<void>> Takeover::open_some(std::vector<Opening> openings) {
  Handovers handovers;
  co_await ask_past_leaders(openings, handovers);
  CO_TRY(Wals wals, wals_of(openings, handovers));
  CO_TRY_VOID(co_await read(wals));
  CO_TRY_VOID(co_await load_producers(openings));
  Result<void> result;
  for (auto& opening : openings) {
    Result<void> done = open(opening, handovers, wals);
    if (!done && result) result = std::move(done);
  }
  co_return result;
}

Task<void> Takeover::ask_past_leaders(const std::vector<Opening>& openings, Handovers& handovers) {
  std::vector<HandoverCase> cases;
  cases.reserve(openings.size());
  for (const auto& opening : openings)
    cases.push_back({opening.id, opening.registered_end, opening.base_offset, opening.past});
  co_await handovers.ask_for(parts_, std::move(cases));
}

Result<Takeover::Wals> Takeover::wals_of(const std::vector<Opening>& openings, const Handovers& handovers) const {
  Wals wals;
  const auto& brokers = parts_.cluster.state().brokers();
  for (const auto& opening : openings) {
    if (handovers.find(opening.id)) continue;
    for (const auto& past : opening.past) {
      const auto broker = brokers.find(past.broker_id);
      const bool known = broker != brokers.end() && broker->second.incarnations.contains(past.incarnation);
      if (!known) {
        // Its slots may all have become objects since `past` was copied: looked at again, it is not there any more.
        return fail(Code::kNotFound,
                    fmt::format("partition {}-{}: the WAL of broker {}, incarnation {}, is not known any more, though "
                                "records up to offset {} were in it",
                                opening.id.topic_id.to_string(), opening.id.partition, past.broker_id,
                                past.incarnation.value(), past.end_offset));
      }
      const auto& incarnation = broker->second.incarnations.at(past.incarnation);
      Wal& wal = wals[{past.broker_id, past.incarnation}];
      wal.from = incarnation.floor;
      wal.recovered = incarnation.phase == cluster::IncarnationPhase::kRecovered;
      wal.partitions.push_back(opening.id);
      wal.to = std::max(wal.to, past.last_slot.next());
    }
  }
  return wals;
}

Task<Result<void>> Takeover::read(Wals& wals) {
  const RecoveryContext context = recovery_context(parts_);
  for (auto& [id, wal] : wals) {
    if (wal.from >= wal.to) continue;
    Result<std::vector<RecoveredSlot>> told = fail(Code::kUnavailable, "it is not over");
    FootersWish wish{id, wal.from, wal.to, std::move(wal.partitions)};
    if (wal.recovered) told = co_await ask_recoverer(parts_, std::move(wish));
    if (!told) told = co_await read_wal(context, id.broker_id, id.incarnation, wal.from, wal.to);
    CO_TRY(wal.slots, std::move(told));
    for (const auto& slot : wal.slots) {
      for (const auto& group : slot.groups) wal.groups[group.partition].emplace_back(&slot, &group);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Takeover::load_producers(std::vector<Opening>& openings) {
  for (auto& opening : openings) {
    CO_TRY(Checkpoint checkpoint, co_await load_checkpoint(parts_, opening.id));
    // Registered meanwhile: what was read of the slots does not go on from there.
    if (checkpoint.end_offset != opening.registered_end) co_return fail(Code::kNotFound, "producer state moved");
    opening.producers = std::move(checkpoint.producers);
  }
  co_return Result<void>();
}

Result<void> Takeover::open(Opening& opening, const Handovers& handovers, const Wals& wals) {
  const auto* state = parts_.cluster.state().partition(opening.id);
  const bool led = state && state->led_by(parts_.cluster.wal()) && state->leader_epoch == opening.epoch;
  if (!led) return {};  // given to somebody else meanwhile
  auto partition = std::make_shared<LedPartition>(parts_, opening.id);
  auto& log = partition->log;
  log.open(opening.epoch, opening.log_start, opening.registered_end);
  partition->term_base = opening.base_offset;
  partition->checkpoint = opening.producers;
  partition->checkpoint_end = opening.registered_end;
  if (parts_.options.sabotage != Sabotage::kForgetProducers) log.producers() = std::move(opening.producers);
  const auto handed = handovers.find(opening.id);
  if (handed) {
    TRY_VOID(adopt(log, *handed));
    ++handed_over_;
  } else {
    TRY_VOID(replay(log, opening, wals));
  }
  if (log.end() != opening.base_offset) {
    return fail(
        Code::kCorrupt,
        fmt::format("partition {}-{}: the log ends at {}, its new epoch begins at {}: a slot or object is missing",
                    opening.id.topic_id.to_string(), opening.id.partition, log.end(), opening.base_offset));
  }
  table_[opening.id] = std::move(partition);
  return {};
}

// Rule 43: what a leader tells of its leadership after its end is what its slots say.
Result<void> Takeover::adopt(PartitionLog& log, const Handovers::Handed& handed) {
  for (BatchEntry entry : handed.partition.entries) {
    if (entry.next_offset() <= log.registered_end()) continue;
    entry.slot = parts_.past.add(handed.slots[entry.slot]);
    TRY_VOID(log.adopt(entry));
  }
  if (parts_.options.sabotage != Sabotage::kForgetProducers) log.producers() = handed.partition.producers;
  return {};
}

// Rule 17: everything below the base, in order, also of partitions led before. A leadership's batches are those between
// the end of the one before and its own.
Result<void> Takeover::replay(PartitionLog& log, const Opening& opening, const Wals& wals) {
  const std::int64_t now_ms = parts_.clock.wall_ms();
  for (const auto& past : opening.past) {
    const auto wal = wals.find({past.broker_id, past.incarnation});
    const auto held = wal->second.groups.find(opening.id);
    if (held == wal->second.groups.end()) continue;
    for (const auto& [slot, group] : held->second) {
      std::uint32_t position = group->position;
      for (const auto& batch : group->batches) {
        BatchHeader head = header_of(*group, batch);
        const bool theirs = head.base_offset >= log.end() && head.base_offset < past.end_offset;
        if (theirs) {
          if (parts_.options.sabotage == Sabotage::kForgetProducers) head.producer_id = -1;
          const SlotRef ref = parts_.past.add({slot->address, slot->object_size});
          Result<void> done = log.replay(head, ref, position, now_ms);
          if (!done) return fail(std::move(done).error().with(slot_key(slot->address)));
        }
        position += batch.size;
      }
    }
  }
  return {};
}

}  // namespace millrace::storage
