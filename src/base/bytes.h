// Bytes that travel without being copied.
//
// Slice is a view of a buffer together with a share of its ownership: a record batch is received,
// validated, written to the WAL and served to consumers as Slices of one receive buffer. Copying a
// Slice is cheap and thread-safe; the bytes are immutable once shared.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace millrace {

class Slice {
 public:
  Slice() = default;
  // Shares `owner`, which must keep [data, data+size) alive.
  Slice(std::shared_ptr<void> owner, char* data, std::size_t size)
      : owner_(std::move(owner)), data_(data), size_(size) {}

  static Slice copy_of(std::string_view bytes) {
    Slice slice = uninitialized(bytes.size());
    if (!bytes.empty()) std::memcpy(slice.data_, bytes.data(), bytes.size());
    return slice;
  }
  static Slice of(std::string bytes) {
    auto owner = std::make_shared<std::string>(std::move(bytes));
    char* data = owner->data();
    const std::size_t size = owner->size();
    return {std::move(owner), data, size};
  }
  static Slice uninitialized(std::size_t size) {
    std::shared_ptr<char[]> owner = std::make_shared_for_overwrite<char[]>(size);
    char* data = owner.get();
    return {std::move(owner), data, size};
  }

  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT: a Slice reads like its bytes
  friend bool operator==(const Slice& a, const Slice& b) { return a.view() == b.view(); }

  // Only for the writer that made the buffer, before anyone else sees it.
  char* mutable_data() { return data_; }

  Slice sub(std::size_t offset, std::size_t size) const {
    CHECK(offset <= size_ && size <= size_ - offset);
    return {owner_, data_ + offset, size};
  }
  Slice sub(std::size_t offset) const { return sub(offset, size_ - offset); }

 private:
  std::shared_ptr<void> owner_;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// A message as pieces, for writev: small encoded parts between large shared ones.
class SliceChain {
 public:
  void append(Slice slice) {
    size_ += slice.size();
    if (!slice.empty()) pieces_.push_back(std::move(slice));
  }
  void append(SliceChain other) {
    for (auto& piece : other.pieces_) append(std::move(piece));
  }
  void append_copy(std::string_view bytes) { append(Slice::copy_of(bytes)); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<Slice>& pieces() const { return pieces_; }
  // All bytes in one buffer; copies unless there is a single piece.
  Slice flatten() const {
    if (pieces_.size() == 1) return pieces_.front();
    Slice all = Slice::uninitialized(size_);
    char* out = all.mutable_data();
    for (const auto& piece : pieces_) {
      std::memcpy(out, piece.data(), piece.size());
      out += piece.size();
    }
    return all;
  }

 private:
  std::vector<Slice> pieces_;
  std::size_t size_ = 0;
};

}  // namespace millrace
