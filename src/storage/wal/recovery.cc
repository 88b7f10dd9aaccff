#include "storage/wal/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/log.h"
#include "object/create.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kPrefetch = 64;  // connections to a bucket, as shipped
constexpr std::uint64_t kPrefetchMin = 4;
constexpr std::uint64_t kPrefetchBytes = 64 << 20;  // at the size of the largest slot seen
constexpr std::uint64_t kSlotBytesUnseen = 4 << 20;
constexpr std::uint64_t kChaseAfter = 2048;  // slots read without a Seal put
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
    // Nobody may delete a Seal, nor a slot above the floor: the floor has moved, as another has recovered this WAL.
    case object::CreateOutcome::kDeleted: co_return fail(Code::kNotFound, key + " was deleted while it was recovered");
    case object::CreateOutcome::kUnknown:
    case object::CreateOutcome::kRefused: break;
  }
  co_return fail(std::move(put.error).with("sealing " + key));
}

// GETs of slots in order, up to `kPrefetch` ahead and not many more bytes than `kPrefetchBytes`, below `end` where
// there is one.
class SlotStream {
 public:
  SlotStream(RecoveryContext context, TaskScope& scope, SlotAddress first, std::optional<SlotNumber> end)
      : context_(context), scope_(scope), next_(first), end_(end) {}

  Task<Result<object::Object>> next() {
    const auto ahead_max = std::clamp(kPrefetchBytes / largest_.value_or(kSlotBytesUnseen), kPrefetchMin, kPrefetch);
    while (ahead_.size() < ahead_max && (!end_ || next_.slot < *end_)) {
      ahead_.emplace_back();
      scope_.spawn(fetch(context_, next_, ahead_.back()));
      next_.slot = next_.slot.next();
    }
    const Fetched first = std::move(ahead_.front());
    ahead_.pop_front();
    Result<object::Object> got = co_await first.wait();
    if (got) largest_ = std::max<std::uint64_t>(largest_.value_or(1), got->body.size());
    co_return got;
  }

 private:
  RecoveryContext context_;
  TaskScope& scope_;
  SlotAddress next_;
  std::optional<SlotNumber> end_;
  std::deque<Fetched> ahead_;
  std::optional<std::uint64_t> largest_;  // of the slots seen so far
};

// Rules 22-24: Seals ahead of a zombie that writes as fast as this process reads, each twice as far as the one before.
// Whichever Seal comes first in order is the end, so one too many does no harm.
class Chase {
 public:
  Chase(RecoveryContext context, TaskScope& scope) : context_(context), scope_(scope) {}

  void lost(SlotAddress at) { seal_ahead(at); }
  void read(SlotAddress at) {
    if (++unsealed_ >= kChaseAfter) seal_ahead(at);
  }

 private:
  static Task<void> seal_quietly(RecoveryContext context, SlotAddress at) {
    const Result<Slice> done = co_await seal(context, at);
    if (!done) LOG_WARN("wal.seal_ahead_failed", {"slot", at.slot.value()}, {"error", done.error().message()});
  }
  void seal_ahead(SlotAddress at) {
    at.slot = SlotNumber(at.slot.value() + distance_);
    distance_ *= 2;
    unsealed_ = 0;
    scope_.spawn(seal_quietly(context_, at));
  }

  RecoveryContext context_;
  TaskScope& scope_;
  std::uint64_t distance_ = 2 * kPrefetch;
  std::uint64_t unsealed_ = 0;
};

Task<Result<RecoveredWal>> read_and_seal(RecoveryContext context, TaskScope& scope, SlotAddress at,
                                         cluster::WalKind kind) {
  RecoveredWal wal{at.slot, at.slot, {}};
  SlotStream stream(context, scope, at, std::nullopt);
  Chase chase(context, scope);
  for (;; at.slot = at.slot.next()) {
    Result<object::Object> got = co_await stream.next();
    const bool missing = !got && got.error().code() == Code::kNotFound;
    if (!got && !missing) co_return fail(std::move(got).error());
    Slice body;
    if (got) {
      body = std::move(got->body);
    } else if (kind == cluster::WalKind::kBucket) {
      CO_TRY(body, co_await seal(context, at));
    }
    if (body.empty()) {
      wal.seal = at.slot;
      co_return wal;
    }
    CO_TRY(DecodedSlot slot, decode_slot(body, at));
    if (slot.header.kind == SlotKind::kSeal) {
      wal.seal = at.slot;
      co_return wal;
    }
    if (slot.header.kind != SlotKind::kData) co_return fail(Code::kCorrupt, slot_key(at) + " is no data slot");
    wal.slots.push_back({at, body.size(), std::move(slot.groups)});
    if (kind != cluster::WalKind::kBucket) continue;
    if (missing) {
      chase.lost(at);
    } else {
      chase.read(at);
    }
  }
}

Task<Result<std::vector<RecoveredSlot>>> read_known(RecoveryContext context, TaskScope& scope, SlotAddress at,
                                                    SlotNumber to) {
  std::vector<RecoveredSlot> slots;
  SlotStream stream(context, scope, at, to);
  for (; at.slot < to; at.slot = at.slot.next()) {
    CO_TRY(object::Object got, co_await stream.next());
    CO_TRY(DecodedSlot slot, decode_slot(got.body, at));
    // Where a slot was compacted, a recoverer that came late may have put a Seal: as good as nothing (rule 3).
    if (slot.header.kind != SlotKind::kData) co_return fail(Code::kNotFound, slot_key(at) + " is no data slot");
    slots.push_back({at, got.body.size(), std::move(slot.groups)});
  }
  co_return slots;
}

}  // namespace

Task<Result<RecoveredWal>> recover_wal(RecoveryContext context, std::int32_t broker_id, Incarnation incarnation,
                                       cluster::IncarnationState state) {
  CHECK(state.phase == cluster::IncarnationPhase::kFenced);  // rule 2
  TaskScope scope(context.executor);
  const SlotAddress begin{broker_id, incarnation, state.floor};
  Result<RecoveredWal> wal = co_await read_and_seal(context, scope, begin, state.wal_kind);
  co_await scope.stop();
  if (wal) {
    LOG_INFO("wal.recovered", {"broker", broker_id}, {"incarnation", incarnation.value()}, {"from", wal->from.value()},
             {"seal", wal->seal.value()});
  }
  co_return wal;
}

Task<Result<std::vector<RecoveredSlot>>> read_wal(RecoveryContext context, std::int32_t broker_id,
                                                  Incarnation incarnation, SlotNumber from, SlotNumber to) {
  TaskScope scope(context.executor);
  const SlotAddress begin{broker_id, incarnation, from};
  Result<std::vector<RecoveredSlot>> slots = co_await read_known(context, scope, begin, to);
  co_await scope.stop();
  co_return slots;
}

}  // namespace millrace::storage
