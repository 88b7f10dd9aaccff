// Any bytes as a connector file: a config or one error.
#include <cstddef>
#include <cstdint>

#include "cdc/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config =
      millrace::cdc::parse_connector_config(std::string_view(reinterpret_cast<const char*>(data), size));
  return config ? 0 : 0;
}
