// Reading WALs that are over. Recovery of a fenced one: read its slots from the floor in order, many GETs ahead; put
// the Seal at the first missing one; a slot that turns up there after all is consumed, a Seal that is there already is
// adopted. What lies beyond the Seal or below the floor is ignored for ever (rules 2, 3, 12). A zombie that goes on
// writing is outrun by Seals put ahead of it (rules 22-24). A disk WAL's end is what its disk has (rules 21, 30): no
// Seal. Time is linear in the slots that no object replaces yet.
//
// Fails: kNotFound (a slot was deleted: another has recovered this WAL), kCorrupt (a slot breaks its format, or one
// below a known seal is gone: an operator must look), kUnavailable and kTimeout (the bucket does not answer; nothing
// was decided). Repeating it is harmless. One thread.
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

// `state`: of an incarnation that is fenced.
Task<Result<RecoveredWal>> recover_wal(RecoveryContext context, std::int32_t broker_id, Incarnation incarnation,
                                       cluster::IncarnationState state);
// Slots [from, to) of a WAL that is known to have them. kNotFound: one is gone, objects may have it.
Task<Result<std::vector<RecoveredSlot>>> read_wal(RecoveryContext context, std::int32_t broker_id,
                                                  Incarnation incarnation, SlotNumber from, SlotNumber to);

}  // namespace millrace::storage
