// The blocking file calls of the file store: whole steps, each ending in a Result with errno translated once.
// They run on pool threads and hold no shared state.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
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

// A file that no object needs any more, below DIR/.tmp.
struct Spare {
  std::string path;
  std::uint64_t size = 0;
};

// A file to be filled from its beginning. A spare keeps its old bytes until they are written over; one that a backup
// holds by a hard link is left to it, and a new file is made.
struct Target {
  Fd fd;
  std::uint64_t size = 0;  // of its old bytes
};
std::expected<Target, int> open_target(const std::string& path, bool spare, int more_flags);  // or an errno
// Cuts a target of which `written` bytes were written to `size`, if there is more. 0 or an errno.
int cut(const Target& target, std::uint64_t written, std::uint64_t size);

// A file with these bytes at `path`, and its content_etag; synced when `durable`. It is new, or a spare's that is
// there. On failure it is gone.
Result<std::string> write_file(const std::string& path, bool spare, const SliceChain& body, bool durable);
// Gives the file `from` the name `to` unless that is taken (kExists); makes missing directories. `from` is gone after.
// Answers the directories that need a sync.
Result<std::vector<std::string>> rename_as_new(const std::string& from, const std::string& to);
// Takes the file of an object away from its key, to `spare`. Nothing when it is not there, too large, or has other
// links: then it is unlinked.
Result<std::optional<Spare>> set_aside(const std::string& path, const std::string& spare, std::uint64_t size_max);
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
