// A response of any API and version (two bytes say which, as a client knows), and stored messages.
#include <cstdint>

#include "kafka/codec.h"
#include "kafka/messages/all.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  if (size < 2) return 0;
  const std::int16_t key = data[0], version = data[1];
  const Slice frame = Slice::copy_of({reinterpret_cast<const char*>(data) + 2, size - 2});
  const auto try_body = [&]<class M>(const Slice& body) {
    const auto message = kafka::decode<M>(body, version);
    if (!message) return;
    const auto bytes = kafka::encode(*message, version);
    if (!bytes) __builtin_trap();
    const auto again = kafka::decode<M>(bytes->flatten(), version);
    if (!again || !(*again == *message)) __builtin_trap();
  };
  kafka::AllResponses::for_each([&]<class M>() {
    if (M::kInfo.api_key != key) return;
    const auto response = kafka::decode_response_header(frame, *kafka::find_api(key), version);
    if (response) try_body.template operator()<M>(response->body);
  });
  kafka::AllStoredMessages::for_each([&]<class M>() { try_body.template operator()<M>(frame); });
  (void)kafka::decode_group_record_key(frame);
  return 0;
}
