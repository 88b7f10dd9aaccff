#include "storage/wal/recovery.h"

#include <fmt/format.h>

#include <deque>

#include "base/log.h"
#include "object/create.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kPrefetch = 16;
constexpr Duration kSlotRetry = 50ms;

using Fetched = Promise<Result<object::Object>>;

Task<void> fetch(RecoveryContext context, SlotAddress address, Fetched done) {
  const SteadyTime deadline = context.clock.now() + context.deadline;
  const std::string key = slot_key(address);
  for (;;) {
    Result<object::Object> got = co_await context.store.get(key);
    if (got || !got.error().retriable() || context.clock.now() >= deadline) {
      if (!got && got.error().code() != Code::kNotFound) got = fail(std::move(got).error().with("reading " + key));
      done.set(std::move(got));
      co_return;
    }
    co_await sleep_for(context.clock, kSlotRetry);
  }
}

// The seal's object, ours or one that was there; or the data that won the slot.
Task<Result<Slice>> seal(RecoveryContext context, SlotAddress address) {
  const Slice mine = encode_seal(address, context.recoverer, context.random.next(), context.random.next());
  SliceChain body;
  body.append(mine);
  object::CreateOptions options{.deadline = context.clock.now() + context.deadline};
  const std::string key = slot_key(address);
  auto put =
      co_await object::create_object(context.store, context.clock, context.random, key, std::move(body), options);
  switch (put.outcome) {
    case object::CreateOutcome::kCreated: co_return mine;
    case object::CreateOutcome::kLost: co_return put.occupant.body;
    // Nobody may delete a Seal, nor a slot above the floor.
    case object::CreateOutcome::kDeleted: co_return fail(Code::kCorrupt, key + " was deleted while it was recovered");
    case object::CreateOutcome::kUnknown:
    case object::CreateOutcome::kRefused: break;
  }
  co_return fail(std::move(put.error).with("sealing " + key));
}

Task<Result<RecoveredWal>> read_slots(RecoveryContext context, TaskScope& scope, SlotAddress at,
                                      cluster::IncarnationState state) {
  RecoveredWal wal{state.floor, state.floor, {}};
  std::deque<Fetched> ahead;
  for (at.slot = state.floor;; at.slot = at.slot.next()) {
    if (state.seal_slot && at.slot >= *state.seal_slot) {
      wal.seal = *state.seal_slot;  // rule 3: the end is known, nobody probes for it
      co_return wal;
    }
    while (ahead.size() < kPrefetch) {
      SlotAddress next = at;
      next.slot = SlotNumber(at.slot.value() + ahead.size());
      if (state.seal_slot && next.slot >= *state.seal_slot) break;
      ahead.emplace_back();
      scope.spawn(fetch(context, next, ahead.back()));
    }
    Fetched first = std::move(ahead.front());
    ahead.pop_front();
    Result<object::Object> got = co_await first.wait();
    Slice body;
    if (got) {
      body = std::move(got->body);
    } else if (got.error().code() != Code::kNotFound) {
      co_return fail(std::move(got).error());
    } else if (state.seal_slot) {
      co_return fail(Code::kCorrupt, slot_key(at) + " is missing below its WAL's seal: restore it from a backup");
    } else {
      CO_TRY(body, co_await seal(context, at));
    }
    CO_TRY(DecodedSlot slot, decode_slot(body, at));
    if (slot.header.kind == SlotKind::kSeal) {
      wal.seal = at.slot;
      co_return wal;
    }
    if (slot.header.kind != SlotKind::kData) co_return fail(Code::kCorrupt, slot_key(at) + " is no data slot");
    wal.slots.push_back({at, body.size(), std::move(slot.groups)});
  }
}

}  // namespace

Task<Result<RecoveredWal>> recover_wal(RecoveryContext context, std::int32_t broker_id, Incarnation incarnation,
                                       cluster::IncarnationState state) {
  CHECK(state.phase != cluster::IncarnationPhase::kLive);  // rule 2
  TaskScope scope(context.executor);
  const SlotAddress begin{broker_id, incarnation, state.floor};
  Result<RecoveredWal> wal = co_await read_slots(context, scope, begin, state);
  co_await scope.stop();
  if (wal) {
    LOG_INFO("wal.recovered", {"broker", broker_id}, {"incarnation", incarnation.value()}, {"from", wal->from.value()},
             {"seal", wal->seal.value()});
  }
  co_return wal;
}

}  // namespace millrace::storage
