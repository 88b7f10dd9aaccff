// A cell on its way from a record into DuckDB, and the arena that its text lives in.
//
// A Value is trivially copyable; text points into the Arena of its batch, which outlives every use. One thread
// at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "sql/session.h"

namespace millrace::sql::ingest {

struct Value {
  enum class Tag : std::uint8_t {
    kNull,
    kUnchanged,  // Debezium's placeholder for a large value that the change did not touch: keep the old one
    kInteger,    // bool, integers, dates (days), times and timestamps (microseconds)
    kReal,
    kDecimal,  // unscaled, at the scale of its column
    kText,     // text, bytes, JSON
  };
  Tag tag = Tag::kNull;
  std::uint32_t size = 0;  // kText
  union {
    std::int64_t integer = 0;
    double real;
    const char* text;
  };
  Int128 decimal = 0;

  static Value null() { return {}; }
  static Value unchanged() {
    Value v;
    v.tag = Tag::kUnchanged;
    return v;
  }
  static Value of_integer(std::int64_t i) {
    Value v;
    v.tag = Tag::kInteger;
    v.integer = i;
    return v;
  }
  static Value of_real(double d) {
    Value v;
    v.tag = Tag::kReal;
    v.real = d;
    return v;
  }
  static Value of_decimal(Int128 d) {
    Value v;
    v.tag = Tag::kDecimal;
    v.decimal = d;
    return v;
  }
  static Value of_text(std::string_view kept) {
    Value v;
    v.tag = Tag::kText;
    v.text = kept.data();
    v.size = static_cast<std::uint32_t>(kept.size());
    return v;
  }
  bool is_null() const { return tag == Tag::kNull; }
  std::string_view view() const { return {text, size}; }
};

// Bump allocation in blocks; freed all at once.
class Arena {
 public:
  char* allocate(std::size_t size) {
    if (size > room_) grow(size);
    char* p = next_;
    next_ += size;
    room_ -= size;
    used_ += size;
    return p;
  }
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {"", 0};
    char* p = allocate(text.size());
    std::memcpy(p, text.data(), text.size());
    return {p, text.size()};
  }
  std::size_t used() const { return used_; }

 private:
  void grow(std::size_t size) {
    const std::size_t block = size > kBlock ? size : kBlock;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    next_ = blocks_.back().get();
    room_ = block;
  }
  static constexpr std::size_t kBlock = 64 << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t room_ = 0, used_ = 0;
};

}  // namespace millrace::sql::ingest
