// Any bytes as a replication frame and as a pgoutput message: an answer or kCorrupt, nothing else.
#include <cstddef>
#include <cstdint>

#include "cdc/pgoutput.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  millrace::cdc::PgMessage message;
  if (auto frame = millrace::cdc::decode_frame(bytes)) {
    if (auto done = millrace::cdc::decode_pgoutput(frame->payload, message); !done) return 0;
  }
  if (auto done = millrace::cdc::decode_pgoutput(bytes, message); !done) return 0;
  return 0;
}
