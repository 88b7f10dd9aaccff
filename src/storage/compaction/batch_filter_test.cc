#include "storage/compaction/batch_filter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kafka/batch_builder.h"

namespace millrace::storage {
namespace {

struct Row {
  std::string key, value;
  std::int64_t time_ms = 0;
  bool has_key = true, tombstone = false;
};
constexpr std::size_t kPlenty = 1 << 20;

Slice batch_with(const std::vector<Row>& rows, std::int64_t base_offset, kafka::BatchOptions options = {}) {
  options.base_offset = base_offset;
  options.producer_id = 7;
  options.producer_epoch = 1;
  options.base_sequence = 40;
  options.partition_leader_epoch = 3;
  kafka::BatchBuilder builder(options);
  const std::vector<kafka::HeaderView> headers = {{"h", "1"}};
  for (const auto& row : rows) {
    using Bytes = std::optional<std::string_view>;
    builder.add(row.time_ms, row.has_key ? Bytes(row.key) : Bytes(), row.tombstone ? Bytes() : Bytes(row.value),
                headers);
  }
  return builder.finish();
}

// What is left, as "offset key=value@time".
std::vector<std::string> left_in(const Slice& batch) {
  std::vector<std::string> out;
  EXPECT_TRUE(kafka::BatchView::at_start_of(batch)->crc_matches());
  const auto read = kafka::for_each_record(batch, [&out](const kafka::RecordView& record) {
    EXPECT_EQ(kafka::headers_of(record)->size(), 1u);
    out.push_back(fmt::format("{} {}={}@{}", record.offset, record.key.value_or("-"), record.value.value_or("gone"),
                              record.timestamp_ms));
  });
  EXPECT_TRUE(read);
  return out;
}
using Left = std::vector<std::string>;

TEST(BatchFilter, the_newest_record_of_each_key_stays_in_every_compression) {
  for (const auto compression : {kafka::Compression::kNone, kafka::Compression::kGzip, kafka::Compression::kSnappy,
                                 kafka::Compression::kLz4, kafka::Compression::kZstd}) {
    KeyMap keys(kPlenty);
    const std::vector<Row> rows = {{"a", "1", 500}, {"b", "2", 900}, {"a", "3", 700}, {"c", "4", 600}};
    const Slice batch = batch_with(rows, 10, {.compression = compression});
    note_keys(batch, keys);
    keys.note("c", 99);
    const CleanRules rules{.keys = keys, .map_end = 100};
    const FilteredBatch out = filter_batch(batch, rules, false);
    EXPECT_EQ(left_in(out.bytes), (Left{"11 b=2@900", "12 a=3@700"}));
    EXPECT_EQ(out.dropped_records, 2u);
    const auto before = *kafka::BatchView::at_start_of(batch), after = *kafka::BatchView::at_start_of(out.bytes);
    EXPECT_EQ(after.base_offset(), 10);
    EXPECT_EQ(after.last_offset(), 13);
    EXPECT_EQ(after.base_sequence(), 40);
    EXPECT_EQ(after.last_sequence(), before.last_sequence());
    EXPECT_EQ(after.producer_id(), 7);
    EXPECT_EQ(after.partition_leader_epoch(), 3);
    EXPECT_EQ(after.attributes(), before.attributes());
    EXPECT_EQ(after.record_count(), 2);
    EXPECT_EQ(after.max_timestamp(), 900);
    EXPECT_EQ(out.head.last_offset(), 13);
    // Once more: nothing goes, not a byte changes.
    const FilteredBatch again = filter_batch(out.bytes, rules, false);
    EXPECT_TRUE(again.unchanged);
    EXPECT_EQ(again.bytes, out.bytes);
  }
}

TEST(BatchFilter, the_greatest_timestamp_is_that_of_what_stays) {
  KeyMap keys(kPlenty);
  keys.note("late", 50);
  const Slice batch = batch_with({{"late", "x", 900}, {"b", "y", 500}}, 0);
  const auto out = filter_batch(batch, {.keys = keys, .map_end = 100}, false);
  EXPECT_EQ(out.head.max_timestamp, 500);
  const Slice appended = batch_with({{"late", "x", 900}, {"b", "y", 500}}, 0, {.log_append_time_ms = 1234});
  const auto kept = filter_batch(appended, {.keys = keys, .map_end = 100}, false);
  EXPECT_EQ(left_in(kept.bytes), (Left{"1 b=y@1234"}));
}

TEST(BatchFilter, tombstones_get_a_horizon_and_go_after_it) {
  KeyMap keys(kPlenty);
  const Slice batch = batch_with({{"a", "1", 500}, {"b", "", 600, true, true}}, 0);
  note_keys(batch, keys);
  CleanRules rules{.keys = keys, .map_end = 2, .now_ms = 10'000, .delete_retention_ms = 1000};
  const auto stamped = filter_batch(batch, rules, false);
  EXPECT_EQ(stamped.horizon_ms, 11'000);
  EXPECT_FALSE(stamped.unchanged);
  auto view = *kafka::BatchView::at_start_of(stamped.bytes);
  EXPECT_TRUE(view.has_delete_horizon());
  EXPECT_EQ(view.base_timestamp(), 11'000);
  EXPECT_EQ(view.max_timestamp(), 600);
  EXPECT_EQ(left_in(stamped.bytes), (Left{"0 a=1@500", "1 b=gone@600"})) << "times stay what they were";

  rules.now_ms = 10'999;
  rules.delete_retention_ms = 50'000;  // changed meanwhile: the horizon that was promised counts
  const auto early = filter_batch(stamped.bytes, rules, false);
  EXPECT_TRUE(early.unchanged);
  EXPECT_EQ(early.horizon_ms, 11'000);

  rules.now_ms = 11'000;
  const auto late = filter_batch(stamped.bytes, rules, false);
  EXPECT_EQ(left_in(late.bytes), (Left{"0 a=1@500"}));
  EXPECT_EQ(late.horizon_ms, -1);
  EXPECT_EQ(late.head.last_offset(), 1);
}

TEST(BatchFilter, a_tombstone_drops_older_values_and_yields_to_newer_ones) {
  KeyMap keys(kPlenty);
  const Slice batch = batch_with({{"a", "1", 1}, {"a", "", 2, true, true}, {"b", "", 3, true, true}, {"b", "2", 4}}, 0);
  note_keys(batch, keys);
  const auto out = filter_batch(batch, {.keys = keys, .map_end = 4, .now_ms = 5, .delete_retention_ms = 5}, false);
  EXPECT_EQ(left_in(out.bytes), (Left{"1 a=gone@2", "3 b=2@4"}));
}

TEST(BatchFilter, what_the_map_does_not_know_stays) {
  KeyMap keys(kPlenty);
  keys.note("a", 0);
  const Slice batch = batch_with({{"a", "1", 1}, {"a", "2", 2}, {"", "no key", 3, false}}, 4);
  const auto beyond = filter_batch(batch, {.keys = keys, .map_end = 4}, false);
  EXPECT_TRUE(beyond.unchanged) << "above the map's end, keyless records, too";
  const auto below = filter_batch(batch, {.keys = keys, .map_end = 7}, false);
  EXPECT_EQ(left_in(below.bytes), (Left{"4 a=1@1", "5 a=2@2"})) << "only a newer one drops a record";
}

TEST(BatchFilter, an_emptied_batch_goes_or_stays_for_its_end_offset) {
  KeyMap keys(kPlenty);
  keys.note("a", 9);
  const Slice batch = batch_with({{"a", "1", 1}, {"a", "2", 2}}, 4, {.compression = kafka::Compression::kGzip});
  const CleanRules rules{.keys = keys, .map_end = 10};
  EXPECT_TRUE(filter_batch(batch, rules, false).bytes.empty());
  const auto kept = filter_batch(batch, rules, true);
  EXPECT_EQ(kept.bytes.size(), kafka::kBatchHeaderSize);
  EXPECT_EQ(kept.head.last_offset(), 5);
  EXPECT_EQ(kept.head.max_timestamp, 2);
  EXPECT_TRUE(left_in(kept.bytes).empty());
  EXPECT_TRUE(filter_batch(kept.bytes, rules, true).unchanged);
  EXPECT_TRUE(filter_batch(kept.bytes, rules, false).bytes.empty()) << "later batches hold the end now";
}

TEST(BatchFilter, transactions_control_and_broken_batches_are_left_alone) {
  KeyMap keys(kPlenty);
  const Slice transactional = batch_with({{"a", "1", 1}, {"a", "2", 2}}, 0, {.transactional = true});
  note_keys(transactional, keys);
  EXPECT_EQ(keys.size(), 0u) << "it may have been aborted";
  keys.note("a", 50);
  const CleanRules rules{.keys = keys, .map_end = 100};
  EXPECT_TRUE(filter_batch(transactional, rules, false).unchanged);
  kafka::BatchBuilder control({.base_offset = 2, .control = true});
  control.add_control(1, {kafka::ControlType::kAbort, 0});
  const Slice marker = control.finish();
  EXPECT_TRUE(filter_batch(marker, rules, false).unchanged);
  Slice broken = batch_with({{"a", "1", 1}}, 0);
  broken.mutable_data()[kafka::kBatchHeaderSize] = 0x7f;
  note_keys(broken, keys);
  EXPECT_TRUE(filter_batch(broken, rules, false).unchanged);
  EXPECT_EQ(*keys.newest("a"), 50);
}

TEST(BatchFilter, the_broken_variant_keeps_what_should_go) {
  KeyMap keys(kPlenty);
  const Slice batch = batch_with({{"a", "1", 1}, {"a", "2", 2}}, 0);
  note_keys(batch, keys);
  const auto out = filter_batch(batch, {.keys = keys, .map_end = 2, .keep_newest = false}, false);
  EXPECT_EQ(left_in(out.bytes), (Left{"0 a=1@1"}));
}

TEST(KeyMap, is_full_at_its_budget_and_tells_keys_apart) {
  KeyMap keys(KeyMap::kEntryBytes * 100);
  for (int i = 0; i < 99; ++i) keys.note(std::to_string(i), i);
  EXPECT_FALSE(keys.full());
  keys.note("0", 200);
  EXPECT_FALSE(keys.full()) << "known already";
  keys.note("99", 99);
  EXPECT_TRUE(keys.full());
  EXPECT_EQ(*keys.newest("0"), 200);
  EXPECT_EQ(*keys.newest("57"), 57);
  EXPECT_FALSE(keys.newest("100"));
  EXPECT_FALSE(keys.newest(""));
}

}  // namespace
}  // namespace millrace::storage
