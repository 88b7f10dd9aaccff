// The part of MetadataApplier that puts objects in the place of objects: merges and key compaction (rules 9 and 42).
//
// 1. Take out what is replaced, each input live where the record says: whole objects or single extents.
// 2. Put in what the new objects hold, which is nothing but what was taken out.
// 3. All that was taken out above the log start is held again, offset by offset, and so is producer state.
#include <algorithm>
#include <set>

#include "cluster/state_apply.h"

namespace millrace::cluster {
namespace {

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

// Ascending, those that touch joined.
void join(Ranges& ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges joined;
  for (const auto& [base, end] : ranges) {
    if (!joined.empty() && base <= joined.back().second) {
      joined.back().second = std::max(joined.back().second, end);
    } else {
      joined.emplace_back(base, end);
    }
  }
  ranges = std::move(joined);
}

bool within(const Ranges& joined, std::int64_t base, std::int64_t end) {
  auto after = std::upper_bound(joined.begin(), joined.end(), std::pair(base, INT64_MAX));
  return after != joined.begin() && std::prev(after)->second >= end;
}

}  // namespace

Result<void> MetadataApplier::take_objects(const RewriteObjectsRecord& r, TakenParts& taken) {
  const std::set<std::string, std::less<>> inputs(r.replaces_objects.begin(), r.replaces_objects.end());
  for (const auto& key : inputs) {
    const auto object = state_.objects_.find(key);
    if (object == state_.objects_.end() || object->second.live_references == 0)
      return refuse(Code::kInvalid, "object {} is to be replaced and is not live any more", key);
  }
  if (inputs.empty()) return {};
  // What lives of the inputs lies where the new objects put something: else it would be lost, which is found below.
  for (const auto& object : r.objects) {
    for (const auto& extent : object.extents) {
      PartitionState* partition = find_partition(extent.partition);
      if (!partition) continue;
      auto at = partition->extents.upper_bound(extent.base_offset);
      if (at != partition->extents.begin()) --at;
      while (at != partition->extents.end() && at->first < extent.end_offset) {
        const auto old = at++;
        if (!inputs.contains(old->second.key)) continue;
        taken[extent.partition].ranges.emplace_back(old->first, old->second.extent.end_offset);
        drop_extent(*partition, old);
      }
    }
    for (const auto& state : object.states) {
      PartitionState* partition = find_partition(state.partition);
      if (!partition || !partition->state || !inputs.contains(partition->state_key)) continue;
      taken[state.partition].state_end = partition->state->end_offset;
      drop_reference(partition->state_key);
      set(partition->state, std::nullopt);
      set(partition->state_key, "");
    }
  }
  for (const auto& key : inputs) {
    if (state_.objects_.find(key)->second.live_references > 0)
      return refuse(Code::kInvalid, "not all live parts of object {} are taken over", key);
  }
  return {};
}

Result<void> MetadataApplier::take_extents(const RewriteObjectsRecord& r, TakenParts& taken) {
  for (const auto& input : r.replaces_extents) {
    PartitionState* partition = find_partition(input.partition);
    if (!partition) return refuse(Code::kNotFound, "no partition {}", name_of(input.partition));
    const auto at = partition->extents.find(input.base_offset);
    if (at == partition->extents.end() || at->second.key != input.key) {
      return refuse(Code::kInvalid, "object {} does not hold partition {} from offset {} any more", input.key,
                    name_of(input.partition), input.base_offset);
    }
    taken[input.partition].ranges.emplace_back(at->first, at->second.extent.end_offset);
    drop_extent(*partition, at);
  }
  return {};
}

Result<void> MetadataApplier::add_rewritten(const NewObject& object, const TakenParts& taken) {
  const Upload upload = upload_of(object);
  TRY(ObjectState * added, add_object(upload));
  for (const auto& extent : object.extents) {
    const PartitionState* partition = find_partition(extent.partition);
    // The topic is gone, or retention overtook the upload.
    if (!partition || extent.end_offset <= partition->log_start_offset) continue;
    const auto from = taken.find(extent.partition);
    const std::int64_t base = std::max(extent.base_offset, partition->log_start_offset);
    if (from == taken.end() || !within(from->second.ranges, base, extent.end_offset)) {
      return refuse(Code::kInvalid, "object {}: offsets [{}, {}) of partition {} are in none of the inputs", object.key,
                    base, extent.end_offset, name_of(extent.partition));
    }
    TRY_VOID(add_extent(upload, *added, extent));
  }
  for (const auto& state : object.states) {
    // A newer one was registered meanwhile, unless it was taken out.
    const auto from = taken.find(state.partition);
    if (from != taken.end() && from->second.state_end == state.end_offset) add_state(upload, *added, state);
  }
  return {};
}

Result<void> MetadataApplier::check_covered(const RewriteObjectsRecord& r, const TakenParts& taken) {
  for (const auto& [id, parts] : taken) {
    const PartitionState& partition = *find_partition(id);
    for (const auto& [base, end] : parts.ranges) {
      if (!partition.holds(std::max(base, partition.log_start_offset), end)) {
        return refuse(Code::kInvalid, "partition {} would lose some of the offsets [{}, {})", name_of(id), base, end);
      }
    }
    if (parts.state_end && !partition.state)
      return refuse(Code::kInvalid, "partition {} would lose its producers' state", name_of(id));
  }
  for (const auto& cleaned : r.cleaned) TRY_VOID(note_cleaned(cleaned));
  return {};
}

Result<void> MetadataApplier::note_cleaned(const CleanedPartition& cleaned) {
  PartitionState* partition = find_partition(cleaned.partition);
  if (!partition) return {};
  const auto& extents = partition->extents;
  const std::int64_t end = extents.empty() ? partition->log_start_offset : extents.rbegin()->second.extent.end_offset;
  if (cleaned.clean_until > end) {
    return refuse(Code::kInvalid, "partition {} cannot be clean until {}: objects hold it up to {}",
                  name_of(cleaned.partition), cleaned.clean_until, end);
  }
  if (cleaned.clean_until > partition->clean_until) set(partition->clean_until, cleaned.clean_until);
  return {};
}

Result<void> MetadataApplier::on(const RewriteObjectsRecord& r) {
  // Rule 9: what is replaced is named and live, so that a repeated request is refused.
  if (r.replaces_objects.empty() && r.replaces_extents.empty())
    return refuse(Code::kInvalid, "a rewrite needs objects or extents that it replaces");
  TakenParts taken;
  TRY_VOID(take_objects(r, taken));
  TRY_VOID(take_extents(r, taken));
  for (auto& [id, parts] : taken) join(parts.ranges);
  for (const auto& object : r.objects) TRY_VOID(add_rewritten(object, taken));
  return check_covered(r, taken);
}

}  // namespace millrace::cluster
