// The archive that reads a message: Kafka's wire types for one version out of a frame, with strict limits.
//
// After the first bad byte nothing more is read, every value stays what it was, and `error()` names the field.
// Lengths and counts are compared with the bytes that are left before anything is allocated.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/result.h"
#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

inline constexpr std::size_t kArrayElementsMax = 1'000'000;
inline constexpr std::size_t kTagsMax = 10'000;
inline constexpr std::size_t kStringBytesMax = 0x7fff;
// Claimed counts are believed up to here; longer arrays grow as their elements really arrive.
inline constexpr std::size_t kArrayReserveMax = 1'000;

// How few bytes a struct takes on the wire in one version: what bounds a claimed count of them.
class LeastSize {
 public:
  LeastSize(std::int16_t version, bool flexible) : version_(version), flexible_(flexible) {}
  template <class F>
  void operator()(const char*, const F&, Field spec = {}) {
    if (spec.in(version_) && !spec.tagged()) size_ += of<F>(spec);
  }
  template <class T>
  std::size_t of(const Field& spec) {
    if constexpr (std::is_integral_v<T>) {
      return sizeof(T);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      return sizeof(Uuid);
    } else if constexpr (requires(LeastSize& a, const T& t) { T::visit(a, t); }) {
      static const T fresh{};
      LeastSize inner(version_, flexible_);
      T::visit(inner, fresh);
      return inner.size_ + (flexible_ ? 1 : 0);
    } else if constexpr (requires(const T& t) { t.has_value(); }) {
      using Inner = typename T::value_type;
      if constexpr (requires(LeastSize& a, const Inner& t) { Inner::visit(a, t); }) return 1;
      return of<Inner>(spec);
    } else {
      // A length: 1 byte as a varint, else 2 for strings and 4 for all else.
      const bool narrow = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
      return flexible_ ? 1 : narrow && !spec.wide_length ? 2 : 4;
    }
  }

 private:
  std::int16_t version_;
  bool flexible_;
  std::size_t size_ = 0;
};

class Decoder {
 public:
  // `frame` must outlive the Decoder.
  Decoder(const Slice& frame, std::int16_t version, bool flexible)
      : frame_(frame), reader_(frame.view()), version_(version), flexible_(flexible) {}

  template <class F>
  void operator()(const char* name, F& field, Field spec = {}) {
    if (spec.tagged() || !spec.in(version_) || !reader_.ok()) return;
    name_ = name;
    value(field, spec);
  }

  template <class T>
  void structure(T& message) {
    T::visit(*this, message);
    if (flexible_) tags(message);
  }

  bool ok() const { return reader_.ok(); }
  std::size_t position() const { return reader_.position(); }
  Error error() const {
    return {Code::kCorrupt, fmt::format("{}: {}", bad_field_, why_.empty() ? "the bytes end within it" : why_)};
  }
  // Called once reading is over: remembers what broke.
  void finish() {
    if (!reader_.ok() && bad_field_.empty()) bad_field_ = name_;
  }

 private:
  // Which tagged field a tag number means is found by visiting the struct once more.
  struct TagReader {
    Decoder& decoder;
    std::uint32_t number;
    template <class F>
    void operator()(const char* name, F& field, Field spec = {}) {
      if (!spec.tagged() || static_cast<std::uint32_t>(spec.tag_number) != number) return;
      if (!spec.in(decoder.version_)) return;
      decoder.name_ = name;
      decoder.value(field, spec);
    }
  };

  void bad(std::string why) {
    if (reader_.ok()) {
      bad_field_ = name_;
      why_ = std::move(why);
    }
    reader_.set_bad();
  }

  template <class T>
  void tags(T& message) {
    const std::uint32_t count = reader_.uvarint32();
    if (count > kTagsMax) return bad(fmt::format("{} tagged fields", count));
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) {
      const std::uint32_t number = reader_.uvarint32();
      const std::uint32_t size = reader_.uvarint32();
      if (!reader_.ok() || size > reader_.remaining()) return bad(fmt::format("tag {} is cut off", number));
      const Slice piece = frame_.sub(reader_.position(), size);
      reader_.bytes(size);
      Decoder inner(piece, version_, flexible_);
      TagReader one{inner, number};
      T::visit(one, message);
      if (!inner.ok()) {
        inner.finish();
        name_ = inner.bad_field_;
        return bad(inner.why_.empty() ? fmt::format("its {} bytes as a tagged field are too few", size) : inner.why_);
      }
    }
  }

  void value(bool& field, const Field&) { field = reader_.u8() != 0; }
  void value(Uuid& field, const Field&) {
    const auto raw = reader_.bytes(field.bytes.size());
    if (!raw.empty()) std::memcpy(field.bytes.data(), raw.data(), raw.size());
  }
  void value(std::string& field, const Field& spec) {
    if (const auto text = text_of(spec)) field.assign(*text);
  }
  void value(std::string_view& field, const Field& spec) {
    if (const auto text = text_of(spec)) field = *text;
  }
  void value(Slice& field, const Field& spec) {
    if (const auto size = length(spec, kWide)) take(field, *size);
  }
  template <class T>
  void value(std::vector<T>& field, const Field& spec) {
    if (const auto count = length(spec, kWide)) elements(field, *count, spec);
  }
  template <class T>
  void value(std::optional<T>& field, const Field& spec) {
    field.reset();
    if constexpr (std::is_class_v<T> && requires(T& t, Decoder& d) { T::visit(d, t); }) {
      // Not emplace(): to clang a struct nested in the message has no default constructor inside optional.
      if (reader_.be<std::int8_t>() >= 0 && reader_.ok()) structure(*(field = T{}));
    } else {
      const auto size = nullable_length(spec, width_of<T>(spec));
      if (!size || *size < 0) return;
      fill(field.emplace(), static_cast<std::size_t>(*size), spec);
    }
  }
  template <class T>
  void value(T& field, const Field&) {
    if constexpr (std::is_integral_v<T>) {
      field = reader_.be<T>();
    } else {
      structure(field);
    }
  }

  void fill(std::string& field, std::size_t size, const Field&) { field.assign(reader_.bytes(size)); }
  void fill(std::string_view& field, std::size_t size, const Field&) { field = reader_.bytes(size); }
  void fill(Slice& field, std::size_t size, const Field&) { take(field, size); }
  template <class T>
  void fill(std::vector<T>& field, std::size_t count, const Field& spec) {
    elements(field, count, spec);
  }

  void take(Slice& field, std::size_t size) {
    field = frame_.sub(reader_.position(), size);
    reader_.bytes(size);
  }
  template <class T>
  void elements(std::vector<T>& field, std::size_t count, const Field& spec) {
    if (count > kArrayElementsMax) return bad(fmt::format("{} elements, more than {}", count, kArrayElementsMax));
    const std::size_t least = LeastSize(version_, flexible_).of<T>(spec);
    if (count > reader_.remaining() / least) {
      return bad(fmt::format("{} elements of at least {} bytes where {} are left", count, least, reader_.remaining()));
    }
    field.clear();
    field.reserve(std::min(count, kArrayReserveMax));
    const Field element{.first = spec.first, .last = spec.last};
    for (std::size_t i = 0; i < count && reader_.ok(); ++i) value(field.emplace_back(), element);
  }

  enum Width { kNarrow, kWide };
  template <class T>
  static constexpr Width width_of(const Field& spec) {
    return std::is_convertible_v<T, std::string_view> && !std::is_same_v<T, Slice> && !spec.wide_length ? kNarrow
                                                                                                        : kWide;
  }

  std::optional<std::string_view> text_of(const Field& spec) {
    const auto size = length(spec, spec.wide_length ? kWide : kNarrow);
    if (!size) return std::nullopt;
    return reader_.bytes(*size);
  }
  // A length that is not null and fits into what is left.
  std::optional<std::size_t> length(const Field& spec, Width width) {
    const auto size = nullable_length(spec, width, false);
    return size ? std::optional<std::size_t>(static_cast<std::size_t>(*size)) : std::nullopt;
  }
  // -1 for null. Strings have 2 bytes before KIP-482, all else 4; since then everything is length + 1 as a varint.
  std::optional<std::int64_t> nullable_length(const Field& spec, Width width, bool may_be_null = true) {
    std::int64_t size;
    if (flexible_) {
      size = std::int64_t{reader_.uvarint32()} - 1;
    } else if (width == kNarrow) {
      size = reader_.be<std::int16_t>();
    } else {
      size = reader_.be<std::int32_t>();
    }
    if (!reader_.ok()) return std::nullopt;
    if (size == -1 && may_be_null && version_ >= spec.first_nullable) return size;
    if (size < 0) {
      bad(size == -1 ? "null is not allowed" : fmt::format("negative length {}", size));
    } else if (width == kNarrow && size > static_cast<std::int64_t>(kStringBytesMax)) {
      bad(fmt::format("a string of {} bytes, more than {}", size, kStringBytesMax));
    } else if (static_cast<std::size_t>(size) > reader_.remaining()) {  // no element takes less than a byte
      bad(fmt::format("length {} where {} bytes are left", size, reader_.remaining()));
    }
    return reader_.ok() ? std::optional(size) : std::nullopt;
  }

  const Slice& frame_;
  ByteReader reader_;
  std::int16_t version_;
  bool flexible_;
  std::string_view name_ = "header";
  std::string_view bad_field_;
  std::string why_;
};

}  // namespace millrace::kafka
