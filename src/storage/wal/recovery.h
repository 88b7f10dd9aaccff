// Recovery of a fenced incarnation's WAL: read its slots from the floor in order, 16 GETs ahead; put the Seal at the
// first missing one; a slot that turns up there after all is consumed, a Seal that is there already is adopted. What
// lies beyond the Seal or below the floor is ignored for ever (rules 2, 3, 12). Time is linear in the slots that no
// object replaces yet.
//
// Fails: kCorrupt (a slot breaks its format, or one below a known seal is gone: an operator must look), kUnavailable
// and kTimeout (the bucket does not answer; nothing was decided). Repeating it is harmless. One thread.
#pragma once

#include <vector>

#include "base/random.h"
#include "cluster/state.h"
#include "object/store.h"
#include "storage/wal/slot_codec.h"

namespace millrace::storage {

struct RecoveredSlot {
  SlotAddress address;
  std::uint64_t object_size = 0;
  std::vector<SlotGroup> groups;
};
struct RecoveredWal {
  SlotNumber from;  // the floor at which reading began
  SlotNumber seal;
  std::vector<RecoveredSlot> slots;  // [from, seal)
};

struct RecoveryContext {
  Executor executor;
  Clock& clock;
  Random& random;
  object::Store& store;
  Incarnation recoverer;
  Duration deadline;  // of each PUT and GET, with their repeats
};

// `state`: of an incarnation that is fenced, or recovered already (then its slots are only read).
Task<Result<RecoveredWal>> recover_wal(RecoveryContext context, std::int32_t broker_id, Incarnation incarnation,
                                       cluster::IncarnationState state);

}  // namespace millrace::storage
