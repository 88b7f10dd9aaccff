// Any bytes as a position record, a snapshot, a landed event: an answer or kCorrupt; what was read is written alike.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "cdc/position.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::cdc;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto position = decode_position(bytes)) {
    const auto text = encode_position(*position);
    const auto again = decode_position(text);
    CHECK(again.has_value() && encode_position(*again) == text);
  }
  if (auto event = decode_landed_event(bytes); !event) return 0;
  return 0;
}
