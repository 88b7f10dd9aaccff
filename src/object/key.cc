#include "object/key.h"

#include <fmt/format.h>

namespace millrace::object {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> check_key(std::string_view key) {
  const auto refuse = [key](std::string_view why) {
    return fail(Code::kInvalid, fmt::format("object key '{}' {}", key.substr(0, 200), why));
  };
  if (key.empty()) return refuse("is empty");
  if (key.size() > 1000) return refuse("is longer than 1000 bytes");
  std::size_t begin = 0;
  while (begin <= key.size()) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view part = key.substr(begin, end - begin);
    if (part.empty()) return refuse("has an empty component");
    if (part.front() == '.') return refuse("has a component that begins with '.'");
    if (part.size() > 255) return refuse("has a component of more than 255 bytes");
    for (const char c : part) {
      if (!is_plain(c)) return refuse("has a character other than letters, digits, '.', '_', '-' and '/'");
    }
    begin = end + 1;
  }
  return {};
}

}  // namespace millrace::object
