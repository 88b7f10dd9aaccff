// Any bytes as a configuration file: settings that are all known, or one error.
#include <cstddef>
#include <cstdint>
#include <string>

#include "app/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::app::Config config;
  const std::string text(reinterpret_cast<const char*>(data), size);
  return config.load_text(text, "fuzz") && config.broker_config() ? 0 : 0;
}
