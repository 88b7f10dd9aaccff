#include "storage/compaction/clean_plan.h"

#include <algorithm>

#include "storage/compaction/merge_plan.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kPartitionsAtOnce = 64;

}  // namespace

CleanView clean_view(const cluster::PartitionState& partition, const cluster::TopicSettings& settings,
                     std::int64_t now_ms) {
  CleanView view;
  view.dirty_from = std::max(partition.clean_until, partition.log_start_offset);
  view.clean_to = view.dirty_from;
  std::int64_t oldest_dirty_ms = -1;
  bool any = false;
  for (const auto& [base, held] : partition.extents) {
    const auto& extent = held.extent;
    const bool dirty = extent.end_offset > view.dirty_from;
    // Kafka's firstUncleanableDirtyOffset, by whole extents.
    if (dirty && settings.min_compaction_lag_ms > 0 &&
        extent.max_timestamp_ms > now_ms - settings.min_compaction_lag_ms)
      break;
    view.all_bytes += extent.size_bytes;
    if (!dirty) continue;
    view.dirty_bytes += extent.size_bytes;
    view.clean_to = extent.end_offset;
    if (!any) oldest_dirty_ms = extent.max_timestamp_ms;
    any = true;
  }
  if (view.all_bytes > 0)
    view.dirty_ratio = static_cast<double>(view.dirty_bytes) / static_cast<double>(view.all_bytes);
  const bool too_old = oldest_dirty_ms >= 0 && now_ms - oldest_dirty_ms > settings.max_compaction_lag_ms;
  view.due = view.dirty_bytes > 0 && (too_old || view.dirty_ratio > settings.min_cleanable_dirty_ratio);
  return view;
}

CleanPlan plan_cleaning(const cluster::MetadataState& state, const cluster::WalId& wal, std::int64_t now_ms,
                        std::uint64_t object_bytes_target,
                        const std::function<std::int64_t(const cluster::PartitionId&)>& tombstones_due) {
  CleanPlan plan;
  for (const auto& [name, topic_id] : state.topic_ids()) {
    const auto& topic = *state.topic(topic_id);
    if (!topic.configs.contains("cleanup.policy")) continue;  // delete alone, the default
    const auto settings = cluster::topic_settings(topic.configs);
    if (!settings.cleanup_compact) continue;
    const JoinLimits limits = join_limits(settings);
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& partition = topic.partitions[i];
      if (!partition.led_by(wal) || partition.extents.empty()) continue;
      const cluster::PartitionId id{topic_id, static_cast<std::int32_t>(i)};
      CleanView view = clean_view(partition, settings, now_ms);
      plan.dirty_ratio_max = std::max(plan.dirty_ratio_max, view.dirty_ratio);
      const std::int64_t horizon = tombstones_due(id);
      const bool tombstones = horizon >= 0 && horizon <= now_ms && view.clean_to > partition.log_start_offset;
      if (!view.due && !tombstones) continue;
      plan.work.push_back({id, view, settings.delete_retention_ms, limits.bytes, limits.span_ms});
    }
  }
  std::stable_sort(plan.work.begin(), plan.work.end(),
                   [](const auto& a, const auto& b) { return a.view.dirty_ratio > b.view.dirty_ratio; });
  std::uint64_t bytes = 0;
  std::size_t taken = 0;
  while (taken < plan.work.size() && taken < kPartitionsAtOnce) {
    bytes += plan.work[taken].view.all_bytes;
    if (taken > 0 && bytes > object_bytes_target) break;
    ++taken;
  }
  plan.work.resize(taken);
  std::sort(plan.work.begin(), plan.work.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return plan;
}

}  // namespace millrace::storage
