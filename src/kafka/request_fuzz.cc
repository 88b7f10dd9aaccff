// A request frame, header and body, of any API and version; what decodes must encode to what decodes again.
#include <cstdint>

#include "kafka/codec.h"
#include "kafka/messages/all.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const Slice frame = Slice::copy_of({reinterpret_cast<const char*>(data), size});
  const auto request = kafka::decode_request_header(frame);
  if (!request) return 0;
  const std::int16_t version = request->header.api_version;
  kafka::AllRequests::for_each([&]<class M>() {
    if (M::kInfo.api_key != request->header.api_key) return;
    const auto message = kafka::decode<M>(request->body, version);
    if (!message) return;
    const auto bytes = kafka::encode(*message, version);
    if (!bytes) __builtin_trap();
    const Slice flat = bytes->flatten();
    const auto again = kafka::decode<M>(flat, version);
    if (!again || !(*again == *message)) __builtin_trap();
    (void)kafka::to_json(*message, version);
  });
  return 0;
}
