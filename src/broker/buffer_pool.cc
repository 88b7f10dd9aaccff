#include "broker/buffer_pool.h"

#include <mutex>
#include <vector>

namespace millrace::broker {

struct BufferPool::Shelf {
  std::size_t kept_bytes_max = 0;
  std::mutex mutex;
  std::size_t kept_bytes = 0;
  std::vector<std::unique_ptr<char[]>> free[kClasses];

  std::unique_ptr<char[]> take(int size_class) {
    const std::lock_guard lock(mutex);
    auto& list = free[size_class];
    if (list.empty()) return nullptr;
    auto buffer = std::move(list.back());
    list.pop_back();
    kept_bytes -= kSizes[size_class];
    return buffer;
  }
  void give_back(std::unique_ptr<char[]> buffer, int size_class) {
    const std::lock_guard lock(mutex);
    if (kept_bytes + kSizes[size_class] > kept_bytes_max) return;
    kept_bytes += kSizes[size_class];
    free[size_class].push_back(std::move(buffer));
  }
};

BufferPool::BufferPool(std::size_t kept_bytes_max) : shelf_(std::make_shared<Shelf>()) {
  shelf_->kept_bytes_max = kept_bytes_max;
}

Slice BufferPool::get(int size_class) {
  auto buffer = shelf_->take(size_class);
  if (!buffer) buffer = std::make_unique_for_overwrite<char[]>(kSizes[size_class]);
  char* data = buffer.release();
  std::shared_ptr<void> owner(data, [shelf = shelf_, size_class](void* returned) {
    shelf->give_back(std::unique_ptr<char[]>(static_cast<char*>(returned)), size_class);
  });
  return {std::move(owner), data, kSizes[size_class]};
}

std::size_t BufferPool::kept_bytes() const {
  const std::lock_guard lock(shelf_->mutex);
  return shelf_->kept_bytes;
}

}  // namespace millrace::broker
