#include "cdc/json_out.h"

#include <array>

namespace millrace::cdc {
namespace {

// 0: as it is; otherwise the letter after the backslash ('u' for the rest of the control characters).
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (int c = 0; c < 0x20; ++c) table[static_cast<std::size_t>(c)] = 'u';
  table['\b'] = 'b', table['\f'] = 'f', table['\n'] = 'n', table['\r'] = 'r', table['\t'] = 't';
  table['"'] = '"', table['\\'] = '\\';
  return table;
}();

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char escape = kEscapes[static_cast<unsigned char>(text[i])];
    if (escape == 0) continue;
    out.append(text, from, i - from);
    from = i + 1;
    out.push_back('\\');
    out.push_back(escape);
    if (escape == 'u') {
      const auto c = static_cast<unsigned char>(text[i]);
      constexpr char kHex[] = "0123456789ABCDEF";
      out.append("00").push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    }
  }
  out.append(text, from);
  out.push_back('"');
}

void append_base64(std::string& out, std::string_view bytes) {
  std::size_t i = 0;
  const auto at = [&](std::size_t n) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[n])); };
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned v = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], kBase64[v >> 6 & 63], kBase64[v & 63]};
    out.append(four, 4);
  }
  if (bytes.size() - i == 1) {
    const unsigned v = at(i) << 16;
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], '=', '='};
    out.append(four, 4);
  } else if (bytes.size() - i == 2) {
    const unsigned v = at(i) << 16 | at(i + 1) << 8;
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], kBase64[v >> 6 & 63], '='};
    out.append(four, 4);
  }
}

}  // namespace millrace::cdc
