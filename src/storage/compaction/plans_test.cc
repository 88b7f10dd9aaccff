#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/compaction/clean_plan.h"
#include "storage/compaction/merge_plan.h"

namespace millrace::storage {
namespace {

using cluster::LogSeq;
using cluster::ObjectState;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr MergeLimits kFourByFour{.fan_in = 4, .bytes_max = 100 * kMiB, .object_bytes_target = 32 * kMiB};

struct Objects {
  std::unordered_map<std::string, ObjectState> all;
  Objects& add(std::string key, std::uint64_t birth, std::uint64_t bytes, std::uint32_t references,
               std::uint32_t level = 0) {
    all[std::move(key)] = ObjectState{LogSeq(birth), bytes, references, level};
    return *this;
  }
};
std::string groups_in(const std::vector<MergeGroup>& groups) {
  std::string out;
  for (const auto& group : groups) out += fmt::format("{}:{} ", group.level, fmt::join(group.keys, ""));
  return out;
}

TEST(MergePlan, neighbours_by_birth_make_a_group_once_they_are_enough) {
  Objects objects;
  objects.add("d", 4, kMiB, 10).add("b", 2, kMiB, 10).add("a", 1, kMiB, 10);
  EXPECT_EQ(groups_in(plan_merges(objects.all, kFourByFour)), "");
  objects.add("c", 3, kMiB, 10).add("e", 5, kMiB, 10);
  EXPECT_EQ(groups_in(plan_merges(objects.all, kFourByFour)), "0:abcd ");
  MergeLimits off = kFourByFour;
  off.fan_in = 0;
  EXPECT_TRUE(plan_merges(objects.all, off).empty());
}

TEST(MergePlan, long_extents_dead_objects_and_finished_ones_are_left_alone) {
  Objects objects;
  for (const char* key : {"a", "b", "c"}) objects.add(key, 1, kMiB, 10);
  EXPECT_TRUE(plan_merges(objects.add("dead", 1, kMiB, 0).all, kFourByFour).empty());
  EXPECT_TRUE(plan_merges(objects.add("long", 1, 8 * kMiB, 2).all, kFourByFour).empty());
  EXPECT_TRUE(plan_merges(objects.add("high", 1, 16 * kMiB, 1000, 1).all, kFourByFour).empty());
  EXPECT_EQ(groups_in(plan_merges(objects.add("d", 1, 16 * kMiB, 1000).all, kFourByFour)), "0:abcd ");
}

TEST(MergePlan, levels_do_not_mix_and_bytes_are_bounded) {
  Objects objects;
  for (int i = 0; i < 3; ++i) {
    objects.add(fmt::format("x{}", i), 1, kMiB, 100).add(fmt::format("y{}", i), 1, kMiB, 100, 1);
  }
  EXPECT_TRUE(plan_merges(objects.all, kFourByFour).empty());
  objects.add("y3", 2, 15 * kMiB, 100, 1);
  EXPECT_EQ(groups_in(plan_merges(objects.all, kFourByFour)), "1:y0y1y2y3 ");
  objects.add("x3", 2, 98 * kMiB, 1000).add("x4", 3, 99 * kMiB, 1000);
  EXPECT_EQ(groups_in(plan_merges(objects.all, kFourByFour)), "0:x0x1x2 1:y0y1y2y3 ");
}

TEST(MergePlan, extents_are_joined_up_to_an_eighth_of_what_retention_keeps) {
  const auto limits_of = [](std::map<std::string, std::string> configs) {
    return join_limits(cluster::topic_settings(configs));
  };
  EXPECT_EQ(limits_of({{"retention.ms", "8000"}}).span_ms, 1000);
  EXPECT_EQ(limits_of({{"retention.ms", "-1"}}).span_ms, INT64_MAX);
  EXPECT_EQ(limits_of({{"retention.bytes", "80"}}).bytes, 10u);
  EXPECT_EQ(limits_of({{"cleanup.policy", "compact"}, {"retention.ms", "8000"}}).span_ms, INT64_MAX);
  EXPECT_EQ(limits_of({{"cleanup.policy", "compact"}, {"retention.bytes", "80"}}).bytes, 64 * kMiB);

  const cluster::PartitionId p{{}, 0}, q{{}, 1};
  const auto run = [](cluster::PartitionId id, std::int64_t base, std::int64_t end, std::int64_t ms) {
    return cluster::Extent{id, base, end, 0, 10, ms};
  };
  Joining joining;
  EXPECT_FALSE(joining.takes(run(p, 0, 5, 100), 0, 100, 50)) << "the first begins";
  EXPECT_TRUE(joining.takes(run(p, 5, 9, 150), 10, 100, 50));
  EXPECT_FALSE(joining.takes(run(p, 9, 12, 151), 20, 100, 50)) << "too long a time";
  EXPECT_TRUE(joining.takes(run(p, 12, 13, 160), 10, 100, 50));
  EXPECT_FALSE(joining.takes(run(p, 13, 14, 160), 95, 100, 50)) << "too many bytes";
  EXPECT_FALSE(joining.takes(run(p, 20, 21, 160), 10, 100, 50)) << "a gap";
  EXPECT_FALSE(joining.takes(run(q, 21, 22, 160), 10, 100, 50)) << "another partition";
}

// ---- cleaning ----

cluster::PartitionState partition_with(std::vector<std::tuple<std::int64_t, std::int64_t, std::uint64_t>> runs,
                                       std::int64_t clean_until) {
  cluster::PartitionState partition;
  std::int64_t base = 0;
  for (const auto& [end, max_ms, bytes] : runs) {
    partition.extents[base] = {{{}, base, end, 0, bytes, max_ms}, "k"};
    base = end;
  }
  partition.clean_until = clean_until;
  return partition;
}

TEST(CleanPlan, a_partition_is_due_by_its_dirty_share_or_its_age) {
  cluster::TopicSettings settings;
  settings.min_cleanable_dirty_ratio = 0.5;
  auto view = clean_view(partition_with({{10, 1000, 60}, {20, 2000, 60}}, 10), settings, 5000);
  EXPECT_EQ(view.dirty_from, 10);
  EXPECT_EQ(view.clean_to, 20);
  EXPECT_DOUBLE_EQ(view.dirty_ratio, 0.5);
  EXPECT_FALSE(view.due) << "not above the ratio";
  settings.max_compaction_lag_ms = 3000;
  EXPECT_FALSE(clean_view(partition_with({{10, 1000, 60}, {20, 2000, 60}}, 10), settings, 5000).due);
  EXPECT_TRUE(clean_view(partition_with({{10, 1000, 60}, {20, 2000, 60}}, 10), settings, 5001).due);
  settings.max_compaction_lag_ms = INT64_MAX;
  EXPECT_TRUE(clean_view(partition_with({{10, 1000, 60}, {20, 2000, 61}}, 10), settings, 5000).due);
  EXPECT_TRUE(clean_view(partition_with({{10, 1000, 60}, {20, 2000, 60}}, 5), settings, 5000).due) << "a map was full";
  view = clean_view(partition_with({{10, 1000, 60}, {20, 2000, 60}}, 20), settings, 5000);
  EXPECT_FALSE(view.due);
  EXPECT_EQ(view.clean_to, view.dirty_from);
  EXPECT_FALSE(clean_view(partition_with({}, 0), settings, 5000).due);
}

TEST(CleanPlan, young_extents_and_all_behind_them_wait_for_the_lag) {
  cluster::TopicSettings settings;
  settings.min_compaction_lag_ms = 1000;
  const auto partition = partition_with({{10, 4000, 60}, {20, 4001, 60}, {30, 100, 60}}, 0);
  const auto view = clean_view(partition, settings, 5000);
  EXPECT_EQ(view.clean_to, 10);
  EXPECT_EQ(view.dirty_bytes, 60u);
  EXPECT_FALSE(clean_view(partition, settings, 4999).due);
  EXPECT_EQ(clean_view(partition, settings, 9000).clean_to, 30);
}

TEST(CleanPlan, the_log_start_counts_as_clean) {
  auto partition = partition_with({{10, 1, 60}, {20, 2, 60}}, 0);
  partition.log_start_offset = 12;
  EXPECT_EQ(clean_view(partition, {}, 100).dirty_from, 12);
}

}  // namespace
}  // namespace millrace::storage
