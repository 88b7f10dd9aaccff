#include "disk/wal_core.h"

#include <gtest/gtest.h>

namespace millrace::disk {
namespace {

constexpr std::uint64_t kBlock = kBlockBytes;

SlotAddress at(std::uint64_t incarnation, std::uint64_t slot) {
  return {1, cluster::Incarnation(incarnation), cluster::SlotNumber(slot)};
}

FrameRecord record(std::uint64_t incarnation, std::uint64_t slot, std::uint64_t position = kBlock,
                   std::uint32_t size = 10) {
  return {at(incarnation, slot), position, size, 99};
}

TEST(WalCore, a_group_takes_all_that_fits_and_at_least_one) {
  const GroupLimits limits{.records_max = 3, .bytes_max = 2 * kBlock};
  const std::vector<std::pair<std::vector<std::uint64_t>, std::size_t>> table{
      {{10}, 1},         {{10, 10, 10, 10}, 3},  {{9 * kBlock, 10}, 1}, {{10, 9 * kBlock}, 1},
      {{4000, 4000}, 2}, {{4000, 4000, 200}, 2}, {{4000, 4000, 50}, 3},
  };
  for (const auto& [sizes, taken] : table) EXPECT_EQ(group_of(sizes, limits), taken) << sizes.size();
}

TEST(WalCore, slots_are_found_until_they_are_removed) {
  WalCore core;
  const auto segment = core.add("a", 10 * kBlock);
  core.note(record(5, 1, 4200, 77), segment);
  const auto found = core.find(at(5, 1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->segment, segment);
  EXPECT_EQ(found->position, 4200u);
  EXPECT_EQ(found->size, 77u);
  EXPECT_EQ(found->crc, 99u);
  EXPECT_EQ(core.slot_bytes(), 77u);
  EXPECT_FALSE(core.find(at(5, 2)));
  EXPECT_FALSE(core.find(at(6, 1)));
  EXPECT_TRUE(core.holds_any_of({1, cluster::Incarnation(5)}));
  EXPECT_TRUE(core.remove(at(5, 1)));
  EXPECT_FALSE(core.remove(at(5, 1)));
  EXPECT_FALSE(core.holds_any_of({1, cluster::Incarnation(5)}));
  EXPECT_EQ(core.slot_bytes(), 0u);
}

TEST(WalCore, a_slot_noted_twice_counts_once) {
  WalCore core;
  const auto first = core.add("a", 10 * kBlock), second = core.add("b", 10 * kBlock);
  core.note(record(5, 1), first);
  core.note(record(5, 1), second);
  EXPECT_EQ(core.slots(), 1u);
  core.remove(at(5, 1));
  EXPECT_EQ(core.segment(first).needed + core.segment(second).needed, 0u);
}

TEST(WalCore, a_list_is_in_the_order_of_keys_and_honours_prefix_start_and_limit) {
  WalCore core;
  const auto segment = core.add("a", 10 * kBlock);
  for (std::uint64_t incarnation = 3; incarnation < 9; ++incarnation) {
    for (std::uint64_t slot : {12, 2, 1}) core.note(record(incarnation, slot), segment);
  }
  const auto all = core.list("wal/", "", 1000);
  ASSERT_EQ(all.size(), 18u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.key < b.key; }));
  EXPECT_EQ(core.list("", "", 1000).size(), 18u);
  const std::string prefix = storage::wal_prefix(1, cluster::Incarnation(4));
  EXPECT_EQ(core.list(prefix, "", 1000).size(), 3u);
  EXPECT_EQ(core.list(prefix.substr(0, prefix.size() - 2), "", 1000).size(), 3u);
  EXPECT_EQ(core.list("obj/", "", 1000).size(), 0u);
  const auto some = core.list("wal/", all[4].key, 3);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_EQ(some[0].key, all[5].key);
  EXPECT_EQ(some[0].size_bytes, 10u);
}

TEST(WalCore, frames_fill_the_active_segment_then_the_ready_one) {
  WalCore core;
  EXPECT_FALSE(core.place(kBlock));
  EXPECT_TRUE(core.wants_next());
  const auto first = core.add("a", 4 * kBlock);
  core.prepared(first, 7);
  EXPECT_FALSE(core.wants_next());
  auto spot = core.place(2 * kBlock);
  ASSERT_TRUE(spot);
  EXPECT_EQ(spot->segment, first);
  EXPECT_EQ(spot->position, kBlock) << "behind the header";
  // A write that failed leaves the place to the next one.
  spot = core.place(kBlock);
  EXPECT_EQ(spot->position, kBlock);
  core.written(*spot, kBlock);
  EXPECT_TRUE(core.wants_next()) << "half full";
  const auto second = core.add("b", 4 * kBlock);
  core.prepared(second, 8);
  EXPECT_EQ(core.place(2 * kBlock)->segment, first);
  EXPECT_EQ(core.place(3 * kBlock)->segment, second);
  EXPECT_EQ(core.place(kBlock)->segment, second) << "never back";
  EXPECT_FALSE(core.place(4 * kBlock)) << "larger than any";
  EXPECT_EQ(core.segment(first).state, WalCore::State::kIdle);
}

TEST(WalCore, a_segment_is_used_again_only_when_nobody_needs_or_reads_it) {
  WalCore core;
  const auto id = core.add("a", 4 * kBlock);
  EXPECT_EQ(core.reusable(4 * kBlock), id);
  EXPECT_FALSE(core.reusable(5 * kBlock)) << "too small";
  core.prepared(id, 7);
  EXPECT_FALSE(core.reusable(kBlock)) << "ready";
  auto spot = core.place(kBlock);
  EXPECT_FALSE(core.reusable(kBlock)) << "active";
  core.written(*spot, kBlock);
  core.note(record(5, 1), id);
  core.retire();
  EXPECT_FALSE(core.reusable(kBlock)) << "a slot in it is needed";
  core.begin_read(id);
  core.remove(at(5, 1));
  EXPECT_FALSE(core.reusable(kBlock)) << "it is read";
  core.end_read(id);
  EXPECT_EQ(core.reusable(kBlock), id);
  EXPECT_FALSE(core.has_ready());
}

TEST(WalCore, the_smallest_that_fits_is_used_and_the_largest_go_first) {
  WalCore core;
  const auto large = core.add("large", 9 * kBlock), small = core.add("small", 4 * kBlock),
             mid = core.add("mid", 6 * kBlock);
  EXPECT_EQ(core.reusable(3 * kBlock), small);
  EXPECT_EQ(core.reusable(5 * kBlock), mid);
  EXPECT_EQ(core.surplus(2), std::vector<SegmentId>{large});
  EXPECT_EQ(core.surplus(0), (std::vector<SegmentId>{large, mid, small}));
  EXPECT_TRUE(core.surplus(3).empty());
  core.forget(large);
  EXPECT_EQ(core.segments().size(), 2u);
}

TEST(WalCore, segments_of_another_host_are_removed_and_never_used_again) {
  WalCore core;
  const SegmentId needed = core.add("1.wal", 4 * kBlock), empty = core.add("2.wal", 4 * kBlock);
  const SlotAddress slot{1, cluster::Incarnation(5), cluster::SlotNumber(1)};
  core.note(FrameRecord{slot, kBlock, 100, 7}, needed);
  core.all_foreign();
  EXPECT_FALSE(core.reusable(kBlock));
  EXPECT_EQ(core.surplus(8), std::vector<SegmentId>{empty});
  EXPECT_TRUE(core.remove(slot));
  EXPECT_EQ(core.surplus(8), (std::vector<SegmentId>{needed, empty}));
  core.forget(empty);
  const SegmentId own = core.add("3.wal", 4 * kBlock);
  EXPECT_EQ(core.reusable(kBlock), own);
}

}  // namespace
}  // namespace millrace::disk
