#include "object/file_direct.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/crc32c.h"
#include "object/file_io.h"

namespace millrace::object::file_io {
namespace {

constexpr std::size_t kAlignment = 4096;  // of addresses, sizes and offsets; enough for every disk sold
constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::size_t kHotBytes = 16 << 10;

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};

char* buffer_of_this_thread() {
  thread_local std::unique_ptr<char, Free> buffer;
  if (!buffer) buffer.reset(static_cast<char*>(std::aligned_alloc(kAlignment, kBufferBytes)));
  if (!buffer) throw std::bad_alloc();
  return buffer.get();
}

// Fills the buffer from a chain, call after call, and sums what it copies while it is in the processor's cache.
class Reader {
 public:
  explicit Reader(const SliceChain& body) : body_(body) {}

  std::size_t fill(char* to, std::size_t capacity) {
    std::size_t filled = 0;
    const auto& pieces = body_.pieces();
    while (filled < capacity && piece_ < pieces.size()) {
      const auto view = pieces[piece_].view();
      const std::size_t size = std::min({capacity - filled, view.size() - at_, kHotBytes});
      std::memcpy(to + filled, view.data() + at_, size);
      crc_ = crc32c({to + filled, size}, crc_);
      filled += size;
      at_ += size;
      if (at_ < view.size()) continue;
      ++piece_;
      at_ = 0;
    }
    return filled;
  }
  std::uint32_t crc() const { return crc_; }

 private:
  const SliceChain& body_;
  std::size_t piece_ = 0, at_ = 0;
  std::uint32_t crc_ = 0;
};

// 0 or an errno.
int write_at(int fd, const char* from, std::size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t written = ::pwrite(fd, from, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    from += written;
    offset += written;
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

int write_blocks(const Target& target, Reader& reader) {
  char* buffer = buffer_of_this_thread();
  std::uint64_t offset = 0, written = 0;
  while (const std::size_t filled = reader.fill(buffer, kBufferBytes)) {
    const std::size_t blocks = (filled + kAlignment - 1) / kAlignment * kAlignment;
    std::memset(buffer + filled, 0, blocks - filled);
    if (const int error = write_at(target.fd.get(), buffer, blocks, static_cast<off_t>(offset))) return error;
    offset += filled;
    written += blocks;
  }
  return cut(target, written, offset);
}

}  // namespace

std::optional<Result<std::uint32_t>> write_file_direct(const std::string& path, bool spare, const SliceChain& body,
                                                       bool durable) {
  const auto target = open_target(path, spare, O_DIRECT);
  Reader reader(body);
  int error = target ? write_blocks(*target, reader) : target.error();
  if (error == 0 && durable && ::fdatasync(target->fd.get()) != 0) error = errno;
  if (error == 0) return reader.crc();
  ::unlink(path.c_str());  // some file systems refuse O_DIRECT only after they made the file
  // Refused for its alignment, by a file system with larger blocks or at a limit: the other way knows better why.
  if (error == EINVAL) return std::nullopt;
  return fail(error_of(error, "writing", path));
}

}  // namespace millrace::object::file_io
