// Any bytes as a store's answer. The first byte picks the reader.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "object/s3_credentials.h"
#include "object/s3_xml.h"

using namespace millrace::object;  // NOLINT: a fuzz target is nothing else

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0: (void)parse_list_page(bytes); break;
    case 1: (void)parse_delete_result(bytes); break;
    case 2: (void)parse_s3_error(bytes); break;
    case 3: (void)parse_completed(bytes); break;
    case 4: (void)parse_assumed_role(bytes); break;
    case 5: (void)parse_credentials_json(bytes); break;
    case 6: (void)parse_profile(bytes, "default"); break;
  }
  return 0;
}
