// The blocking file calls of the file store: whole steps, each ending in a Result with errno translated once.
// They run on pool threads and hold no shared state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "object/store.h"

namespace millrace::object::file_io {

// An open descriptor; closed by the destructor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// What errno asks the caller to do: ENOSPC/EDQUOT kExhausted, EACCES/EPERM/EROFS kDenied, ENOENT kNotFound, EEXIST
// kExists, EMFILE/ENFILE kUnavailable, anything else kTimeout (the outcome is unknown).
Error error_of(int error, const std::string& doing, const std::string& path);

// A new file with these bytes, and its content_etag; synced when `durable`. On failure the file is gone again.
Result<std::string> write_new(const std::string& path, const SliceChain& body, bool durable);
// Gives the file `from` the name `to` unless that is taken (kExists); makes missing directories. `from` is gone after.
// `made_directories`: those created, whose parents need a sync.
Result<std::vector<std::string>> link_as_new(const std::string& from, const std::string& to);
Result<void> sync_directory(const std::string& path);
// The directories that lead from `root` (exclusive) to the file `path`.
Result<std::vector<std::string>> make_parents(const std::string& path);

Result<Fd> open_for_reading(const std::string& path);
Result<Slice> read_whole(const std::string& path);
Result<Slice> read_range(int fd, const std::string& path, ByteRange range);
Result<void> remove_files(const std::vector<std::string>& paths);
// Keys below `root`, as Store::list wants them.
Result<std::vector<Listed>> list_keys(const std::string& root, const std::string& prefix,
                                      const std::string& start_after, std::size_t limit);

}  // namespace millrace::object::file_io
