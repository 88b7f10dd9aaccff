// A 16-byte identifier as Kafka uses it for topics and clusters: raw bytes on the wire, unpadded
// URL-safe base64 in text (KIP-516).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

class Random;

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
  std::string to_string() const;
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  static Result<Uuid> parse(std::string_view base64url);
  // A random version 4 id; never one of Kafka's reserved values, never starting with '-' in text.
  static Uuid random(Random& random);
};

}  // namespace millrace

template <>
struct std::hash<millrace::Uuid> {
  std::size_t operator()(const millrace::Uuid& id) const { return std::hash<std::string_view>{}(id.view()); }
};
