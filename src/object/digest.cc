#include "object/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "base/crc32c.h"

namespace millrace::object {
namespace {

constexpr std::size_t kHashedBytesMax = 64 << 10;

}  // namespace

std::string large_etag(std::size_t size, std::uint32_t crc) { return fmt::format("{:x}-{:08x}", size, crc); }

Digest sha256(std::string_view bytes) {
  Digest digest;
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  CHECK(size == digest.size());
  return digest;
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string content_etag(const SliceChain& body) {
  if (body.size() <= kHashedBytesMax) return content_etag(body.flatten().view());
  std::uint32_t crc = 0;
  for (const auto& piece : body.pieces()) crc = crc32c(piece.view(), crc);
  return large_etag(body.size(), crc);
}

std::string content_etag(std::string_view body) {
  if (body.size() > kHashedBytesMax) return large_etag(body.size(), crc32c(body));
  const Digest digest = sha256(body);
  return to_hex(view_of(digest).substr(0, 16));
}

}  // namespace millrace::object
