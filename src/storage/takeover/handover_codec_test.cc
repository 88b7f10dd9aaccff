#include "storage/takeover/handover_codec.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/crc32c.h"

namespace millrace::storage {
namespace {

PartitionId partition(std::int32_t number) {
  PartitionId id;
  id.topic_id.bytes[3] = 9;
  id.partition = number;
  return id;
}

Handover of_two() {
  Handover handover;
  handover.slots.push_back({{3, Incarnation(70), SlotNumber(12)}, 5000});
  handover.slots.push_back({{1, Incarnation(4), SlotNumber(300)}, 8 << 20});
  HandedPartition busy{.id = partition(0), .entries = {}, .producers = {}};
  busy.entries.push_back(BatchEntry{100, 1'700'000'000'000, 1, kSlotPositionMax, 61, 9});
  busy.entries.push_back(BatchEntry{110, -1, 0, 80, 4'000'000, 0});
  BatchHeader head;
  head.base_offset = 110;
  head.producer_id = 7;
  head.producer_epoch = 0;
  head.base_sequence = 3;
  busy.producers.note(head, 1'700'000'000'001);
  handover.partitions.push_back(std::move(busy));
  handover.partitions.push_back({.id = partition(1), .entries = {}, .producers = {}});
  return handover;
}

// As one who makes bytes on purpose would.
std::string with_right_checksum(std::string bytes) {
  bytes.resize(bytes.size() - 4);
  ByteWriter out(bytes);
  out.be(crc32c(bytes));
  return bytes;
}

TEST(HandoverCodec, both_sides_make_the_round_trip) {
  const auto wishes = decode_wishes(encode_wishes({{partition(2), 5, 900}, {partition(0), 0, 1}}));
  ASSERT_TRUE(wishes) << wishes.error().to_string();
  ASSERT_EQ(wishes->size(), 2u);
  EXPECT_EQ((*wishes)[0].id, partition(2));
  EXPECT_EQ((*wishes)[0].from, 5);
  EXPECT_EQ((*wishes)[0].end, 900);

  const Handover handover = of_two();
  const auto back = decode_handover(encode_handover(handover));
  ASSERT_TRUE(back) << back.error().to_string();
  ASSERT_EQ(back->slots.size(), 2u);
  EXPECT_EQ(back->slots[1].address.slot, SlotNumber(300));
  EXPECT_EQ(back->slots[1].object_size, 8u << 20);
  ASSERT_EQ(back->partitions.size(), 2u);
  const auto& entries = back->partitions[0].entries;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].position, kSlotPositionMax);
  EXPECT_EQ(entries[1].base_offset, 110);
  EXPECT_EQ(entries[1].max_timestamp_ms, -1);
  EXPECT_EQ(entries[1].slot, 0u);
  EXPECT_EQ(back->partitions[0].producers, handover.partitions[0].producers);
  EXPECT_EQ(encode_handover(*back), encode_handover(handover));
}

TEST(HandoverCodec, whatever_is_cut_short_or_changed_is_refused) {
  const std::string handover = encode_handover(of_two()), wishes = encode_wishes({{partition(2), 5, 900}});
  for (std::size_t size = 0; size < handover.size(); ++size) {
    EXPECT_FALSE(decode_handover(handover.substr(0, size))) << size;
    std::string changed = handover;
    changed[size] ^= 1;
    EXPECT_FALSE(decode_handover(changed)) << size;
  }
  for (std::size_t size = 5; size < handover.size(); ++size) {
    EXPECT_FALSE(decode_handover(with_right_checksum(handover.substr(0, size)))) << size;
  }
  for (std::size_t size = 0; size < wishes.size(); ++size) EXPECT_FALSE(decode_wishes(wishes.substr(0, size))) << size;
  EXPECT_FALSE(decode_wishes(with_right_checksum(wishes + "x")));
}

TEST(HandoverCodec, an_entry_outside_of_slots_or_offsets_is_refused) {
  Handover handover = of_two();
  handover.partitions[0].entries[1].slot = 2;
  EXPECT_FALSE(decode_handover(encode_handover(handover))) << "there are two slots";
  handover = of_two();
  handover.partitions[0].entries[0].base_offset = std::numeric_limits<std::int64_t>::max() - 5;
  EXPECT_FALSE(decode_handover(encode_handover(handover))) << "beyond the greatest offset";
  handover = of_two();
  handover.partitions[0].entries[0].base_offset = -1;
  EXPECT_FALSE(decode_handover(encode_handover(handover)));
}

}  // namespace
}  // namespace millrace::storage
