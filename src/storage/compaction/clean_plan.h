// Which partitions key compaction goes through now. Pure: the metadata and a time in, names and offsets out.
//
// Cleanable is what objects hold, up to the first extent that is younger than min.compaction.lag.ms; what is only in
// the WAL plays the part of Kafka's active segment. A partition is due when its dirty bytes are more than
// min.cleanable.dirty.ratio of all cleanable ones, when the oldest dirty extent is older than max.compaction.lag.ms, or
// when the tombstones that an earlier pass left may go.
#pragma once

#include <functional>
#include <vector>

#include "cluster/state.h"
#include "cluster/topic_config.h"

namespace millrace::storage {

struct CleanView {
  std::int64_t dirty_from = 0, clean_to = 0;  // offsets; equal: nothing to do
  std::uint64_t dirty_bytes = 0, all_bytes = 0;
  double dirty_ratio = 0;
  bool due = false;
};
CleanView clean_view(const cluster::PartitionState& partition, const cluster::TopicSettings& settings,
                     std::int64_t now_ms);

struct CleanWork {
  cluster::PartitionId id;
  CleanView view;
  std::int64_t delete_retention_ms = 0;
  std::uint64_t join_bytes_max = 0;  // join_limits of its topic
  std::int64_t join_span_ms_max = 0;
};
struct CleanPlan {
  std::vector<CleanWork> work;  // by partition: together they fit into one object, or it is only one
  double dirty_ratio_max = 0;   // of all that were looked at
};
// Of partitions that `wal` leads. `tombstones_due`: when those of a partition may go, nothing or -1 when it has none.
CleanPlan plan_cleaning(const cluster::MetadataState& state, const cluster::WalId& wal, std::int64_t now_ms,
                        std::uint64_t object_bytes_target,
                        const std::function<std::int64_t(const cluster::PartitionId&)>& tombstones_due);

}  // namespace millrace::storage
