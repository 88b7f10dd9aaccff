// KeyMap: the newest offset of each key in the part of a partition that is cleaned. Keys are kept as 128 bits of their
// SHA-256: two keys that share them would lose a record, so nothing weaker will do. Bounded: `full` says when to stop;
// what one batch adds beyond is taken all the same. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "object/digest.h"

namespace millrace::storage {

class KeyMap {
 public:
  // 25 bytes an entry, and room between them.
  static constexpr std::size_t kEntryBytes = 40;
  // Room for `keys_expected` at once: growing later holds everything up and needs the room twice.
  explicit KeyMap(std::size_t bytes_max, std::size_t keys_expected = 0) : entries_max_(bytes_max / kEntryBytes) {
    offsets_.reserve(std::min(entries_max_, keys_expected));
  }

  bool full() const { return offsets_.size() >= entries_max_; }
  std::size_t size() const { return offsets_.size(); }
  // In offset order.
  void note(std::string_view key, std::int64_t offset) { offsets_.insert_or_assign(hash(key), offset); }
  std::optional<std::int64_t> newest(std::string_view key) const {
    const auto found = offsets_.find(hash(key));
    return found == offsets_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  using Hash = std::array<std::uint64_t, 2>;
  struct First {
    using is_avalanching = void;
    std::size_t operator()(const Hash& hash) const { return hash[0]; }
  };
  static Hash hash(std::string_view key) {
    const object::Digest digest = object::sha256(key);
    Hash hash;
    std::memcpy(hash.data(), digest.data(), sizeof(hash));
    return hash;
  }

  std::size_t entries_max_;
  boost::unordered_flat_map<Hash, std::int64_t, First> offsets_;
};

}  // namespace millrace::storage
