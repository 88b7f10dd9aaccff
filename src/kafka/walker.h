// Visiting a message without knowing its type: printing, making up random values, listing the fields. Slower
// than the codec archives and compiled once per message, whatever is done with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

enum class Kind { kBool, kInteger, kString, kBytes, kRecords, kUuid, kStruct };

// What a walk tells, and may change: each value is taken back from the callback.
class Walk {
 public:
  virtual ~Walk() = default;
  // Begins a field; false skips it. `nullable` says whether its type allows null in some version.
  virtual bool begin_field(std::string_view name, const Field& spec, bool nullable) = 0;
  virtual void end_field() = 0;
  // Whether the field shall be null (is_null: it is now).
  virtual bool null(bool is_null) = 0;
  // How many elements the array shall have.
  virtual std::size_t begin_array(std::size_t size, Kind element) = 0;
  virtual void begin_element() = 0;
  virtual void end_array() = 0;
  virtual void begin_struct(const std::type_info& type) = 0;
  virtual void end_struct() = 0;
  virtual bool boolean(bool value) = 0;
  // `bits` of an unsigned one are negative.
  virtual std::int64_t integer(std::int64_t value, int bits) = 0;
  virtual std::string_view text(std::string_view value, Kind kind) = 0;
  virtual Slice records(const Slice& value) = 0;
  virtual Uuid uuid(const Uuid& value) = 0;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

class Walker {
 public:
  explicit Walker(Walk& walk) : walk_(walk) {}

  template <class F>
  void operator()(const char* name, F& field, Field spec = {}) {
    if (!walk_.begin_field(name, spec, is_optional<F>)) return;
    value(field, spec);
    walk_.end_field();
  }
  template <class T>
  void structure(T& message) {
    walk_.begin_struct(typeid(T));
    T::visit(*this, message);
    walk_.end_struct();
  }

 private:
  template <class T>
  static constexpr Kind kind_of(const Field& spec) {
    if constexpr (std::is_same_v<T, bool>) return Kind::kBool;
    if constexpr (std::is_integral_v<T>) return Kind::kInteger;
    if constexpr (std::is_same_v<T, Uuid>) return Kind::kUuid;
    if constexpr (std::is_same_v<T, Slice>) return Kind::kRecords;
    if constexpr (std::is_convertible_v<T, std::string_view>) return spec.wide_length ? Kind::kBytes : Kind::kString;
    return Kind::kStruct;
  }

  template <class T>
  void value(std::optional<T>& field, const Field& spec) {
    if (walk_.null(!field.has_value())) {
      field.reset();
    } else {
      if (!field) field = T{};
      value(*field, spec);
    }
  }
  template <class T>
  void value(std::vector<T>& field, const Field& spec) {
    field.resize(walk_.begin_array(field.size(), kind_of<T>(spec)));
    for (auto& element : field) {
      walk_.begin_element();
      value(element, spec);
    }
    walk_.end_array();
  }
  template <class T>
  void value(T& field, const Field& spec) {
    if constexpr (std::is_same_v<T, bool>) {
      field = walk_.boolean(field);
    } else if constexpr (std::is_integral_v<T>) {
      field = static_cast<T>(walk_.integer(field, static_cast<int>(sizeof(T) * 8) * (std::is_signed_v<T> ? 1 : -1)));
    } else if constexpr (std::is_same_v<T, Uuid>) {
      field = walk_.uuid(field);
    } else if constexpr (std::is_same_v<T, Slice>) {
      field = walk_.records(field);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      const std::string_view now = field;
      const std::string_view then = walk_.text(now, kind_of<T>(spec));
      if (then.data() != now.data() || then.size() != now.size()) field = then;
    } else {
      structure(field);
    }
  }

  Walk& walk_;
};

}  // namespace millrace::kafka
