#include "base/crc32c.h"

#include <nmmintrin.h>
#include <wmmintrin.h>

#include <array>
#include <cstring>

namespace millrace {
namespace {

// The CRC instruction has a latency of three cycles and a throughput of one, so three blocks are summed
// side by side and joined by multiplying with x^(8*n) modulo the polynomial, n = bytes behind the block.
constexpr std::size_t kBlock = 1024;
constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

// x^(bits) mod P in the reflected representation.
constexpr std::uint32_t x_to(std::uint64_t bits) {
  std::uint32_t value = 0x80000000;  // x^0
  for (std::uint64_t i = 0; i < bits; ++i) value = (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
  return value;
}

// Carry-less product then reduction through the CRC instruction itself: the 64-bit product of two
// 32-bit reflected values is x^33 short of a multiple of what crc32_u64 divides by.
constexpr std::uint64_t kShift1 = x_to(8 * kBlock - 33);
constexpr std::uint64_t kShift2 = x_to(16 * kBlock - 33);

std::uint32_t shifted(std::uint32_t crc, std::uint64_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(crc)),
                                               _mm_cvtsi64_si128(static_cast<long long>(factor)), 0);
  return static_cast<std::uint32_t>(_mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
}

std::uint64_t load64(const char* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t crc = ~seed;
  while (left >= 3 * kBlock) {
    std::uint64_t a = crc, b = 0, c = 0;
    for (std::size_t i = 0; i < kBlock; i += 8) {
      a = _mm_crc32_u64(a, load64(p + i));
      b = _mm_crc32_u64(b, load64(p + kBlock + i));
      c = _mm_crc32_u64(c, load64(p + 2 * kBlock + i));
    }
    crc = shifted(static_cast<std::uint32_t>(a), kShift2) ^ shifted(static_cast<std::uint32_t>(b), kShift1) ^
          static_cast<std::uint32_t>(c);
    p += 3 * kBlock;
    left -= 3 * kBlock;
  }
  for (; left >= 8; p += 8, left -= 8) crc = _mm_crc32_u64(crc, load64(p));
  for (; left > 0; ++p, --left) crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(*p));
  return ~static_cast<std::uint32_t>(crc);
}

}  // namespace millrace
