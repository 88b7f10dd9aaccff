#include "cluster/record_codec.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/crc32c.h"
#include "cluster/bucket_layout.h"
#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

LogEntry full_entry() {
  LogEntry entry{.seq = LogSeq(42),
                 .controller_epoch = 7,
                 .writer_broker = 3,
                 .writer_incarnation = Incarnation(9),
                 .nonce_high = 0x1122334455667788,
                 .nonce_low = 5,
                 .records = test::one_of_each()};
  entry.prev_hash.fill(0xab);
  return entry;
}

// Puts the right checksum behind changed bytes, so that what is tested is not the checksum.
std::string resealed(std::string bytes) {
  store_be(bytes.data() + bytes.size() - 4, crc32c(std::string_view(bytes).substr(0, bytes.size() - 4)));
  return bytes;
}

TEST(RecordCodec, every_record_type_comes_back_the_same) {
  const LogEntry entry = full_entry();
  EXPECT_EQ(entry.records.size(), std::variant_size_v<Record>);
  const std::string bytes = encode_entry(entry);
  const auto decoded = decode_entry(bytes);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->seq, entry.seq);
  EXPECT_EQ(decoded->nonce_high, entry.nonce_high);
  EXPECT_EQ(decoded->prev_hash, entry.prev_hash);
  EXPECT_EQ(encode_entry(*decoded), bytes);
  for (std::size_t i = 0; i < entry.records.size(); ++i) EXPECT_EQ(decoded->records[i].index(), i);
}

TEST(RecordCodec, golden_bytes_of_a_small_entry) {
  LogEntry entry{.seq = LogSeq(2), .controller_epoch = 1, .writer_broker = 1, .writer_incarnation = Incarnation(1)};
  entry.records.emplace_back(FenceRecord{.broker_id = 1, .incarnation = Incarnation(300)});
  const std::string hex = object::to_hex(encode_entry(entry));
  EXPECT_EQ(hex,
            "4d524d45"
            "01"
            "0000000000000002"
            "0000000000000001"
            "00000001"
            "0000000000000001"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000000000000000000000000000000000000000000000000000"
            "00000001"
            "02"
            "01"
            "00000003"
            "02"
            "ac02" +
                hex.substr(hex.size() - 8));
}

TEST(RecordCodec, golden_bytes_of_a_rewrite) {
  const PartitionId p{test::topic_id(1), 2};
  NewObject made{.key = "k", .birth = LogSeq(6), .size_bytes = 900, .level = 3, .extents = {}, .states = {}};
  made.extents.push_back({p, 100, 200, 10, 500, -1});
  std::string bytes;
  append_record(bytes, RewriteObjectsRecord{{made}, {"o"}, {{p, 100, "q"}}, {{p, 190}}});
  const std::string partition =
      "10000000000000000000000000000001"
      "04";
  EXPECT_EQ(object::to_hex(bytes),
            "12"
            "01"
            "0000004f"
            "01"
            "016b"
            "06"
            "8407"
            "03"
            "01" +
                partition +
                "c801"
                "9003"
                "0a"
                "f403"
                "01"
                "00"
                "01"
                "016f"
                "01" +
                partition +
                "c801"
                "0171"
                "01" +
                partition + "fc02");
}

TEST(RecordCodec, objects_in_place_of_objects_are_no_business_of_register) {
  std::string bytes;
  append_record(bytes, RegisterObjectRecord{.key = "k"});
  EXPECT_EQ(object::to_hex(bytes),
            "0a"
            "01"
            "00000008"
            "016b"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00");
  LogEntry entry{.seq = LogSeq(2)};
  entry.records.emplace_back(RegisterObjectRecord{.key = "k"});
  std::string changed = encode_entry(entry);
  changed[changed.size() - 5] = 1;
  EXPECT_EQ(decode_entry(resealed(changed)).error().code(), Code::kCorrupt);
}

TEST(RecordCodec, truncation_at_every_byte_is_refused) {
  const std::string bytes = encode_entry(full_entry());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    EXPECT_FALSE(decode_entry(cut)) << size;
    if (size > 9) {
      EXPECT_FALSE(decode_entry(resealed(cut))) << "resealed " << size;
    }
  }
}

TEST(RecordCodec, every_flipped_bit_is_noticed) {
  const std::string bytes = encode_entry(full_entry());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    EXPECT_FALSE(decode_entry(changed)) << i;
  }
}

TEST(RecordCodec, newer_entries_and_records_ask_for_an_upgrade) {
  LogEntry entry{.seq = LogSeq(2)};
  entry.records.emplace_back(OrphanFloorRecord{LogSeq(1)});
  std::string bytes = encode_entry(entry);
  const std::size_t type_at = bytes.size() - 4 - 1 - 6;
  for (const auto& [at, value] : {std::pair<std::size_t, char>{4, 2}, {type_at, 100}, {type_at + 1, 2}}) {
    std::string newer = bytes;
    newer[at] = value;
    const auto decoded = decode_entry(resealed(newer));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code(), Code::kUnsupported) << decoded.error().to_string();
    EXPECT_NE(decoded.error().message().find("upgrade"), std::string::npos);
  }
}

TEST(BucketLayout, format_root_and_snapshot_come_back_and_truncation_is_refused) {
  const Uuid id = *Uuid::parse("6kw2R5ZVS4WURSoIVpf4kg");
  EXPECT_EQ(encode_format(id),
            "millrace bucket version 1\ncluster_id 6kw2R5ZVS4WURSoIVpf4kg\nrequired_features none\n");
  EXPECT_EQ(*decode_format(encode_format(id)), id);
  EXPECT_EQ(decode_format("millrace bucket version 2\n").error().code(), Code::kUnsupported);
  EXPECT_EQ(decode_format("hello").error().code(), Code::kCorrupt);

  Root root{.cluster_id = id, .counter = 3, .nonce = 4, .floor = LogSeq(5), .snapshots = {}};
  root.snapshots.push_back({LogSeq(9), snapshot_key(LogSeq(9), 0xff), {}});
  root.snapshots.push_back({LogSeq(5), snapshot_key(LogSeq(5), 0x01), {}});
  const std::string root_bytes = encode_root(root);
  const auto decoded = decode_root(root_bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(encode_root(*decoded), root_bytes);
  EXPECT_EQ(decoded->snapshots[0].key, "meta/snap/00000000000000000009-00000000000000ff");

  const std::string snapshot_bytes = encode_snapshot({LogSeq(9), {}, "state"});
  EXPECT_EQ(decode_snapshot(snapshot_bytes)->state, "state");
  for (std::size_t size = 0; size < root_bytes.size(); ++size) EXPECT_FALSE(decode_root(root_bytes.substr(0, size)));
  for (std::size_t size = 0; size < snapshot_bytes.size(); ++size)
    EXPECT_FALSE(decode_snapshot(snapshot_bytes.substr(0, size)));
}

TEST(BucketLayout, keys_sort_as_their_numbers) {
  EXPECT_EQ(log_key(LogSeq(7)), "meta/log/00000000000000000007");
  EXPECT_LT(log_key(LogSeq(99)), log_key(LogSeq(100)));
  EXPECT_EQ(*number_in_key(log_key(LogSeq(7)), kLogPrefix), 7u);
  EXPECT_EQ(*number_in_key(snapshot_key(LogSeq(8), 1), kSnapshotPrefix), 8u);
  EXPECT_FALSE(number_in_key("meta/log/x", kLogPrefix));
  EXPECT_FALSE(number_in_key("meta/log/0000000000000000000x", kLogPrefix));
}

TEST(BucketLayout, an_objects_key_tells_its_birth) {
  const std::string key = object_key(LogSeq(77), 1, 0xab);
  EXPECT_EQ(key, "obj/ab/00000000000000000077-000000000000000100000000000000ab");
  EXPECT_EQ(*birth_of_object_key(key), LogSeq(77));
  EXPECT_FALSE(birth_of_object_key("obj/ab/77-1"));
}

}  // namespace
}  // namespace millrace::cluster
