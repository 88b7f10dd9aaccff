// ByteReader and ByteWriter: the fixed-width integers and varints of Millrace's formats and of the
// protocols it speaks (big-endian for Kafka, Postgres and our own files; little-endian for MySQL).
//
// A ByteReader never reads past its end and never throws: after the first short read `ok()` is false and
// every read answers zero or empty. Check `ok()` once at the end. It never allocates by a claimed length.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace millrace {

template <class T>
T byteswap(T value) {
  if constexpr (sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else {
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
}

template <class T>
T load_be(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return byteswap(value);
}
template <class T>
void store_be(char* p, T value) {
  value = byteswap(value);
  std::memcpy(p, &value, sizeof value);
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }
  bool at_end() const { return remaining() == 0; }
  void set_bad() {
    ok_ = false;
    at_ = bytes_.size();
  }

  template <class T>
  T be() {
    T value{};
    if (const char* p = take(sizeof(T))) value = load_be<T>(p);
    return value;
  }
  template <class T>
  T le() {
    T value{};
    if (const char* p = take(sizeof(T))) std::memcpy(&value, p, sizeof(T));
    return value;
  }
  std::uint8_t u8() { return be<std::uint8_t>(); }

  // Base-128, least group first: at most 5 bytes for 32 bits, 10 for 64.
  std::uint64_t uvarint64() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const std::uint8_t byte = u8();
      if (!ok_) return 0;
      value |= std::uint64_t{byte & 0x7fu} << (shift & 63);
      if (byte < 0x80) return value;
    }
    set_bad();
    return 0;
  }
  std::uint32_t uvarint32() {
    const std::uint64_t value = uvarint64();
    if (value > 0xffffffffu) {
      set_bad();
      return 0;
    }
    return static_cast<std::uint32_t>(value);
  }
  std::int64_t zigzag64() {
    const std::uint64_t raw = uvarint64();
    return static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  }
  std::int32_t zigzag32() {
    const std::uint32_t raw = uvarint32();
    return static_cast<std::int32_t>((raw >> 1) ^ (~(raw & 1) + 1));
  }

  std::string_view bytes(std::size_t size) {
    const char* p = take(size);
    return p ? std::string_view(p, size) : std::string_view();
  }
  // Up to and without the next zero byte, which is consumed.
  std::string_view zero_terminated() {
    const auto end = bytes_.find('\0', at_);
    if (end == std::string_view::npos) {
      set_bad();
      return {};
    }
    auto text = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }
  std::string_view rest() { return bytes(remaining()); }

 private:
  const char* take(std::size_t size) {
    if (size > remaining()) {
      set_bad();
      return nullptr;
    }
    const char* p = bytes_.data() + at_;
    at_ += size;
    return p;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
  void be(T value) {
    value = byteswap(value);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
  void le(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void uvarint(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void zigzag(std::int64_t value) {
    uvarint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void bytes(std::string_view bytes) { out_.append(bytes); }
  std::size_t size() const { return out_.size(); }
  std::string& out() { return out_; }

 private:
  std::string& out_;
};

}  // namespace millrace
