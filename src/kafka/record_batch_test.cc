#include "kafka/record_batch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "kafka/batch_builder.h"
#include "kafka/compression.h"
#include "kafka/hex.h"
#include "kafka/record_batch_golden.h"
#include "kafka/records.h"

namespace millrace::kafka {
namespace {

std::vector<Slice> split(const Slice& blob) {
  std::vector<Slice> batches;
  BatchSplitter splitter(blob);
  while (true) {
    auto next = splitter.next();
    EXPECT_TRUE(next);
    if (!next || !*next) return batches;
    batches.push_back(**next);
  }
}

// "offset key=value header:value ..." per record.
std::vector<std::string> texts(const Slice& blob) {
  std::vector<std::string> lines;
  for (const Slice& batch : split(blob)) {
    EXPECT_TRUE(BatchView::at_start_of(batch)->crc_matches());
    const auto read = for_each_record(batch, [&](const RecordView& record) {
      std::string line =
          fmt::format("{} {}={}", record.offset, record.key.value_or("null"), record.value.value_or("null"));
      const auto headers = headers_of(record).value();
      for (const auto& header : headers) line += fmt::format(" {}:{}", header.key, header.value.value_or("null"));
      lines.push_back(std::move(line));
    });
    EXPECT_TRUE(read) << read.error().to_string();
  }
  return lines;
}

const std::string kHellos = "1 k2=hello hello hello hello hello hello hello hello h1:v1 h2:";
const std::string kJavas = "1 k2=java java java java java java java java java java";

TEST(RecordBatch, reads_what_librdkafka_wrote) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(texts(unhex(golden::kLibrdkafkaPlain)), (Lines{"0 k1=hello none none h1:v1 h2:", kHellos}));
  EXPECT_EQ(texts(unhex(golden::kLibrdkafkaGzip)), (Lines{"0 k1=hello gzip gzip h1:v1 h2:", kHellos}));
  EXPECT_EQ(texts(unhex(golden::kLibrdkafkaSnappyAndPlain)), (Lines{"0 k1=hello snappy snappy h1:v1 h2:", kHellos}));
  EXPECT_EQ(texts(unhex(golden::kLibrdkafkaLz4)), (Lines{"0 k1=hello lz4 lz4 h1:v1 h2:", kHellos}));
  EXPECT_EQ(texts(unhex(golden::kLibrdkafkaZstdIdempotent)), (Lines{"0 k1=hello zstd zstd h1:v1 h2:", kHellos}));
}

TEST(RecordBatch, reads_what_the_java_producer_wrote) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(texts(unhex(golden::kJavaPlain)), (Lines{"0 k1=java gzip", kJavas}));
  EXPECT_EQ(texts(unhex(golden::kJavaGzip)), (Lines{"0 k1=java gzip", kJavas}));
  EXPECT_EQ(texts(unhex(golden::kJavaSnappy)), (Lines{"0 k1=java snappy", kJavas}));
  EXPECT_EQ(texts(unhex(golden::kJavaLz4)), (Lines{"0 k1=java lz4", kJavas}));
  EXPECT_EQ(texts(unhex(golden::kJavaZstd)), (Lines{"0 k1=java zstd", kJavas}));
}

TEST(RecordBatch, header_fields_of_a_real_idempotent_batch) {
  const Slice bytes = unhex(golden::kJavaZstd);
  const BatchView batch = BatchView::at_start_of(bytes).value();
  EXPECT_EQ(batch.size(), 109u);
  EXPECT_EQ(batch.producer_id(), 8);
  EXPECT_EQ(batch.producer_epoch(), 0);
  EXPECT_EQ(batch.base_sequence(), 0);
  EXPECT_EQ(batch.last_sequence(), 1);
  EXPECT_EQ(batch.record_count(), 2);
  EXPECT_EQ(batch.compression(), Compression::kZstd);
  EXPECT_EQ(batch.max_timestamp() - batch.base_timestamp(), 45);
  EXPECT_EQ(batch.timestamp_type(), TimestampType::kCreateTime);
}

TEST(RecordBatch, the_builder_writes_the_bytes_of_the_java_producer) {
  const Slice real = unhex(golden::kJavaPlain);
  const BatchView view = BatchView::at_start_of(real).value();
  BatchBuilder builder({.partition_leader_epoch = view.partition_leader_epoch(),
                        .producer_id = view.producer_id(),
                        .producer_epoch = view.producer_epoch(),
                        .base_sequence = view.base_sequence()});
  ASSERT_TRUE(for_each_record(real, [&](const RecordView& r) { builder.add(r.timestamp_ms, r.key, r.value); }));
  EXPECT_EQ(builder.finish(), real);
}

std::vector<Compression> codecs() {
  return {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd};
}

TEST(RecordBatch, what_is_built_reads_back_with_every_codec) {
  auto random = make_seeded_random(3);
  for (const Compression codec : codecs()) {
    for (const int count : {0, 1, 7, 3000}) {
      BatchBuilder builder({.compression = codec,
                            .base_offset = 1000,
                            .producer_id = 5,
                            .producer_epoch = 2,
                            .base_sequence = 0x7ffffffe,
                            .transactional = true});
      std::vector<std::string> wanted;
      for (int i = 0; i < count; ++i) {
        const std::string value(random->below(300), static_cast<char>('a' + i % 26));
        const HeaderView header{"h", std::nullopt};
        if (i % 3 == 0) {
          builder.add(5000 - i, std::nullopt, value, {&header, 1});
          wanted.push_back(fmt::format("{} null={} h:null", 1000 + i, value));
        } else {
          builder.add(5000 - i, "key", std::nullopt);
          wanted.push_back(fmt::format("{} key=null", 1000 + i));
        }
      }
      const Slice batch = builder.finish();
      EXPECT_EQ(texts(batch), wanted);
      const BatchView view = BatchView::at_start_of(batch).value();
      EXPECT_EQ(view.size(), batch.size());
      EXPECT_EQ(view.compression(), codec);
      EXPECT_EQ(view.record_count(), count);
      EXPECT_EQ(view.next_offset(), 1000 + count);
      EXPECT_TRUE(view.is_transactional());
      EXPECT_FALSE(view.is_control());
      EXPECT_EQ(view.max_timestamp(), count == 0 ? -1 : 5000);
      if (count == 7) {
        EXPECT_EQ(view.last_sequence(), 4);  // 2147483646 + 6 wraps
      }
    }
  }
}

TEST(RecordBatch, a_batch_cut_anywhere_is_refused_and_changed_bytes_do_no_harm) {
  for (const Compression codec : codecs()) {
    BatchBuilder builder({.compression = codec});
    const HeaderView header{"name", "value"};
    for (int i = 0; i < 20; ++i) builder.add(i, "some key", "some value, some value", {&header, 1});
    const Slice batch = builder.finish();
    auto random = make_seeded_random(5);
    for (std::size_t size = 0; size < batch.size(); ++size) {
      EXPECT_FALSE(BatchView::at_start_of(batch.view().substr(0, size)));
      // A batch that claims to be as short as it is, with the rest of its records missing.
      if (size < kBatchHeaderSize) continue;
      Slice cut = Slice::copy_of(batch.view().substr(0, size));
      store_be(cut.mutable_data() + 8, static_cast<std::int32_t>(size - kBatchLengthEnd));
      EXPECT_FALSE(for_each_record(cut, [](const RecordView&) {})) << size;
    }
    for (int i = 0; i < 3000; ++i) {
      Slice broken = Slice::copy_of(batch);
      broken.mutable_data()[kBatchHeaderSize + random->below(broken.size() - kBatchHeaderSize)] =
          static_cast<char>(random->next());
      (void)for_each_record(broken, [](const RecordView& record) { (void)headers_of(record); }, 1 << 20);
    }
  }
}

TEST(RecordBatch, inflating_is_bounded) {
  const std::string zeros(10 << 20, '\0');
  for (const Compression codec : codecs()) {
    const std::string packed = deflate(codec, zeros);
    EXPECT_EQ(inflate(codec, packed, zeros.size()).value().size(), zeros.size());
    EXPECT_EQ(inflate(codec, packed, zeros.size() - 1).error().code(), Code::kExhausted) << static_cast<int>(codec);
  }
}

TEST(RecordBatch, streams_in_several_pieces_are_one) {
  for (const Compression codec : {Compression::kGzip, Compression::kLz4, Compression::kZstd}) {
    EXPECT_EQ(inflate(codec, deflate(codec, "abc") + deflate(codec, "def"), 100).value(), "abcdef");
  }
  EXPECT_EQ(inflate(Compression::kSnappy,
                    std::string("\x03\x08"
                                "abc",
                                5),
                    100)
                .value(),
            "abc");  // without framing
}

TEST(RecordBatch, patches_outside_the_checksum_leave_it_alone_and_the_others_renew_it) {
  const Slice batch = unhex(golden::kJavaGzip);
  char* bytes = const_cast<char*>(batch.data());
  set_base_offset(bytes, 77);
  set_partition_leader_epoch(bytes, 9);
  const BatchView view = BatchView::at_start_of(batch).value();
  EXPECT_TRUE(view.crc_matches());
  EXPECT_EQ(view.base_offset(), 77);
  EXPECT_EQ(view.last_offset(), 78);
  EXPECT_EQ(view.partition_leader_epoch(), 9);
  set_max_timestamp(bytes, batch.size(), TimestampType::kLogAppendTime, 1234);
  EXPECT_TRUE(view.crc_matches());
  EXPECT_EQ(view.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(view.compression(), Compression::kGzip);
  std::vector<std::int64_t> times;
  ASSERT_TRUE(for_each_record(batch, [&](const RecordView& r) { times.push_back(r.timestamp_ms); }));
  EXPECT_EQ(times, (std::vector<std::int64_t>{1234, 1234}));
  set_max_timestamp(bytes, batch.size(), TimestampType::kCreateTime, 5);
  EXPECT_EQ(view.timestamp_type(), TimestampType::kCreateTime);
}

TEST(RecordBatch, the_splitter_ends_before_a_batch_that_is_cut_off) {
  const Slice blob = unhex(golden::kLibrdkafkaPlain);
  ASSERT_EQ(split(blob).size(), 2u);
  const std::size_t first = split(blob)[0].size();
  for (std::size_t size = 0; size < blob.size(); ++size) {
    BatchSplitter splitter(blob.sub(0, size));
    EXPECT_EQ(splitter.next().value().has_value(), size >= first);
    EXPECT_EQ(splitter.next().value(), std::nullopt);
  }
  Slice wrong = Slice::copy_of(blob);
  wrong.mutable_data()[16] = 1;
  EXPECT_EQ(BatchSplitter(wrong).next().error().code(), Code::kCorrupt);
  wrong.mutable_data()[16] = 2;
  store_be(wrong.mutable_data() + 8, std::int32_t{10});
  EXPECT_EQ(BatchSplitter(wrong).next().error().code(), Code::kCorrupt);
}

TEST(RecordBatch, finds_records_by_time_inside_the_batch) {
  for (const Compression codec : codecs()) {
    BatchBuilder builder({.compression = codec, .base_offset = 10});
    for (const int time : {100, 300, 200, 300}) builder.add(time, "k", "v");
    const Slice batch = builder.finish();
    EXPECT_EQ(find_by_time(batch, 50).value(), (TimedOffset{10, 100}));
    EXPECT_EQ(find_by_time(batch, 101).value(), (TimedOffset{11, 300}));
    EXPECT_EQ(find_by_time(batch, 301).value(), std::nullopt);
    EXPECT_EQ(find_greatest_time(batch).value(), (TimedOffset{11, 300}));
  }
}

TEST(RecordBatch, gaps_in_offsets_survive) {
  BatchBuilder builder({.base_offset = 5});
  builder.add(1, "a", "1", {}, 0);
  builder.add(1, "b", "2", {}, 7);
  EXPECT_EQ(texts(builder.finish()), (std::vector<std::string>{"5 a=1", "12 b=2"}));
}

TEST(RecordBatch, control_records_say_how_a_transaction_ended) {
  BatchBuilder builder({.producer_id = 1, .producer_epoch = 0, .transactional = true, .control = true});
  builder.add_control(99, {.type = ControlType::kCommit, .coordinator_epoch = 7});
  const Slice batch = builder.finish();
  EXPECT_TRUE(BatchView::at_start_of(batch)->is_control());
  ASSERT_TRUE(for_each_record(batch, [&](const RecordView& record) {
    const auto control = parse_control_record(record);
    ASSERT_TRUE(control);
    EXPECT_EQ(control->type, ControlType::kCommit);
    EXPECT_EQ(control->coordinator_epoch, 7);
  }));
  RecordView other;
  EXPECT_EQ(parse_control_record(other).error().code(), Code::kCorrupt);
  other.key = std::string_view("\0\0\0\5", 4);
  EXPECT_EQ(parse_control_record(other).error().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::kafka
