#include <cstring>

#include "client/client.h"

namespace millrace::client {
namespace {

// MurmurHash2 with Kafka's seed; the partition of a key depends on these very numbers.
std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  std::uint32_t hash = 0x9747b28c ^ static_cast<std::uint32_t>(bytes.size());
  while (bytes.size() >= 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data(), 4);
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
    bytes.remove_prefix(4);
  }
  if (!bytes.empty()) {
    for (std::size_t i = bytes.size(); i-- > 0;) {
      hash ^= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

}  // namespace

std::int32_t partition_for_key(std::string_view key, std::int32_t partitions) {
  return static_cast<std::int32_t>(murmur2(key) & 0x7fffffffu) % partitions;
}

}  // namespace millrace::client
