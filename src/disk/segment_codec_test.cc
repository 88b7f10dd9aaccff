#include "disk/segment_codec.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/crc32c.h"

namespace millrace::disk {
namespace {

constexpr std::uint64_t kNonce = 0x1122334455667788;
constexpr std::uint64_t kPosition = 3 * kBlockBytes;

SlotAddress slot_of(std::uint64_t slot) { return {3, cluster::Incarnation(41), cluster::SlotNumber(slot)}; }

SliceChain pieces(std::initializer_list<std::string> texts) {
  SliceChain out;
  for (const auto& text : texts) out.append_copy(text);
  return out;
}

EncodedFrame two_records() {
  const FrameInput inputs[] = {{slot_of(7), pieces({"first", " slot"})},
                               {slot_of(8), pieces({std::string(5000, 'x')})}};
  return encode_frame(kNonce, kPosition, inputs);
}

SegmentHeader some_header() {
  SegmentHeader header;
  for (std::size_t i = 0; i < header.volume.bytes.size(); ++i) header.volume.bytes[i] = static_cast<std::uint8_t>(i);
  header.nonce = kNonce;
  header.sequence = 12;
  header.broker_id = 3;
  header.incarnation = cluster::Incarnation(41);
  header.size = 64 << 20;
  header.bucket.bytes[15] = 0xee;
  return header;
}

TEST(SegmentCodec, header_has_its_golden_bytes_and_comes_back) {
  const Slice bytes = encode_segment_header(some_header());
  ASSERT_EQ(bytes.size(), kBlockBytes);
  const std::string golden(
      "MRWG\0\1\0\0\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\0\xc"
      "\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\x29\0\0\0\0\4\0\0\0"
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xee",
      80);
  EXPECT_EQ(bytes.view().substr(0, 80), golden);
  EXPECT_EQ(load_be<std::uint32_t>(bytes.data() + 124), crc32c(golden + std::string(44, '\0')));
  auto header = decode_segment_header(bytes);
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(*header, some_header());
}

TEST(SegmentCodec, a_header_cut_short_or_changed_anywhere_is_refused) {
  const std::string bytes(encode_segment_header(some_header()).view());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_segment_header(std::string_view(bytes).substr(0, size))) << size;
  }
  for (std::size_t i = 0; i < 128; ++i) {
    std::string bad = bytes;
    bad[i] ^= 0x10;
    EXPECT_FALSE(decode_segment_header(bad)) << i;
  }
}

TEST(SegmentCodec, a_newer_header_is_told_from_a_broken_one) {
  std::string bytes(encode_segment_header(some_header()).view());
  bytes[5] = 2;
  store_be(bytes.data() + 124, crc32c(bytes.substr(0, 124)));
  EXPECT_EQ(decode_segment_header(bytes).error().code(), Code::kUnsupported);
}

TEST(SegmentCodec, frame_has_its_golden_head_and_comes_back) {
  const EncodedFrame frame = two_records();
  const Slice bytes = frame.bytes.flatten();
  ASSERT_EQ(bytes.size(), 2 * kBlockBytes);
  EXPECT_EQ(frame_bytes(2, 5010), bytes.size());
  const std::string golden("MRWF\0\1\0\2\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\x30\0\0\0\x20\0", 28);
  EXPECT_EQ(bytes.view().substr(0, 28), golden);
  const std::string first("\0\0\0\3\0\0\0\0\0\0\0\x29\0\0\0\0\0\0\0\7\0\0\0\x60\0\0\0\xa", 28);
  EXPECT_EQ(bytes.view().substr(32, 28), first);
  EXPECT_EQ(load_be<std::uint32_t>(bytes.data() + 60), crc32c("first slot"));
  EXPECT_EQ(bytes.view().substr(96, 10), "first slot");

  EXPECT_EQ(frame_size(bytes.view().substr(0, kBlockBytes), kNonce, kPosition, 1 << 20), bytes.size());
  auto records = decode_frame(bytes, kNonce, kPosition);
  ASSERT_TRUE(records) << records.error().to_string();
  EXPECT_EQ(*records, frame.records);
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].address, slot_of(7));
  EXPECT_EQ((*records)[0].position, kPosition + 96);
  EXPECT_EQ((*records)[1].position, kPosition + 106);
}

TEST(SegmentCodec, a_frame_cut_short_anywhere_is_refused) {
  const std::string bytes(two_records().bytes.flatten().view());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_frame(std::string_view(bytes).substr(0, size), kNonce, kPosition)) << size;
  }
}

TEST(SegmentCodec, a_frame_changed_anywhere_but_in_its_padding_is_refused) {
  const std::string bytes(two_records().bytes.flatten().view());
  for (std::size_t i = 0; i < 96 + 5010; ++i) {
    std::string bad = bytes;
    bad[i] ^= 1;
    EXPECT_FALSE(decode_frame(bad, kNonce, kPosition)) << i;
  }
}

TEST(SegmentCodec, a_frame_of_another_use_or_place_or_too_large_for_its_room_is_none) {
  const Slice bytes = two_records().bytes.flatten();
  EXPECT_FALSE(frame_size(bytes, kNonce + 1, kPosition, 1 << 20));
  EXPECT_FALSE(frame_size(bytes, kNonce, kPosition + kBlockBytes, 1 << 20));
  EXPECT_FALSE(frame_size(bytes, kNonce, kPosition, kBlockBytes));
  EXPECT_FALSE(decode_frame(bytes, kNonce + 1, kPosition));
  EXPECT_FALSE(frame_size(std::string(kBlockBytes, '\0'), 0, 0, 1 << 20));
}

TEST(SegmentCodec, an_empty_body_is_a_record_too) {
  const FrameInput inputs[] = {{slot_of(1), {}}};
  const EncodedFrame frame = encode_frame(kNonce, kPosition, inputs);
  EXPECT_EQ(frame.bytes.size(), kBlockBytes);
  auto records = decode_frame(frame.bytes.flatten(), kNonce, kPosition);
  ASSERT_TRUE(records);
  EXPECT_EQ(*records, frame.records);
}

}  // namespace
}  // namespace millrace::disk
