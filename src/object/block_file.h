// BlockFile: a local file of equal blocks for what can be had again from elsewhere: a cache. Nothing of it survives the
// process, also one that was killed: the file has no name. Written past the page cache where the file system allows it,
// so that what is cached here is not cached twice.
//
// Fails: kExhausted (no space), kTimeout (the device failed); the caller forgets the block. One thread; the calls wait
// on a BlockingPool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace millrace::object {

class BlockFile {
 public:
  virtual ~BlockFile() = default;
  virtual std::uint32_t blocks() const = 0;
  // At most `block_bytes` bytes.
  virtual Task<Result<void>> write(std::uint32_t block, Slice bytes) = 0;
  // The first `size` bytes of a block that was written.
  virtual Task<Result<Slice>> read(std::uint32_t block, std::size_t size) = 0;
};

// In `directory`, which is made if it is missing. kDenied, kExhausted, kInvalid (no room for one block): names the
// path. Blocks the thread for a moment. The pool must outlive the file.
Result<std::unique_ptr<BlockFile>> open_block_file(BlockingPool& pool, const std::string& directory,
                                                   std::size_t block_bytes, std::uint64_t bytes_max);

}  // namespace millrace::object
