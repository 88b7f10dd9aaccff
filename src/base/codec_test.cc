#include "base/codec.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/uuid.h"

namespace millrace {
namespace {

TEST(Codec, varints_round_trip_and_fail_at_every_truncation) {
  for (std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{-64}, std::int64_t{300},
                             INT64_MAX, INT64_MIN}) {
    std::string bytes;
    ByteWriter(bytes).zigzag(value);
    ByteReader whole(bytes);
    EXPECT_EQ(whole.zigzag64(), value);
    EXPECT_TRUE(whole.ok() && whole.at_end());
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      ByteReader cut(std::string_view(bytes).substr(0, n));
      cut.zigzag64();
      EXPECT_FALSE(cut.ok());
    }
  }
}

TEST(Codec, a_claimed_length_beyond_the_end_reads_nothing) {
  ByteReader reader("abc");
  EXPECT_TRUE(reader.bytes(4).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Uuid, text_round_trips) {
  auto random = make_seeded_random(1);
  for (int i = 0; i < 50; ++i) {
    const Uuid id = Uuid::random(*random);
    EXPECT_EQ(Uuid::parse(id.to_string()).value(), id);
  }
  EXPECT_FALSE(Uuid::parse("short").has_value());
}

}  // namespace
}  // namespace millrace
