// CRC-32C (Castagnoli), as Kafka record batches, WAL slots and metadata entries carry it.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

// The checksum of `bytes`, or of what `seed` covered followed by `bytes`. About 20 GB/s (SSE4.2, three
// interleaved streams).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace millrace
