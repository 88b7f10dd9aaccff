// Ring: a queue with stable absolute indexes and random access. Empty it costs 32 bytes and no heap (a
// std::deque would cost half a kilobyte for each of 100k idle partitions). push_back and pop_front are O(1) amortised.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"

namespace millrace::storage {

template <class T>
class Ring {
 public:
  bool empty() const { return begin_ == items_.size(); }
  std::size_t size() const { return items_.size() - begin_; }
  // Indexes of the first item and of the one that the next push_back makes.
  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + size(); }

  T& operator[](std::uint64_t index) {
    DCHECK(index >= first_ && index < end());
    return items_[begin_ + (index - first_)];
  }
  const T& operator[](std::uint64_t index) const { return const_cast<Ring&>(*this)[index]; }
  T& front() { return items_[begin_]; }
  const T& front() const { return items_[begin_]; }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  void pop_front() {
    CHECK(!empty());
    items_[begin_] = T{};
    ++begin_;
    ++first_;
    if (begin_ == items_.size()) {
      items_.clear();
      begin_ = 0;
      if (items_.capacity() > 64) items_.shrink_to_fit();
    } else if (begin_ >= 32 && begin_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
  }
  // Only while empty: where indexes go on.
  void start_at(std::uint64_t index) {
    CHECK(empty());
    first_ = index;
  }

 private:
  std::vector<T> items_;
  std::size_t begin_ = 0;
  std::uint64_t first_ = 0;
};

}  // namespace millrace::storage
