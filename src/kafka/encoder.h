// The archive that writes a message: small fields into one buffer, records as shared Slices between.
//
// A null or a field that the version cannot carry makes `error()` say so; what was written then is
// useless. A tagged field is written only when it differs from its default (KIP-482).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/result.h"
#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

class Encoder {
 public:
  // What is in `prefix` (a header) comes first.
  Encoder(std::string prefix, std::int16_t version, bool flexible)
      : out_(std::move(prefix)), writer_(out_), version_(version), flexible_(flexible) {}
  Encoder(const Encoder&) = delete;

  template <class F>
  void operator()(const char* name, const F& field, Field spec = {}) {
    if (!spec.in(version_)) {
      if (!spec.drop_silently && !is_droppable(field)) fail(name, "not in this version, and not at its default");
      return;
    }
    if (!spec.tagged()) value(name, field, spec);
  }

  template <class T>
  void structure(const T& message) {
    const Place outer = std::exchange(place_, place_of(message));
    T::visit(*this, message);
    if (flexible_) tags(message);
    place_ = outer;
  }

  bool ok() const { return why_.empty(); }
  Error error() const { return {Code::kInvalid, why_}; }
  SliceChain take() {
    flush();
    return std::move(chain_);
  }

 private:
  // Where the struct being written and a default one of the same type lie: a field's default is found at
  // the same distance from the start of the default one.
  struct Place {
    const char* message = nullptr;
    const char* fresh = nullptr;
  };
  template <class T>
  static Place place_of(const T& message) {
    static const T fresh{};
    return {reinterpret_cast<const char*>(&message), reinterpret_cast<const char*>(&fresh)};
  }

  struct TagWriter {
    Encoder& encoder;
    std::string all;
    std::uint32_t count = 0;
    template <class F>
    void operator()(const char* name, const F& field, Field spec = {}) {
      if (!spec.tagged() || !spec.in(encoder.version_) || encoder.is_default(field)) return;
      std::string one;
      std::swap(one, encoder.out_);
      encoder.value(name, field, spec);
      std::swap(one, encoder.out_);
      ByteWriter writer(all);
      writer.uvarint(static_cast<std::uint64_t>(spec.tag_number));
      writer.uvarint(one.size());
      writer.bytes(one);
      ++count;
    }
  };

  template <class T>
  void tags(const T& message) {
    TagWriter tagged{*this, {}};
    T::visit(tagged, message);
    writer_.uvarint(tagged.count);
    writer_.bytes(tagged.all);
  }

  bool is_default(const std::string& field) const { return field.empty(); }
  bool is_default(std::string_view field) const { return field.empty(); }
  bool is_default(const Slice& field) const { return field.empty(); }
  template <class T>
  bool is_default(const std::vector<T>& field) const {
    return field.empty();
  }
  template <class T>
  bool is_default(const std::optional<T>& field) const {
    return !field;
  }
  // Nothing would be lost by leaving it out: Kafka's own default of many nullable fields is empty, not null.
  template <class T>
  bool is_droppable(const T& field) const {
    if constexpr (requires { field->empty(); }) return !field || field->empty();
    return is_default(field);
  }
  template <class T>
  bool is_default(const T& field) const {
    const char* fresh = place_.fresh + (reinterpret_cast<const char*>(&field) - place_.message);
    return field == *reinterpret_cast<const T*>(fresh);
  }

  void fail(const char* name, std::string_view why) {
    if (why_.empty()) why_ = fmt::format("version {} field {}: {}", version_, name, why);
  }
  void flush() {
    if (out_.empty()) return;
    chain_.append(Slice::of(std::move(out_)));
    out_.clear();
  }

  void value(const char*, bool field, const Field&) { writer_.u8(field ? 1 : 0); }
  void value(const char*, const Uuid& field, const Field&) { writer_.bytes(field.view()); }
  void value(const char* name, const std::string& field, const Field& spec) { text(name, field, spec); }
  void value(const char* name, std::string_view field, const Field& spec) { text(name, field, spec); }
  void value(const char*, const Slice& field, const Field&) {
    length(static_cast<std::int64_t>(field.size()), kWide);
    if (field.empty()) return;
    flush();
    chain_.append(field);
  }
  template <class T>
  void value(const char* name, const std::vector<T>& field, const Field&) {
    length(static_cast<std::int64_t>(field.size()), kWide);
    for (const auto& element : field) value(name, element, Field{});
  }
  template <class T>
  void value(const char* name, const std::optional<T>& field, const Field& spec) {
    if (!field && version_ < spec.first_nullable) return fail(name, "may not be null in this version");
    if constexpr (requires { T::visit(*this, *field); }) {
      writer_.be<std::int8_t>(field ? 1 : -1);
      if (field) structure(*field);
    } else if (field) {
      value(name, *field, spec);
    } else {
      constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
      length(-1, is_text && !spec.wide_length ? kNarrow : kWide);
    }
  }
  template <class T>
  void value(const char*, const T& field, const Field&) {
    if constexpr (std::is_integral_v<T>) {
      writer_.be(field);
    } else {
      structure(field);
    }
  }

  void text(const char* name, std::string_view field, const Field& spec) {
    if (!spec.wide_length && field.size() > 0x7fff) return fail(name, "a string longer than 32767 bytes");
    length(static_cast<std::int64_t>(field.size()), spec.wide_length ? kWide : kNarrow);
    writer_.bytes(field);
  }

  enum Width { kNarrow, kWide };
  void length(std::int64_t size, Width width) {
    if (flexible_) {
      writer_.uvarint(static_cast<std::uint64_t>(size + 1));
    } else if (width == kNarrow) {
      writer_.be(static_cast<std::int16_t>(size));
    } else {
      writer_.be(static_cast<std::int32_t>(size));
    }
  }

  std::string out_;
  ByteWriter writer_;
  SliceChain chain_;
  std::int16_t version_;
  bool flexible_;
  Place place_;
  std::string why_;
};

}  // namespace millrace::kafka
