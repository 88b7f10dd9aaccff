// How a message struct describes itself (messages/*.h), once for all its versions.
//
// `visit(archive, message)` names each field in wire order with the versions that carry it:
//     a("rack_id", m.rack_id, since(11).ignorable());
// The archive (decoder.h, encoder.h, walker.h) decides what happens: decode, encode, print, make up at
// random, list. The version is a runtime number inside the archive. Rules, as in Kafka's own definitions:
//   std::optional      the field may be null (from `nullable_since` on); null is its default here.
//   since/until/...    the versions that have the field. Elsewhere decoding leaves the default, and
//                      encoding drops an `ignorable` field but refuses another one that is not default.
//   tag(n)             a tagged field (KIP-482): not written while it has its default value.
// Strings and bytes are views into the frame in requests, owned in responses and stored records; records are Slices.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace millrace::kafka {

inline constexpr std::int16_t kNeverFlexible = std::numeric_limits<std::int16_t>::max();

struct MessageInfo {
  std::string_view name;
  std::int16_t api_key;  // -1: not a request or response
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t flexible_since;  // compact lengths and tagged fields from this version on (KIP-482)

  constexpr bool supports(std::int16_t version) const { return version >= min_version && version <= max_version; }
  constexpr bool flexible(std::int16_t version) const { return version >= flexible_since; }
};

// The versions, nullability and tag of one field.
struct Field {
  std::int16_t first = 0;
  std::int16_t last = std::numeric_limits<std::int16_t>::max();
  std::int16_t first_nullable = 0;
  std::int16_t tag_number = -1;
  bool drop_silently = false;
  bool wide_length = false;

  constexpr bool in(std::int16_t version) const { return version >= first && version <= last; }
  constexpr bool tagged() const { return tag_number >= 0; }

  constexpr Field tag(std::int16_t number) const {
    Field copy = *this;
    copy.tag_number = number;
    return copy;
  }
  constexpr Field nullable_since(std::int16_t version) const {
    Field copy = *this;
    copy.first_nullable = version;
    return copy;
  }
  constexpr Field bytes() const {
    Field copy = *this;
    copy.wide_length = true;
    return copy;
  }
  constexpr Field ignorable() const {
    Field copy = *this;
    copy.drop_silently = true;
    return copy;
  }
};

// "bytes" fields: as strings, but with a 4-byte length before KIP-482.
constexpr Field bytes() { return {.wide_length = true}; }
constexpr Field always() { return {}; }
constexpr Field since(std::int16_t version) { return {.first = version}; }
constexpr Field until(std::int16_t version) { return {.last = version}; }
constexpr Field between(std::int16_t first, std::int16_t last) { return {.first = first, .last = last}; }

}  // namespace millrace::kafka
