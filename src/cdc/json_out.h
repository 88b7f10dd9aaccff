// Writing JSON by appending to a string: the fastest way there is, and number text stays as it came.
// Pure. Bytes that are no UTF-8 are passed on as they are; Postgres sends UTF-8 because we ask for it.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::cdc {

// With the quotes.
void append_json_string(std::string& out, std::string_view text);
inline std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
// Without quotes; standard alphabet, padded, as Jackson writes byte arrays.
void append_base64(std::string& out, std::string_view bytes);
inline void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, static_cast<std::size_t>(end.ptr - digits));
}

}  // namespace millrace::cdc
