// The framer on arbitrary bytes in arbitrary pieces: the first byte chooses the piece size.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "broker/framer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace millrace;
  if (size == 0) return 0;
  static broker::BufferPool pool(4 << 20);
  broker::Framer framer(pool, 1 << 16);
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!rest.empty()) {
    const auto space = framer.space();
    const std::size_t n = std::min({piece, rest.size(), space.size()});
    CHECK(n > 0);
    std::memcpy(space.data(), rest.data(), n);
    framer.received(n);
    rest.remove_prefix(n);
    while (true) {
      const auto frame = framer.next();
      if (!frame) return 0;
      if (!*frame) break;
      CHECK((*frame)->size() <= 1 << 16);
    }
  }
  return 0;
}
