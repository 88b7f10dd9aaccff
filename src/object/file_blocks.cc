#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>

#include "object/block_file.h"
#include "object/file_direct.h"
#include "object/file_io.h"

namespace millrace::object {
namespace {

struct OpenBlocks {
  file_io::Fd fd;
  std::string path;
  std::size_t block_bytes = 0;
};

Result<void> write_block(const OpenBlocks& file, std::uint32_t block, const Slice& bytes) {
  const std::uint64_t begin = std::uint64_t{block} * file.block_bytes;
  SliceChain chain;
  chain.append(bytes);
  file_io::ChainCopier copier(chain);
  char* buffer = file_io::direct_buffer();
  std::uint64_t done = 0;
  while (const std::size_t filled = copier.fill(buffer, file_io::kDirectBufferBytes)) {
    const int error = file_io::write_at(file.fd.get(), buffer, file_io::whole_blocks(filled), begin + done);
    if (error != 0) return fail(file_io::error_of(error, "writing", file.path));
    done += filled;
  }
  return {};
}

Result<Slice> read_block(const OpenBlocks& file, std::uint32_t block, std::size_t size) {
  const std::shared_ptr<char> owner = file_io::aligned_memory(std::max(size, file_io::kDirectAlignment));
  const std::uint64_t begin = std::uint64_t{block} * file.block_bytes;
  char* data = owner.get();
  const auto got = file_io::read_at(file.fd.get(), data, file_io::whole_blocks(size), begin);
  if (!got) return fail(file_io::error_of(got.error(), "reading", file.path));
  if (*got < size) return fail(Code::kCorrupt, file.path + " ends early");
  return Slice(owner, data, size);
}

class PosixBlockFile final : public BlockFile {
 public:
  PosixBlockFile(BlockingPool& pool, OpenBlocks file, std::uint32_t blocks)
      : pool_(pool), file_(std::make_shared<const OpenBlocks>(std::move(file))), blocks_(blocks) {}

  std::uint32_t blocks() const override { return blocks_; }
  Task<Result<void>> write(std::uint32_t block, Slice bytes) override {
    CHECK(block < blocks_ && bytes.size() <= file_->block_bytes);
    auto job = [file = file_, block, bytes = std::move(bytes)] { return write_block(*file, block, bytes); };
    co_return co_await pool_.run(std::move(job));
  }
  Task<Result<Slice>> read(std::uint32_t block, std::size_t size) override {
    CHECK(block < blocks_ && size <= file_->block_bytes);
    auto job = [file = file_, block, size] { return read_block(*file, block, size); };
    co_return co_await pool_.run(std::move(job));
  }

 private:
  BlockingPool& pool_;
  std::shared_ptr<const OpenBlocks> file_;
  std::uint32_t blocks_;
};

}  // namespace

Result<std::unique_ptr<BlockFile>> open_block_file(BlockingPool& pool, const std::string& directory,
                                                   std::size_t block_bytes, std::uint64_t bytes_max) {
  const std::uint64_t blocks =
      std::min<std::uint64_t>(bytes_max / block_bytes, std::numeric_limits<std::uint32_t>::max());
  if (blocks == 0)
    return fail(Code::kInvalid, "a disk cache of " + std::to_string(bytes_max) + " bytes has no room for one block");
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  if (made) return fail(Code::kDenied, "cannot create the cache directory '" + directory + "': " + made.message());
  const std::string path = directory + "/blocks." + std::to_string(::getpid());
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600);
  if (fd < 0 && errno == EINVAL) fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(file_io::error_of(errno, "making", path));
  OpenBlocks file{file_io::Fd(fd), path, block_bytes};
  ::unlink(path.c_str());
  return std::make_unique<PosixBlockFile>(pool, std::move(file), static_cast<std::uint32_t>(blocks));
}

}  // namespace millrace::object
