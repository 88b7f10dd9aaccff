// Any bytes as a peer message: refused or decoded, and what decodes encodes again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cluster/peer_codec.h"

using namespace millrace::cluster;  // NOLINT: a fuzz target is a page

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = decode_peer_request(bytes)) CHECK(decode_peer_request(encode_peer_request(*request)));
  if (const auto answer = decode_peer_answer(bytes)) CHECK(decode_peer_answer(encode_peer_answer(*answer)));
  return 0;
}
