// Receive buffers that are used again: the first touch of a page costs more CPU than receiving into it.
//
// Three sizes, so that an idle connection holds 8 KiB and a busy one few big blocks. A buffer comes back
// when its last Slice goes, on whatever thread that is. Larger frames get a buffer of their own, which is
// not kept. `get` and the return are thread-safe; the pool may go before its buffers.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"

namespace millrace::broker {

class BufferPool {
 public:
  static constexpr std::size_t kSizes[] = {8 << 10, 64 << 10, 1 << 20};
  static constexpr int kClasses = 3;

  // Keeps at most `kept_bytes_max` of unused buffers.
  explicit BufferPool(std::size_t kept_bytes_max);
  // A buffer of kSizes[size_class] bytes, uninitialised.
  Slice get(int size_class);
  std::size_t kept_bytes() const;

 private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace millrace::broker
