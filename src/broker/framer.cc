#include "broker/framer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/codec.h"

namespace millrace::broker {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kSpaceMin = 512;  // less is not worth a system call

int class_for(std::size_t bytes) {
  int size_class = 0;
  while (size_class < BufferPool::kClasses && BufferPool::kSizes[size_class] < bytes) ++size_class;
  return size_class;
}

}  // namespace

std::optional<std::size_t> Framer::announced() const {
  if (end_ - begin_ < kLengthBytes) return std::nullopt;
  // A negative length becomes a huge one here.
  return std::size_t{load_be<std::uint32_t>(buffer_.data() + begin_)};
}

std::size_t Framer::pending_frame_bytes() const { return announced().value_or(0); }

std::span<char> Framer::space() {
  const std::size_t needed = kLengthBytes + std::min(announced().value_or(0), frame_bytes_max_);
  const bool cramped = !announced() && buffer_.size() - end_ < kSpaceMin;
  if (buffer_.empty() || cramped || begin_ + needed > buffer_.size()) make_room();
  return {buffer_.mutable_data() + end_, buffer_.size() - end_};
}

void Framer::make_room() {
  const std::size_t partial = end_ - begin_;
  const std::size_t needed = kLengthBytes + std::min(announced().value_or(0), frame_bytes_max_);
  // Grow with connections that fill their buffer in one read, shrink with those that use little of it.
  const std::size_t size = BufferPool::kSizes[size_class_];
  if (!buffer_.empty()) {
    if (largest_read_ >= size / 2) size_class_ = std::min(size_class_ + 1, BufferPool::kClasses - 1);
    if (largest_read_ < size / 16) size_class_ = std::max(size_class_ - 1, 0);
  }
  const int fitting = std::max(class_for(needed), size_class_);
  Slice roomy = fitting < BufferPool::kClasses ? pool_.get(fitting) : Slice::uninitialized(needed);
  if (partial > 0) std::memcpy(roomy.mutable_data(), buffer_.data() + begin_, partial);
  buffer_ = std::move(roomy);
  begin_ = 0;
  end_ = partial;
  largest_read_ = 0;
}

void Framer::received(std::size_t bytes) {
  CHECK(bytes <= buffer_.size() - end_);
  end_ += bytes;
  largest_read_ = std::max(largest_read_, bytes);
}

Result<std::optional<Slice>> Framer::next() {
  const auto size = announced();
  if (!size) return std::nullopt;
  if (*size > frame_bytes_max_) {
    return fail(Code::kInvalid, fmt::format("a frame of {} bytes was announced; socket.request.max.bytes is {}",
                                            static_cast<std::int32_t>(*size), frame_bytes_max_));
  }
  if (end_ - begin_ - kLengthBytes < *size) return std::nullopt;
  Slice frame = buffer_.sub(begin_ + kLengthBytes, *size);
  begin_ += kLengthBytes + *size;
  return frame;
}

}  // namespace millrace::broker
