#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

std::uint32_t bit_by_bit(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

TEST(Crc32c, matches_the_check_value_of_the_standard) { EXPECT_EQ(crc32c("123456789"), 0xe3069283u); }

TEST(Crc32c, agrees_with_the_definition_at_every_length_around_the_blocks) {
  std::string bytes;
  for (int i = 0; i < 10000; ++i) bytes.push_back(static_cast<char>((i * 131) ^ (i >> 3)));
  for (std::size_t n : {0ul, 1ul, 7ul, 8ul, 9ul, 1023ul, 3071ul, 3072ul, 3073ul, 6144ul, 9999ul, 10000ul}) {
    EXPECT_EQ(crc32c(std::string_view(bytes).substr(0, n)), bit_by_bit(std::string_view(bytes).substr(0, n))) << n;
  }
}

TEST(Crc32c, continues_from_a_seed) {
  std::string bytes(5000, 'x');
  EXPECT_EQ(crc32c(std::string_view(bytes).substr(1234), crc32c(std::string_view(bytes).substr(0, 1234))),
            crc32c(bytes));
}

}  // namespace
}  // namespace millrace
