#include "base/uuid.h"

#include "base/random.h"

namespace millrace {
namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string Uuid::to_string() const {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text += kAlphabet[(bits >> held) & 63];
    }
  }
  text += kAlphabet[(bits << (6 - held)) & 63];
  return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return fail(Code::kInvalid, "an id has 22 base64url characters");
  Uuid id;
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t at = 0;
  for (char c : text) {
    auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return fail(Code::kInvalid, "an id holds only base64url characters");
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8 && at < id.bytes.size()) {
      held -= 8;
      id.bytes[at++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  return id;
}

Uuid Uuid::random(Random& random) {
  Uuid id;
  do {
    random.fill(reinterpret_cast<char*>(id.bytes.data()), id.bytes.size());
    id.bytes[6] = (id.bytes[6] & 0x0f) | 0x40;
    id.bytes[8] = (id.bytes[8] & 0x3f) | 0x80;
  } while (id.to_string().front() == '-');
  return id;
}

}  // namespace millrace
