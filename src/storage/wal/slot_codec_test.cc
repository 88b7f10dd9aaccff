#include "storage/wal/slot_codec.h"

#include <gtest/gtest.h>

#include "kafka/batch_builder.h"
#include "kafka/record_batch.h"

namespace millrace::storage {
namespace {

const SlotAddress kAddress{3, Incarnation(41), SlotNumber(7)};

Slice batch_at(std::int64_t offset, int records) {
  kafka::BatchBuilder builder({.base_offset = offset, .producer_id = 5, .producer_epoch = 1, .base_sequence = 9});
  for (int i = 0; i < records; ++i) builder.add(1000 + i, "key", "value");
  return builder.finish();
}

std::string encoded() {
  PartitionId first, second;
  first.topic_id.bytes[0] = 1;
  second.topic_id.bytes[0] = 2;
  second.partition = 4;
  const std::vector<Slice> a{batch_at(10, 2), batch_at(12, 1)}, b{batch_at(0, 3)};
  const SlotGroupInput groups[] = {{first, 2, a}, {second, 0, b}};
  auto slot = encode_data_slot(kAddress, 11, 12, groups);
  EXPECT_EQ(slot.positions.size(), 2u);
  EXPECT_EQ(slot.positions[0], kSlotHeaderBytes);
  return std::string(slot.body.flatten().view());
}

TEST(SlotCodec, keys_name_broker_incarnation_and_slot_and_parse_back) {
  const std::string key = slot_key(kAddress);
  EXPECT_TRUE(key.starts_with("wal/") && key.ends_with("/3.41/00000000000000000007")) << key;
  EXPECT_EQ(*parse_slot_key(key), kAddress);
  EXPECT_FALSE(parse_slot_key("wal/00/3.41/7"));
  EXPECT_FALSE(parse_slot_key("obj/00/3.41/00000000000000000007"));
}

TEST(SlotCodec, a_data_slot_comes_back_with_its_index) {
  const std::string bytes = encoded();
  EXPECT_EQ(bytes.substr(0, 8), std::string("MRWS\0\1\1\0", 8));
  auto slot = decode_slot(bytes, kAddress);
  ASSERT_TRUE(slot) << slot.error().to_string();
  ASSERT_EQ(slot->groups.size(), 2u);
  EXPECT_EQ(slot->groups[0].leader_epoch, 2);
  ASSERT_EQ(slot->groups[0].batches.size(), 2u);
  const SlotBatch& batch = slot->groups[0].batches[1];
  EXPECT_EQ(batch.base_offset, 12);
  EXPECT_EQ(batch.producer_id, 5);
  EXPECT_EQ(batch.base_sequence, 9);
  const auto at = slot->groups[0].position + slot->groups[0].batches[0].size;
  auto view = kafka::BatchView::at_start_of(std::string_view(bytes).substr(at));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->base_offset(), 12);
  EXPECT_TRUE(view->crc_matches());
}

TEST(SlotCodec, a_slot_cut_short_anywhere_is_refused) {
  const std::string bytes = encoded();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_slot(std::string_view(bytes).substr(0, size), kAddress)) << size;
  }
  EXPECT_FALSE(decode_slot(bytes + "x", kAddress));
}

TEST(SlotCodec, a_changed_byte_of_header_or_footer_is_refused) {
  const std::string bytes = encoded();
  const auto header = decode_slot_header(bytes);
  ASSERT_TRUE(header);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (at >= kSlotHeaderBytes && at < header->footer_position) continue;  // batches have their own CRC
    std::string broken = bytes;
    broken[at] ^= 0x20;
    EXPECT_FALSE(decode_slot(broken, kAddress)) << at;
  }
}

TEST(SlotCodec, another_slots_bytes_are_refused) {
  SlotAddress other = kAddress;
  other.slot = SlotNumber(8);
  auto slot = decode_slot(encoded(), other);
  ASSERT_FALSE(slot);
  EXPECT_EQ(slot.error().code(), Code::kCorrupt);
}

TEST(SlotCodec, seal_and_opening_slot_are_told_apart) {
  const Slice seal = encode_seal(kAddress, Incarnation(50), 1, 2);
  auto sealed = decode_slot(seal, kAddress);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->header.kind, SlotKind::kSeal);
  EXPECT_EQ(sealed->header.sealed_by, Incarnation(50));
  auto opened = decode_slot(encode_open_slot(kAddress, 1, 2), kAddress);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->header.kind, SlotKind::kOpen);
}

}  // namespace
}  // namespace millrace::storage
