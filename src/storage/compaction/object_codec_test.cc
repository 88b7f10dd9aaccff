#include "storage/compaction/object_codec.h"

#include <gtest/gtest.h>

#include "kafka/batch_builder.h"

namespace millrace::storage {
namespace {

struct Made {
  std::string bytes;
  ObjectBuilder::Built built;
};

Made make() {
  ObjectBuilder builder(cluster::LogSeq(9), 1, cluster::Incarnation(4));
  cluster::PartitionId first, second;
  first.topic_id.bytes[0] = 1;
  second.topic_id.bytes[0] = 2;
  std::int64_t offset = 5;
  for (int i = 0; i < 3; ++i) {
    kafka::BatchBuilder batch({.base_offset = offset});
    batch.add(1000 + i, "k", std::string(40'000, 'v'));
    SliceChain chain;
    chain.append(batch.finish());
    builder.add_batch(first, offset, offset + 1, 1000 + i, std::move(chain));
    ++offset;
  }
  SliceChain one;
  one.append(kafka::BatchBuilder({.base_offset = 0}).finish());
  builder.add_batch(second, 0, 1, 7, std::move(one));
  builder.add_state(first, 0, 8, "state");
  Made made{{}, builder.finish()};
  made.bytes = std::string(made.built.body.flatten().view());
  return made;
}

Result<ObjectIndex> index_of(std::string_view bytes) {
  TRY(const ObjectTrailer trailer, decode_object_trailer(bytes, bytes.size()));
  return decode_object_footer(bytes.substr(trailer.footer_at, trailer.footer_size), trailer);
}

TEST(ObjectCodec, extents_points_and_states_come_back) {
  const Made made = make();
  EXPECT_EQ(made.bytes.substr(0, 6), std::string("MROB\0\1", 6));
  auto index = index_of(made.bytes);
  ASSERT_TRUE(index) << index.error().to_string();
  ASSERT_EQ(index->extents.size(), 2u);
  const auto* found = index->find(made.built.extents[0].partition, 5);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->extent.end_offset, 8);
  EXPECT_EQ(found->points.size(), 3u) << "each batch is larger than the distance of two points";
  EXPECT_EQ(found->points[1].base_offset, 6);
  EXPECT_EQ(index->find(made.built.extents[0].partition, 6), nullptr);
  const auto& state = made.built.states.at(0);
  auto opened = open_state(std::string_view(made.bytes).substr(state.position, state.size_bytes));
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, "state");
}

TEST(ObjectCodec, a_begun_extent_serves_from_its_base_and_a_partition_may_have_several) {
  ObjectBuilder builder(cluster::LogSeq(9), 1, cluster::Incarnation(4));
  const cluster::PartitionId p{};
  for (const auto& [base, first] : {std::pair(3, 7), std::pair(8, 8)}) {
    SliceChain one;
    one.append(kafka::BatchBuilder({.base_offset = first}).finish());
    builder.begin_extent(p, base);
    builder.add_batch(p, first, first + 1, 50, std::move(one));
  }
  const auto built = builder.finish();
  const auto index = index_of(built.body.flatten());
  ASSERT_TRUE(index);
  ASSERT_EQ(index->extents.size(), 2u);
  EXPECT_EQ(index->find(p, 3)->extent.end_offset, 8);
  EXPECT_EQ(index->find(p, 3)->points.front().base_offset, 7);
  EXPECT_EQ(index->find(p, 8)->extent.end_offset, 9);
  EXPECT_EQ(built.extents[0].base_offset, 3);
}

TEST(ObjectCodec, a_footer_cut_short_or_changed_is_refused) {
  const std::string bytes = make().bytes;
  const std::size_t tail = 300;
  for (std::size_t cut = 1; cut < tail; ++cut) {
    EXPECT_FALSE(index_of(std::string_view(bytes).substr(0, bytes.size() - cut))) << cut;
  }
  const auto trailer = decode_object_trailer(bytes, bytes.size());
  ASSERT_TRUE(trailer);
  for (std::size_t back = 1; back <= kObjectTrailerBytes + trailer->footer_size; ++back) {
    std::string broken = bytes;
    broken[bytes.size() - back] ^= 1;
    EXPECT_FALSE(index_of(broken)) << back;
  }
}

}  // namespace
}  // namespace millrace::storage
