// Files written past the page cache (O_DIRECT). An object of the log is written once and mostly never read
// again, so its pages would only push out others, and filling them costs more than all else that a PUT does: seen on a
// virtual machine 1.4 CPU-s per GiB, beside 0.2 with O_DIRECT and a buffer that is used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::object::file_io {

// Smaller bodies go through the page cache: the copy is cheap and their tail is most of them.
inline constexpr std::size_t kDirectBytesMin = 256 << 10;

inline constexpr std::size_t kDirectAlignment = 4096;  // of addresses, sizes and offsets; enough for every disk sold
inline constexpr std::size_t kDirectBufferBytes = 1 << 20;

// The whole blocks that hold `size` bytes.
constexpr std::uint64_t whole_blocks(std::uint64_t size) {
  return (size + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
}

struct FreeAligned {
  void operator()(void* memory) const { std::free(memory); }
};
// At least `size` bytes that O_DIRECT takes.
std::unique_ptr<char, FreeAligned> aligned_memory(std::size_t size);
// kDirectBufferBytes of them, of this thread.
char* direct_buffer();

// Hands out a chain's bytes in pieces of a buffer's size. The chain must outlive it.
class ChainCopier {
 public:
  explicit ChainCopier(const SliceChain& chain) : chain_(chain) {}
  // How many bytes it put at `to`; 0 at the end.
  std::size_t fill(char* to, std::size_t capacity);

 private:
  const SliceChain& chain_;
  std::size_t piece_ = 0, at_ = 0;
};

// How many bytes are there, fewer than `size` only at the file's end; or an errno.
std::expected<std::size_t, int> read_at(int fd, char* to, std::size_t size, std::uint64_t offset);
// 0 or an errno. `flags`: those of pwritev2.
int write_at(int fd, const char* from, std::size_t size, std::uint64_t offset, int flags = 0);

// The CRC-32C of the body. Nothing when the file system does not take it this way. Unless it succeeded the file is gone
// (file_io.h: write_file). Blocks; keeps one buffer of 1 MiB for each thread that ever called it.
std::optional<Result<std::uint32_t>> write_file_direct(const std::string& path, bool spare, const SliceChain& body,
                                                       bool durable);

}  // namespace millrace::object::file_io
