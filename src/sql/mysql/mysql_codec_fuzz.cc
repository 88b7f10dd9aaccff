// Any bytes as a client's: packets, the login, and what follows it. The first byte picks the entrance.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/mysql/codec.h"
#include "sql/mysql/conversation.h"

using namespace millrace::sql::mysql;  // NOLINT: a fuzz target is nothing else

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 4 == 0) {
    (void)decode_handshake_response(bytes);
    (void)decode_change_user(bytes, capability::kServer);
    return 0;
  }
  if (data[0] % 4 == 1) {
    std::vector<ParameterType> types;
    (void)decode_execute(bytes, data[0] / 4, types, {});
    return 0;
  }
  Conversation conversation(1, "abcdefghijklmnopqrst", "127.0.0.1");
  conversation.feed(bytes);
  for (int i = 0; i < 1000; ++i) {
    auto request = conversation.next_request();
    if (!request || !*request) return 0;
    if (std::holds_alternative<LoginRequest>(**request)) conversation.accept_login();
  }
  return 0;
}
