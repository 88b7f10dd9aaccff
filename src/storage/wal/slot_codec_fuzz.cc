// Any bytes: decoded, or refused; what is decoded lies inside the bytes.
#include "base/check.h"
#include "storage/wal/slot_codec.h"

using namespace millrace::storage;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)parse_slot_key(bytes);
  const auto header = decode_slot_header(bytes);
  if (!header) return 0;
  const auto slot = decode_slot(bytes, header->address);
  if (!slot) return 0;
  for (const auto& group : slot->groups) {
    std::uint64_t end = group.position;
    for (const auto& batch : group.batches) end += batch.size;
    CHECK(end <= size);
  }
  return 0;
}
