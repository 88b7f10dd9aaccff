#include "storage/compaction/merge_plan.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace millrace::storage {
namespace {

constexpr std::uint64_t kLongExtentBytes = 4 << 20;
constexpr std::int64_t kRetentionShare = 8;

}  // namespace

bool mergeable(const cluster::ObjectState& object, const MergeLimits& limits) {
  if (limits.fan_in < 2 || object.live_references == 0) return false;
  if (object.level > 0 && object.size_bytes >= limits.object_bytes_target / 2) return false;
  return object.size_bytes / object.live_references < kLongExtentBytes;
}

std::vector<MergeGroup> plan_merges(const std::unordered_map<std::string, cluster::ObjectState>& objects,
                                    const MergeLimits& limits) {
  std::vector<MergeGroup> groups;
  if (limits.fan_in < 2) return groups;
  std::vector<std::pair<const std::string*, const cluster::ObjectState*>> candidates;
  for (const auto& [key, object] : objects) {
    if (mergeable(object, limits)) candidates.emplace_back(&key, &object);
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second->level, a.second->birth, *a.first) < std::tie(b.second->level, b.second->birth, *b.first);
  });
  MergeGroup open;
  const auto close = [&groups, &open] {
    if (open.keys.size() > 1) groups.push_back(std::move(open));
    open = MergeGroup{};
  };
  for (const auto& [key, object] : candidates) {
    if (open.level != object->level) open = MergeGroup{};  // not enough of them yet
    if (!open.keys.empty() && open.bytes + object->size_bytes > limits.bytes_max) close();
    open.level = object->level;
    open.bytes += object->size_bytes;
    open.keys.push_back(*key);
    if (open.keys.size() == limits.fan_in) close();
  }
  return groups;
}

JoinLimits join_limits(const cluster::TopicSettings& settings) {
  JoinLimits limits;
  if (!settings.cleanup_delete) return limits;
  if (settings.retention_ms >= 0) limits.span_ms = settings.retention_ms / kRetentionShare;
  if (settings.retention_bytes >= 0) {
    limits.bytes =
        std::min<std::uint64_t>(limits.bytes, static_cast<std::uint64_t>(settings.retention_bytes / kRetentionShare));
  }
  return limits;
}

}  // namespace millrace::storage
