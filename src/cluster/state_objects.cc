// The part of MetadataApplier that keeps the index of data objects: which object holds which offsets, which slots are
// no longer needed. Objects made of objects: state_rewrite.cc.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "cluster/bucket_layout.h"
#include "cluster/state_apply.h"

namespace millrace::cluster {

void MetadataApplier::drop_reference(const std::string& key) {
  const auto object = state_.objects_.find(key);
  CHECK(object != state_.objects_.end() && object->second.live_references > 0);
  set(object->second.live_references, object->second.live_references - 1);
}

void MetadataApplier::drop_extent(PartitionState& partition,
                                  std::map<std::int64_t, PartitionState::ObjectExtent>::iterator at) {
  drop_reference(at->second.key);
  erase(partition.extents, at);
}

Result<ObjectState*> MetadataApplier::add_object(const Upload& r) {
  if (r.key.empty()) return refuse(Code::kInvalid, "an object needs a key");
  if (state_.objects_.contains(r.key)) return refuse(Code::kExists, "object {} is registered already", r.key);
  if (r.birth < state_.orphan_floor_ || r.birth > seq_) {
    return refuse(Code::kInvalid, "object {} was born at {}, outside [{}, {}]: upload it under a new name", r.key,
                  r.birth.value(), state_.orphan_floor_.value(), seq_.value());
  }
  // Rule 32. A name that tells no birth is never taken for an orphan.
  if (const auto named = birth_of_object_key(r.key); named && *named != r.birth) {
    return refuse(Code::kInvalid, "object {} is named for another birth than {}: upload it under a new name", r.key,
                  r.birth.value());
  }
  for (const auto& extent : r.extents) {
    if (extent.base_offset < 0 || extent.base_offset >= extent.end_offset || extent.size_bytes > r.size_bytes ||
        extent.position > r.size_bytes - extent.size_bytes) {
      return refuse(Code::kInvalid, "object {}: extent of offsets [{}, {}) at byte {} is malformed", r.key,
                    extent.base_offset, extent.end_offset, extent.position);
    }
  }
  for (const auto& state : r.states) {
    if (state.size_bytes > r.size_bytes || state.position > r.size_bytes - state.size_bytes)
      return refuse(Code::kInvalid, "object {}: state at byte {} is malformed", r.key, state.position);
  }
  return insert(state_.objects_, r.key,
                ObjectState{.birth = r.birth, .size_bytes = r.size_bytes, .live_references = 0, .level = r.level});
}

Result<void> MetadataApplier::replace_slots(const SlotRun& run) {
  TRY(IncarnationState * incarnation, find_incarnation(run.broker_id, run.incarnation));
  // Rule 1: while it is fenced and not recovered its floor stands still.
  if (incarnation->phase == IncarnationPhase::kFenced)
    return refuse(Code::kFenced, "incarnation {} is fenced and not recovered yet", run.incarnation.value());
  // Rules 8 and 9: an unbroken run from the floor, so every slot is replaced once.
  if (run.from != incarnation->floor || run.to < run.from) {
    return refuse(Code::kInvalid, "slots [{}, {}] of incarnation {} are not a run from its floor {}", run.from.value(),
                  run.to.value(), run.incarnation.value(), incarnation->floor.value());
  }
  if (incarnation->seal_slot && run.to >= *incarnation->seal_slot) {
    return refuse(Code::kInvalid, "slot {} of incarnation {} is not below its seal {}", run.to.value(),
                  run.incarnation.value(), incarnation->seal_slot->value());
  }
  set(incarnation->floor, run.to.next());  // Rule 7.
  drop_if_done(run.broker_id, run.incarnation);
  return {};
}

Result<void> MetadataApplier::add_extent(const Upload& r, ObjectState& object, const Extent& extent) {
  PartitionState* partition = find_partition(extent.partition);
  // The topic is gone, or retention overtook the upload: bytes that nobody reads.
  if (!partition || extent.end_offset <= partition->log_start_offset) return {};
  const auto after = partition->extents.lower_bound(extent.base_offset);
  const bool overlaps_after = after != partition->extents.end() && after->first < extent.end_offset;
  const bool overlaps_before =
      after != partition->extents.begin() && std::prev(after)->second.extent.end_offset > extent.base_offset;
  if (overlaps_after || overlaps_before) {
    return refuse(Code::kInvalid, "object {}: offsets [{}, {}) of partition {} are held by another object", r.key,
                  extent.base_offset, extent.end_offset, name_of(extent.partition));
  }
  insert(partition->extents, extent.base_offset, PartitionState::ObjectExtent{extent, r.key});
  set(object.live_references, object.live_references + 1);
  return {};
}

// Rule 36: slots of different WALs hold a partition's batches when it moved. The one who compacts later ones must have
// built on the producers' state as of all earlier ones, and may leave out nothing that can still be read.
Result<void> MetadataApplier::check_order(const Upload& r, const StateExtent& state) {
  const PartitionState* partition = find_partition(state.partition);
  if (!partition) return {};
  if (!partition->holds(std::max(state.follows, partition->log_start_offset), state.end_offset)) {
    return refuse(Code::kInvalid, "object {} leaves a hole in partition {} between offsets {} and {}", r.key,
                  name_of(state.partition), state.follows, state.end_offset);
  }
  if (partition->registered_end() == state.follows) return {};
  return refuse(Code::kInvalid, "object {}: partition {} is registered up to {}, not {}", r.key,
                name_of(state.partition), partition->registered_end(), state.follows);
}

void MetadataApplier::add_state(const Upload& r, ObjectState& object, const StateExtent& state) {
  PartitionState* partition = find_partition(state.partition);
  if (!partition || (partition->state && partition->state->end_offset > state.end_offset)) return;
  if (partition->state) drop_reference(partition->state_key);
  set(partition->state, std::optional(state));
  set(partition->state_key, r.key);
  auto past = partition->past;
  std::erase_if(past, [&](const PastLeadership& one) { return one.end_offset <= state.end_offset; });
  if (past.size() != partition->past.size()) set(partition->past, std::move(past));
  set(object.live_references, object.live_references + 1);
}

Result<void> MetadataApplier::on(const RegisterObjectRecord& r) {
  // Rule 9: an object names what it replaces; without inputs a repeated Register could not be told from a new one.
  if (r.replaces_slots.empty()) return refuse(Code::kInvalid, "object {} replaces no slots", r.key);
  const Upload upload{r.key, r.birth, r.size_bytes, 0, r.extents, r.states};
  TRY(ObjectState * object, add_object(upload));
  for (const auto& run : r.replaces_slots) TRY_VOID(replace_slots(run));
  for (const auto& extent : r.extents) TRY_VOID(add_extent(upload, *object, extent));
  for (const auto& state : r.states) {
    TRY_VOID(check_order(upload, state));
    add_state(upload, *object, state);
  }
  return {};
}

Result<void> MetadataApplier::on(const UnregisterObjectsRecord& r) {
  for (const auto& key : r.keys) {
    const auto object = state_.objects_.find(key);
    if (object == state_.objects_.end()) return refuse(Code::kNotFound, "no object {}", key);
    if (object->second.live_references > 0) {
      return refuse(Code::kInvalid, "object {} still holds {} live parts", key, object->second.live_references);
    }
    erase(state_.objects_, object);
  }
  return {};
}

}  // namespace millrace::cluster
