// Strong<Tag, Rep>: an integer that cannot be mixed up with another one. Ids, offsets and epochs are
// Strong; `.value()` leaves the type on purpose.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

template <class Tag, class Rep = std::int64_t>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;
  constexpr Strong next() const { return Strong(value_ + 1); }

 private:
  Rep value_{};
};

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::Strong<Tag, Rep>> {
  std::size_t operator()(millrace::Strong<Tag, Rep> id) const { return std::hash<Rep>{}(id.value()); }
};
