// Which data objects become one, so that extents are long and few: metadata stays small, and catching up reads the
// bucket in long runs. Pure: the metadata's objects in, their names out.
//
// Mergeable: objects with extents below 4 MiB on average that are new (level 0) or, merged before, still smaller than
// half an object. Ordered by birth, so that neighbours hold neighbouring offsets; `fan_in` neighbours of one level
// make a group, and its output is one level higher. So a byte is rewritten once per level, and levels end.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "cluster/state.h"
#include "cluster/topic_config.h"

namespace millrace::storage {

struct MergeLimits {
  std::size_t fan_in = 0;  // 0: nothing is merged
  std::uint64_t bytes_max = 0;
  std::uint64_t object_bytes_target = 0;
};
bool mergeable(const cluster::ObjectState& object, const MergeLimits& limits);

struct MergeGroup {
  std::uint32_t level = 0;  // of the inputs
  std::uint64_t bytes = 0;
  std::vector<std::string> keys;  // oldest first
};
// All groups that are complete, lowest level first.
std::vector<MergeGroup> plan_merges(const std::unordered_map<std::string, cluster::ObjectState>& objects,
                                    const MergeLimits& limits);

// Retention goes by whole extents, so merging makes it coarser: extents are joined up to 64 MiB, an eighth of
// retention.bytes and an eighth of retention.ms, where the topic has these limits.
struct JoinLimits {
  std::uint64_t bytes = 64 << 20;
  std::int64_t span_ms = INT64_MAX;
};
JoinLimits join_limits(const cluster::TopicSettings& settings);

// An extent under way takes `next`, which begins where it ends.
class Joining {
 public:
  // Whether `next` may go on in the extent of `bytes` so far. Call for each input in turn.
  bool takes(const cluster::Extent& next, std::uint64_t bytes, std::uint64_t bytes_max, std::int64_t span_ms_max) {
    const bool same = next.partition == partition_ && next.base_offset == end_offset_;
    const bool short_enough = bytes + next.size_bytes <= bytes_max;
    const bool near = next.max_timestamp_ms - begin_ms_ <= span_ms_max;
    const bool joins = same && short_enough && near;
    if (!joins) begin_ms_ = next.max_timestamp_ms;
    partition_ = next.partition;
    end_offset_ = next.end_offset;
    return joins;
  }

 private:
  cluster::PartitionId partition_;
  std::int64_t end_offset_ = -1;
  std::int64_t begin_ms_ = 0;
};

}  // namespace millrace::storage
