// Any bytes as a WAL's place, a segment header and a frame: decoded, or refused; what is decoded lies inside the bytes.
#include "base/check.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "disk/segment_codec.h"
#include "disk/segment_scan.h"
#include "disk/wal_places.h"

using namespace millrace;        // NOLINT
using namespace millrace::disk;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)decode_segment_header(bytes);
  (void)parse_segment_name(bytes);
  if (const auto place = decode_wal_place(bytes)) CHECK(decode_wal_place(encode_wal_place(*place)) == *place);
  if (size < kFrameHeadBytes) return 0;
  const auto nonce = load_be<std::uint64_t>(bytes.data() + 8);
  const auto position = load_be<std::uint64_t>(bytes.data() + 16);
  const auto claimed = frame_size(bytes, nonce, position, 1 << 20);
  if (!claimed) return 0;
  bytes.resize(*claimed, '\0');  // padding need not be in the corpus
  // Half of the inputs get the right checksum over their table, to come as far as what it says.
  if (bytes.back() % 2 == 0) {
    const std::string_view table = std::string_view(bytes).substr(32, load_be<std::uint16_t>(bytes.data() + 6) * 32u);
    store_be(bytes.data() + 28, crc32c(table, crc32c(std::string_view(bytes).substr(0, 28))));
  }
  const auto records = decode_frame(bytes, nonce, position);
  if (!records) return 0;
  for (const auto& record : *records) CHECK(record.position + record.size - position <= bytes.size());
  return 0;
}
