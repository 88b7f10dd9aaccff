// SHA-256 (OpenSSL's), for the hash chain of the metadata log and the ETags of small objects. Never fails.
// Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::object {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);
std::string to_hex(std::string_view bytes);
inline std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// The ETag of the memory and file stores: a function of the content alone. Objects up to 64 KiB (all that are ever
// replaced by put_if_match) get a SHA-256, larger ones size and CRC-32C, which costs 5 % of writing them.
// Equal bytes have equal ETags, so a body that is swapped must carry a counter or nonce (as meta/root does).
std::string content_etag(const SliceChain& body);
std::string content_etag(std::string_view body);
// For a writer that took the CRC-32C of a body above 64 KiB in passing.
std::string large_etag(std::size_t size, std::uint32_t crc);

}  // namespace millrace::object
