// Any bytes as a segment header and as a frame: decoded, or refused; what is decoded lies inside the bytes.
#include "base/check.h"
#include "base/codec.h"
#include "disk/segment_codec.h"

using namespace millrace;        // NOLINT
using namespace millrace::disk;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)decode_segment_header(bytes);
  if (size < kFrameHeadBytes) return 0;
  const auto nonce = load_be<std::uint64_t>(bytes.data() + 8);
  const auto position = load_be<std::uint64_t>(bytes.data() + 16);
  const auto claimed = frame_size(bytes, nonce, position, 1 << 20);
  if (!claimed) return 0;
  bytes.resize(*claimed, '\0');  // padding need not be in the corpus
  const auto records = decode_frame(bytes, nonce, position);
  if (!records) return 0;
  for (const auto& record : *records) CHECK(record.position + record.size - position <= bytes.size());
  return 0;
}
