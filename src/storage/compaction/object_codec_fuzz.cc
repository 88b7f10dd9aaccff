// Any bytes as the end of a data object and as producer state: decoded, or refused.
#include "storage/compaction/object_codec.h"
#include "storage/log/producer_table.h"

using namespace millrace::storage;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)ProducerTable::decode(bytes);
  if (const auto state = open_state(bytes)) (void)ProducerTable::decode(*state);
  // As if the header came before.
  const auto trailer = decode_object_trailer(bytes, kObjectHeaderBytes + size);
  if (trailer)
    (void)decode_object_footer(bytes.substr(trailer->footer_at - kObjectHeaderBytes, trailer->footer_size), *trailer);
  return 0;
}
