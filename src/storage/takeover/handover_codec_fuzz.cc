// Any bytes as a handover or as the wish for one: refused or decoded, and what decodes encodes again. The checksum is
// put right, or nothing would get past it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "storage/takeover/handover_codec.h"

using namespace millrace;           // NOLINT: a fuzz target is a page
using namespace millrace::storage;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  ByteWriter out(bytes);
  out.be(crc32c(bytes));
  if (const auto question = decode_question(bytes)) CHECK(decode_question(encode_question(*question)));
  const FootersWish wish{{1, Incarnation(2)}, SlotNumber(1), SlotNumber(1000), {}};
  if (const auto footers = decode_footers(bytes, wish)) CHECK(decode_footers(encode_footers(*footers), wish));
  if (const auto handover = decode_handover(bytes)) CHECK(decode_handover(encode_handover(*handover)));
  return 0;
}
