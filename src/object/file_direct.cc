#include "object/file_direct.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/crc32c.h"
#include "object/file_io.h"

namespace millrace::object::file_io {
namespace {

constexpr std::size_t kHotBytes = 16 << 10;

// Fills the buffer from a chain, call after call, and sums what it copies while it is in the processor's cache.
class Reader {
 public:
  explicit Reader(const SliceChain& body) : copier_(body) {}

  std::size_t fill(char* to, std::size_t capacity) {
    std::size_t filled = 0;
    while (const std::size_t size = copier_.fill(to + filled, std::min(capacity - filled, kHotBytes))) {
      crc_ = crc32c({to + filled, size}, crc_);
      filled += size;
    }
    return filled;
  }
  std::uint32_t crc() const { return crc_; }

 private:
  ChainCopier copier_;
  std::uint32_t crc_ = 0;
};

int write_blocks(const Target& target, Reader& reader) {
  char* buffer = direct_buffer();
  std::uint64_t offset = 0, written = 0;
  while (const std::size_t filled = reader.fill(buffer, kDirectBufferBytes)) {
    const std::size_t blocks = whole_blocks(filled);
    std::memset(buffer + filled, 0, blocks - filled);
    if (const int error = write_at(target.fd.get(), buffer, blocks, offset)) return error;
    offset += filled;
    written += blocks;
  }
  return cut(target, written, offset);
}

}  // namespace

std::unique_ptr<char, FreeAligned> aligned_memory(std::size_t size) {
  std::unique_ptr<char, FreeAligned> memory(
      static_cast<char*>(std::aligned_alloc(kDirectAlignment, whole_blocks(size))));
  if (!memory) throw std::bad_alloc();
  return memory;
}

char* direct_buffer() {
  thread_local const std::unique_ptr<char, FreeAligned> buffer = aligned_memory(kDirectBufferBytes);
  return buffer.get();
}

std::size_t ChainCopier::fill(char* to, std::size_t capacity) {
  std::size_t filled = 0;
  const auto& pieces = chain_.pieces();
  while (filled < capacity && piece_ < pieces.size()) {
    const auto rest = pieces[piece_].view().substr(at_);
    const std::size_t size = std::min(capacity - filled, rest.size());
    std::memcpy(to + filled, rest.data(), size);
    filled += size;
    at_ += size;
    if (size < rest.size()) continue;
    ++piece_;
    at_ = 0;
  }
  return filled;
}

std::expected<std::size_t, int> read_at(int fd, char* to, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, to + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

int write_at(int fd, const char* from, std::size_t size, std::uint64_t offset, int flags) {
  while (size > 0) {
    iovec piece{const_cast<char*>(from), size};
    const ssize_t written = ::pwritev2(fd, &piece, 1, static_cast<off_t>(offset), flags);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    from += written;
    offset += static_cast<std::uint64_t>(written);
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

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
