#include "kafka/produce_check.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/crc32c.h"
#include "kafka/batch_builder.h"
#include "kafka/records.h"

namespace millrace::kafka {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

Slice batch_of(BatchOptions options = {}, std::vector<std::int64_t> times = {kNow, kNow + 5}, bool keys = true) {
  BatchBuilder builder(options);
  for (const auto time : times) builder.add(time, keys ? std::optional<std::string_view>("k") : std::nullopt, "value");
  return builder.finish();
}

// The batch after `change`, with a checksum that fits.
Slice changed(Slice batch, const std::function<void(char*)>& change) {
  Slice copy = Slice::copy_of(batch);
  char* bytes = copy.mutable_data();
  change(bytes);
  store_be(bytes + 17, crc32c(copy.view().substr(kBatchCrcStart)));
  return copy;
}

ProduceRules rules() { return {.now_ms = kNow}; }

ErrorCode code_of(const std::optional<Slice>& records, const ProduceRules& r) {
  const auto result = check_produced(records, r);
  return result ? ErrorCode::kNone : result.error().code;
}

TEST(ProduceCheck, a_good_batch_passes_untouched) {
  for (const auto codec : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const Slice batch = batch_of({.compression = codec});
    const std::string before(batch.view());
    const auto checked = check_produced(batch, rules());
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->batch.view(), before);
    EXPECT_EQ(checked->batch.data(), batch.data());
    EXPECT_EQ(checked->log_append_time_ms, -1);
  }
}

TEST(ProduceCheck, headers_that_kafka_refuses_are_refused_with_its_code) {
  const Slice good = batch_of();
  const auto with = [&](std::size_t at, auto value) {
    return changed(good, [=](char* bytes) { store_be(bytes + at, value); });
  };
  EXPECT_EQ(code_of(std::nullopt, rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(Slice(), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(good.sub(0, 30), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(good.sub(0, good.size() - 1), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(16, std::int8_t{1}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(16, std::int8_t{3}), rules()), ErrorCode::kCorruptMessage);
  EXPECT_EQ(code_of(with(8, std::int32_t{20}), rules()), ErrorCode::kCorruptMessage);
  EXPECT_EQ(code_of(with(0, std::int64_t{5}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(21, std::int16_t{5}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(21, std::int16_t{8}), rules()), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code_of(with(21, std::int16_t{32}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(23, std::int32_t{7}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(57, std::int32_t{0}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(57, std::int32_t{-1}), rules()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code_of(with(43, std::int64_t{9}), rules()), ErrorCode::kInvalidRecord);  // and no sequence
  Slice flipped = Slice::copy_of(good);
  flipped.mutable_data()[good.size() - 3] ^= 1;
  EXPECT_EQ(code_of(flipped, rules()), ErrorCode::kCorruptMessage);
}

TEST(ProduceCheck, exactly_one_batch) {
  const Slice one = batch_of();
  EXPECT_EQ(code_of(Slice::of(std::string(one.view()) + std::string(one.view())), rules()), ErrorCode::kInvalidRecord);
}

TEST(ProduceCheck, sizes_beyond_the_topics_limits) {
  const Slice batch = batch_of();
  auto r = rules();
  r.batch_bytes_max = batch.size();
  EXPECT_EQ(code_of(batch, r), ErrorCode::kNone);
  r.batch_bytes_max = batch.size() - 1;
  EXPECT_EQ(code_of(batch, r), ErrorCode::kMessageTooLarge);
  r = rules();
  r.segment_bytes_max = batch.size() - 1;
  EXPECT_EQ(code_of(batch, r), ErrorCode::kRecordListTooLarge);
}

TEST(ProduceCheck, zstd_needs_produce_7) {
  auto r = rules();
  r.produce_version = 6;
  EXPECT_EQ(code_of(batch_of({.compression = Compression::kZstd}), r), ErrorCode::kUnsupportedCompressionType);
  EXPECT_EQ(code_of(batch_of({.compression = Compression::kLz4}), r), ErrorCode::kNone);
}

TEST(ProduceCheck, keyless_records_on_a_compacted_topic_are_named) {
  auto r = rules();
  r.keys_required = true;
  for (const auto codec : {Compression::kNone, Compression::kSnappy}) {
    EXPECT_EQ(code_of(batch_of({.compression = codec}), r), ErrorCode::kNone);
    const auto refused = check_produced(batch_of({.compression = codec}, {kNow, kNow}, false), r);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidRecord);
    ASSERT_EQ(refused.error().record_errors.size(), 2u);
    EXPECT_EQ(refused.error().record_errors[1].index, 1);
  }
}

TEST(ProduceCheck, timestamps_out_of_range) {
  auto r = rules();
  const std::int64_t hour = 3'600'000;
  EXPECT_EQ(code_of(batch_of({}, {kNow + hour}), r), ErrorCode::kNone);
  EXPECT_EQ(code_of(batch_of({}, {kNow + hour + 1}), r), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code_of(batch_of({.compression = Compression::kLz4}, {kNow + hour + 1}), r), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code_of(batch_of({}, {0}), r), ErrorCode::kNone);
  r.before_max_ms = 1000;
  EXPECT_EQ(code_of(batch_of({}, {kNow - 1000}), r), ErrorCode::kNone);
  EXPECT_EQ(code_of(batch_of({}, {kNow - 1001}), r), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code_of(batch_of({}, {-1}), r), ErrorCode::kNone);  // no timestamp
  EXPECT_EQ(code_of(batch_of({}, {std::numeric_limits<std::int64_t>::max()}), r), ErrorCode::kInvalidTimestamp);
  r.timestamp_type = TimestampType::kLogAppendTime;
  EXPECT_EQ(code_of(batch_of({}, {kNow + 2 * hour}), r), ErrorCode::kNone);
}

TEST(ProduceCheck, log_append_time_is_stamped) {
  auto r = rules();
  r.timestamp_type = TimestampType::kLogAppendTime;
  const auto checked = check_produced(batch_of({.compression = Compression::kGzip}), r);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->log_append_time_ms, kNow);
  const BatchView view = BatchView::at_start_of(checked->batch).value();
  EXPECT_EQ(view.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(view.max_timestamp(), kNow);
  EXPECT_TRUE(view.crc_matches());
}

TEST(ProduceCheck, a_wrong_max_timestamp_is_put_right) {
  const Slice batch = changed(batch_of(), [](char* bytes) { store_be(bytes + 35, std::int64_t{3}); });
  const auto checked = check_produced(batch, rules());
  ASSERT_TRUE(checked);
  const BatchView view = BatchView::at_start_of(checked->batch).value();
  EXPECT_EQ(view.max_timestamp(), kNow + 5);
  EXPECT_TRUE(view.crc_matches());
}

TEST(ProduceCheck, inner_offsets_and_lengths_must_fit) {
  BatchBuilder gaps(BatchOptions{});
  gaps.add(kNow, "a", "b", {}, 0);
  gaps.add(kNow, "a", "b", {}, 5);
  const Slice bad_delta = changed(gaps.finish(), [](char* bytes) { store_be(bytes + 23, std::int32_t{1}); });
  EXPECT_EQ(code_of(bad_delta, rules()), ErrorCode::kInvalidRecord);
  const Slice fewer = changed(batch_of(), [](char* bytes) {
    store_be(bytes + 23, std::int32_t{0});
    store_be(bytes + 57, std::int32_t{1});
  });
  EXPECT_EQ(code_of(fewer, rules()), ErrorCode::kInvalidRecord);
  const Slice length = changed(batch_of(), [](char* bytes) { bytes[kBatchHeaderSize] += 2; });
  EXPECT_EQ(code_of(length, rules()), ErrorCode::kInvalidRecord);
}

TEST(ProduceCheck, broken_compressed_bytes_are_found_when_a_rule_reads_them) {
  const Slice batch = changed(batch_of({.compression = Compression::kLz4}), [](char* bytes) { bytes[70] ^= 0x55; });
  EXPECT_EQ(code_of(batch, rules()), ErrorCode::kNone);
  auto r = rules();
  r.read_compressed = true;
  EXPECT_EQ(code_of(batch, r), ErrorCode::kInvalidRecord);
}

TEST(ProduceCheck, the_topics_own_compression_wins) {
  for (const auto from : {Compression::kNone, Compression::kGzip}) {
    for (const auto to : {Compression::kNone, Compression::kZstd}) {
      auto r = rules();
      r.compression = to;
      const auto checked =
          check_produced(batch_of({.compression = from, .producer_id = 4, .producer_epoch = 1, .base_sequence = 0}), r);
      ASSERT_TRUE(checked);
      const BatchView view = BatchView::at_start_of(checked->batch).value();
      EXPECT_TRUE(view.crc_matches());
      EXPECT_EQ(view.size(), checked->batch.size());
      EXPECT_EQ(view.compression(), to);
      EXPECT_EQ(view.producer_id(), 4);
      int count = 0;
      ASSERT_TRUE(for_each_record(checked->batch, [&](const RecordView& record) {
        EXPECT_EQ(record.value, "value");
        ++count;
      }));
      EXPECT_EQ(count, 2);
    }
  }
}

}  // namespace
}  // namespace millrace::kafka
