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

std::string two_wishes() {
  return encode_question(std::vector<HandoverWish>{{partition(2), 5, 900}, {partition(0), 0, 1}});
}

const FootersWish kFootersWish{{3, Incarnation(70)}, SlotNumber(12), SlotNumber(20), {partition(4)}};

std::vector<RecoveredSlot> two_slots() {
  SlotGroup group{.partition = partition(4), .leader_epoch = 2, .position = 128, .batches = {}};
  group.batches.push_back({100, 9, 400, 1'700'000'000'000, 7, 0, 30, 0xdeadbeef, 1});
  group.batches.push_back({110, 0, 61, -1, -1, -1, -1, 1, 0});
  std::vector<RecoveredSlot> slots;
  slots.push_back({{3, Incarnation(70), SlotNumber(12)}, 700, {group}});
  slots.push_back({{3, Incarnation(70), SlotNumber(19)}, 800, {}});
  return slots;
}

// As one who makes bytes on purpose would.
std::string with_right_checksum(std::string bytes) {
  bytes.resize(bytes.size() - 4);
  ByteWriter out(bytes);
  out.be(crc32c(bytes));
  return bytes;
}

TEST(HandoverCodec, both_sides_make_the_round_trip) {
  const auto question = decode_question(two_wishes());
  ASSERT_TRUE(question) << question.error().to_string();
  const auto& wishes = std::get<std::vector<HandoverWish>>(*question);
  ASSERT_EQ(wishes.size(), 2u);
  EXPECT_EQ(wishes[0].id, partition(2));
  EXPECT_EQ(wishes[0].from, 5);
  EXPECT_EQ(wishes[0].end, 900);

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
  const std::string handover = encode_handover(of_two()), wishes = two_wishes();
  for (std::size_t size = 0; size < handover.size(); ++size) {
    EXPECT_FALSE(decode_handover(handover.substr(0, size))) << size;
    std::string changed = handover;
    changed[size] ^= 1;
    EXPECT_FALSE(decode_handover(changed)) << size;
  }
  for (std::size_t size = 5; size < handover.size(); ++size) {
    EXPECT_FALSE(decode_handover(with_right_checksum(handover.substr(0, size)))) << size;
  }
  for (std::size_t size = 0; size < wishes.size(); ++size)
    EXPECT_FALSE(decode_question(wishes.substr(0, size))) << size;
  EXPECT_FALSE(decode_question(with_right_checksum(wishes + "x")));
  const std::string footers = encode_footers(two_slots()), wish = encode_question(kFootersWish);
  for (std::size_t size = 5; size < footers.size(); ++size) {
    EXPECT_FALSE(decode_footers(footers.substr(0, size), kFootersWish)) << size;
    EXPECT_FALSE(decode_footers(with_right_checksum(footers.substr(0, size)), kFootersWish)) << size;
  }
  for (std::size_t size = 5; size < wish.size(); ++size) {
    EXPECT_FALSE(decode_question(with_right_checksum(wish.substr(0, size)))) << size;
  }
}

TEST(HandoverCodec, footers_are_those_of_the_slots_that_were_asked_for) {
  const auto asked = decode_question(encode_question(kFootersWish));
  ASSERT_TRUE(asked) << asked.error().to_string();
  const auto& wish = std::get<FootersWish>(*asked);
  EXPECT_EQ(wish.wal, kFootersWish.wal);
  EXPECT_EQ(wish.to, SlotNumber(20));
  EXPECT_EQ(wish.partitions, kFootersWish.partitions);

  const auto slots = decode_footers(encode_footers(two_slots()), wish);
  ASSERT_TRUE(slots) << slots.error().to_string();
  ASSERT_EQ(slots->size(), 2u);
  EXPECT_EQ((*slots)[0].address, two_slots()[0].address);
  EXPECT_EQ((*slots)[0].object_size, 700u);
  EXPECT_EQ((*slots)[0].groups[0].batches, two_slots()[0].groups[0].batches);

  std::vector<RecoveredSlot> turned = two_slots();
  std::swap(turned[0], turned[1]);
  EXPECT_FALSE(decode_footers(encode_footers(turned), wish)) << "out of order";
  FootersWish less = wish;
  less.to = SlotNumber(19);
  EXPECT_FALSE(decode_footers(encode_footers(two_slots()), less)) << "beyond what was asked";
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
