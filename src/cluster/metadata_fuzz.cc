// Any bytes, as each object that the metadata log reads: refused or decoded, and what decodes encodes again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "cluster/bucket_layout.h"
#include "cluster/record_codec.h"
#include "cluster/state.h"

using namespace millrace;           // NOLINT: a fuzz target is a page
using namespace millrace::cluster;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.size() > 9) {  // Most inputs should get past the checksum.
    store_be(bytes.data() + bytes.size() - 4, crc32c(std::string_view(bytes).substr(0, bytes.size() - 4)));
  }
  if (const auto entry = decode_entry(bytes)) {
    const auto again = decode_entry(encode_entry(*entry));
    CHECK(again && again->records.size() == entry->records.size());
    MetadataState state;
    const std::string before = state.serialize();
    if (!state.apply(LogSeq(1), entry->records)) CHECK(state.serialize() == before);
  }
  if (const auto state = MetadataState::deserialize(bytes)) {
    CHECK(MetadataState::deserialize(state->serialize()));
  }
  (void)decode_root(bytes);
  (void)decode_snapshot(bytes);
  (void)decode_format(bytes);
  return 0;
}
