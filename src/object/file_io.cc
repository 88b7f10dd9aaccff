#include "object/file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "object/digest.h"
#include "object/file_direct.h"

namespace millrace::object::file_io {
namespace {

Code code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return Code::kExhausted;
    case EACCES:
    case EPERM:
    case EROFS: return Code::kDenied;
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kExists;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Code::kUnavailable;
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG: return Code::kInvalid;
    default: return Code::kTimeout;
  }
}

std::unexpected<Error> failed(int error, const std::string& doing, const std::string& path) {
  return fail(error_of(error, doing, path));
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

constexpr std::size_t kPageBytes = 4096;

// The pieces, and zeros up to a whole page: a page of a spare's old bytes that is written in part would be read first.
std::vector<iovec> pieces_of(const SliceChain& body, bool padded) {
  static const char kZeros[kPageBytes] = {};
  std::vector<iovec> pieces;
  pieces.reserve(body.pieces().size() + 1);
  for (const auto& piece : body.pieces()) pieces.push_back({const_cast<char*>(piece.data()), piece.size()});
  const std::size_t tail = body.size() % kPageBytes;
  if (padded && tail != 0) pieces.push_back({const_cast<char*>(kZeros), kPageBytes - tail});
  return pieces;
}

// 0 or an errno.
int write_all(int fd, std::vector<iovec> pieces) {
  std::size_t at = 0;
  while (at < pieces.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(pieces.size() - at, IOV_MAX));
    const ssize_t written = ::writev(fd, pieces.data() + at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    auto left = static_cast<std::size_t>(written);
    while (at < pieces.size() && left >= pieces[at].iov_len) left -= pieces[at++].iov_len;
    if (left > 0) {
      pieces[at].iov_base = static_cast<char*>(pieces[at].iov_base) + left;
      pieces[at].iov_len -= left;
    }
  }
  return 0;
}

// rename() that never replaces; by two steps where the file system has not the one.
int rename_noreplace(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::link(from, to) != 0) return errno;
  ::unlink(from);
  return 0;
}

struct Entry {
  std::string name;  // a directory's ends in '/', so that entries sort as the keys below them do
  bool operator<(const Entry& other) const { return name < other.name; }
};

Result<std::vector<Entry>> entries_of(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (!stream) {
    if (errno == ENOENT || errno == ENOTDIR) return std::vector<Entry>();
    return failed(errno, "listing", directory);
  }
  std::vector<Entry> entries;
  while (const dirent* found = ::readdir(stream)) {
    if (found->d_name[0] == '.') continue;
    std::string name = found->d_name;
    bool is_directory = found->d_type == DT_DIR;
    if (found->d_type == DT_UNKNOWN) {
      struct stat status;
      is_directory = ::stat((directory + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    }
    if (is_directory) name += '/';
    entries.push_back({std::move(name)});
  }
  ::closedir(stream);
  std::sort(entries.begin(), entries.end());
  return entries;
}

struct Listing {
  const std::string& root;
  const std::string& prefix;
  const std::string& start_after;
  std::size_t limit;
  std::vector<Listed> found;
};

// `below` is empty or ends in '/'.
Result<void> list_below(Listing& listing, const std::string& below) {
  TRY(auto entries, entries_of(listing.root + "/" + below));
  for (const auto& entry : entries) {
    if (listing.found.size() >= listing.limit) return {};
    const std::string key = below + entry.name;
    if (key.ends_with('/')) {
      const std::size_t common = std::min(key.size(), listing.prefix.size());
      const bool may_hold_prefix = key.compare(0, common, listing.prefix, 0, common) == 0;
      const bool all_before = key < listing.start_after.substr(0, key.size());
      if (may_hold_prefix && !all_before) TRY_VOID(list_below(listing, key));
      continue;
    }
    if (!key.starts_with(listing.prefix) || key <= listing.start_after) continue;
    struct stat status;
    if (::stat((listing.root + "/" + key).c_str(), &status) != 0) continue;  // removed meanwhile
    listing.found.push_back({key, static_cast<std::uint64_t>(status.st_size)});
  }
  return {};
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Error error_of(int error, const std::string& doing, const std::string& path) {
  const Code code = code_of(error);
  std::string text = fmt::format("{} {}: {}", doing, path, std::strerror(error));
  if (code == Code::kExhausted) text += " (free space on this file system, or move the bucket to a larger one)";
  if (code == Code::kDenied) text += " (the bucket directory must be writable by this user)";
  if (code == Code::kUnavailable) text += " (raise the limit of open files: ulimit -n)";
  return {code, std::move(text)};
}

std::expected<Target, int> open_target(const std::string& path, bool spare, int more_flags) {
  const int flags = O_WRONLY | O_CLOEXEC | more_flags;
  if (spare) {
    Fd fd(::open(path.c_str(), flags));
    if (!fd.valid()) return std::unexpected(errno);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) return std::unexpected(errno);
    if (status.st_nlink == 1) return Target{std::move(fd), static_cast<std::uint64_t>(status.st_size)};
    ::unlink(path.c_str());
  }
  Fd fd(::open(path.c_str(), flags | O_CREAT | O_EXCL, 0644));
  if (!fd.valid()) return std::unexpected(errno);
  return Target{std::move(fd), 0};
}

int cut(const Target& target, std::uint64_t written, std::uint64_t size) {
  if (std::max(written, target.size) == size) return 0;
  return ::ftruncate(target.fd.get(), static_cast<off_t>(size)) == 0 ? 0 : errno;
}

Result<std::string> write_file(const std::string& path, bool spare, const SliceChain& body, bool durable) {
  if (body.size() >= kDirectBytesMin) {
    if (auto crc = write_file_direct(path, spare, body, durable)) {
      if (!*crc) return fail(std::move(*crc).error());
      return large_etag(body.size(), **crc);
    }
    spare = false;  // it is gone
  }
  const auto target = open_target(path, spare, 0);
  if (!target) return failed(target.error(), "creating", path);
  const bool padded = target->size > body.size();
  int error = write_all(target->fd.get(), pieces_of(body, padded));
  const std::size_t tail = body.size() % kPageBytes;
  const std::uint64_t written = body.size() + (padded && tail != 0 ? kPageBytes - tail : 0);
  if (error == 0) error = cut(*target, written, body.size());
  // Not applied whatever the reason: the bytes have no key yet.
  if (error == 0 && durable && ::fdatasync(target->fd.get()) != 0) error = errno;
  if (error == 0) return content_etag(body);
  ::unlink(path.c_str());
  return failed(error, "writing", path);
}

Result<std::vector<std::string>> make_parents(const std::string& path) {
  std::vector<std::string> missing;
  std::string directory = parent_of(path);
  while (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    if (errno != ENOENT) return failed(errno, "making directory", directory);
    missing.push_back(directory);
    directory = parent_of(directory);
  }
  std::vector<std::string> touched{parent_of(directory)};
  while (!missing.empty()) {
    directory = std::move(missing.back());
    missing.pop_back();
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return failed(errno, "making directory", directory);
    touched.push_back(parent_of(directory));
  }
  return touched;
}

Result<std::vector<std::string>> rename_as_new(const std::string& from, const std::string& to) {
  std::vector<std::string> touched;
  int error = rename_noreplace(from.c_str(), to.c_str());
  if (error == ENOENT) {
    auto made = make_parents(to);
    if (!made) {
      ::unlink(from.c_str());
      return fail(std::move(made).error());
    }
    touched = std::move(*made);
    error = rename_noreplace(from.c_str(), to.c_str());
  }
  if (error != 0) {
    ::unlink(from.c_str());
    return failed(error, "creating", to);
  }
  touched.push_back(parent_of(to));
  return touched;
}

Result<std::optional<Spare>> set_aside(const std::string& path, const std::string& spare, std::uint64_t size_max) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return failed(errno, "removing", path);
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const bool fit = S_ISREG(status.st_mode) && status.st_nlink == 1 && size <= size_max;
  if (fit && ::rename(path.c_str(), spare.c_str()) == 0) return Spare{spare, size};
  TRY_VOID(remove_files({path}));
  return std::nullopt;
}

Result<void> sync_directory(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return failed(errno, "opening directory", path);
  if (::fsync(fd.get()) != 0) return failed(errno, "syncing directory", path);
  return {};
}

Result<Fd> open_for_reading(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  // A file where a directory would have to be: the key cannot exist.
  if (!fd.valid()) return failed(errno == ENOTDIR ? ENOENT : errno, "opening", path);
  return fd;
}

Result<Slice> read_range(int fd, const std::string& path, ByteRange range) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return failed(errno, "reading", path);
  if (S_ISDIR(status.st_mode)) return failed(ENOENT, "opening", path);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (range.offset > size) {
    return fail(Code::kInvalid, fmt::format("range at {} begins after the {} bytes of {}", range.offset, size, path));
  }
  Slice body = Slice::uninitialized(std::min(range.size, size - range.offset));
  const auto got = read_at(fd, body.mutable_data(), body.size(), range.offset);
  if (!got) return failed(got.error(), "reading", path);
  if (*got < body.size()) return fail(Code::kCorrupt, fmt::format("{} shrank while it was read", path));
  return body;
}

Result<Slice> read_whole(const std::string& path) {
  TRY(Fd fd, open_for_reading(path));
  return read_range(fd.get(), path, {0, ~std::uint64_t{0}});
}

Result<void> remove_files(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) return failed(errno, "removing", path);
  }
  return {};
}

Result<std::vector<Listed>> list_keys(const std::string& root, const std::string& prefix,
                                      const std::string& start_after, std::size_t limit) {
  Listing listing{root, prefix, start_after, limit, {}};
  const std::size_t slash = prefix.rfind('/');
  TRY_VOID(list_below(listing, slash == std::string::npos ? "" : prefix.substr(0, slash + 1)));
  return std::move(listing.found);
}

}  // namespace millrace::object::file_io
