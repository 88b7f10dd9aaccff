#include "disk/posix_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "disk/segment_codec.h"
#include "disk/segment_scan.h"
#include "object/file_direct.h"
#include "object/file_io.h"
#include "object/file_text.h"

namespace millrace::disk {
namespace {

namespace file_io = object::file_io;
using file_io::Fd;

constexpr std::size_t kWriters = 2;  // one writes a frame, one prepares the next segment
constexpr std::size_t kReaders = 2;  // of their own: what is read must not delay an ack

Error error_of(int error, const std::string& doing, const std::string& path) {
  const Code code = file_io::error_of(error, doing, path).code();
  std::string text = fmt::format("{} {}: {}", doing, path, std::strerror(error));
  if (code == Code::kExhausted) text += " (free space on this file system, or move the WAL to a larger one)";
  if (code == Code::kDenied) text += " (the WAL directory must be writable by this user)";
  return {code, std::move(text)};
}

// 0 or an errno. Durable when it is 0.
int write_durably(int fd, const SliceChain& bytes, std::uint64_t offset) {
  char* buffer = file_io::direct_buffer();
  file_io::ChainCopier copier(bytes);
  bool synced = false;
  while (const std::size_t filled = copier.fill(buffer, file_io::kDirectBufferBytes)) {
    int error = 0;
    if (filled == bytes.size()) {
      error = file_io::write_at(fd, buffer, filled, offset, RWF_DSYNC);
      synced = error == 0;
    }
    // Several pieces, or a file system that does not know the flag.
    if (filled < bytes.size() || error == EOPNOTSUPP || error == ENOSYS)
      error = file_io::write_at(fd, buffer, filled, offset, 0);
    if (error != 0) return error;
    offset += filled;
  }
  if (!synced && ::fdatasync(fd) != 0) return errno;
  return 0;
}

// 0 or an errno.
int fill_with_zeros(int fd, std::uint64_t size) {
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL) return error;
  char* buffer = file_io::direct_buffer();
  std::memset(buffer, 0, file_io::kDirectBufferBytes);
  for (std::uint64_t at = 0; at < size; at += file_io::kDirectBufferBytes) {
    if (const int failed =
            file_io::write_at(fd, buffer, std::min<std::uint64_t>(file_io::kDirectBufferBytes, size - at), at, 0))
      return failed;
  }
  return ::fdatasync(fd) == 0 ? 0 : errno;
}

// Held (flock) as long as it is open.
struct DirectoryLock {
  Fd fd;
  bool held_here_before = false;
  std::string text;  // what this process wrote into it
};

struct OpenFile {
  Fd fd;
  std::string path;
};

Result<std::shared_ptr<OpenFile>> open_segment(const std::string& path, int more_flags) {
  const int flags = O_RDWR | O_CLOEXEC | more_flags;
  Fd fd(::open(path.c_str(), flags | O_DIRECT, 0644));
  if (!fd.valid() && errno == EINVAL) {
    if (more_flags & O_EXCL) ::unlink(path.c_str());  // some file systems refuse only after they made it
    fd = Fd(::open(path.c_str(), flags, 0644));
  }
  if (!fd.valid()) return fail(error_of(errno, more_flags & O_CREAT ? "creating" : "opening", path));
  auto file = std::make_shared<OpenFile>();
  file->fd = std::move(fd);
  file->path = path;
  return file;
}

// Whole blocks around the range: O_DIRECT takes nothing else.
Result<Slice> read_blocks(const OpenFile& file, object::ByteRange range) {
  const std::uint64_t begin = range.offset / kBlockBytes * kBlockBytes;
  const std::uint64_t size = whole_blocks(range.offset + range.size - begin);
  const std::shared_ptr<char> owner = file_io::aligned_memory(std::max<std::uint64_t>(size, kBlockBytes));
  char* memory = owner.get();
  const auto got = file_io::read_at(file.fd.get(), memory, size, begin);
  if (!got) return fail(error_of(got.error(), "reading", file.path));
  const std::uint64_t skipped = range.offset - begin;
  const std::uint64_t there = *got > skipped ? *got - skipped : 0;
  return Slice(owner, memory + skipped, std::min(range.size, there));
}

class PosixDisk final : public WalDisk {
 public:
  PosixDisk(std::string directory, std::string place, Uuid volume, DirectoryLock lock)
      : directory_(std::move(directory)), place_(std::move(place)), volume_(volume), lock_(std::move(lock)) {}

  const Uuid& volume() const override { return volume_; }
  const std::string& place() const override { return place_; }
  bool held_here_before() const override { return lock_.held_here_before; }

  Task<Result<std::vector<DiskFile>>> list() override {
    auto job = [root = directory_]() -> Result<std::vector<DiskFile>> {
      TRY(const auto found, file_io::list_keys(root, "", "", ~std::size_t{0}));
      std::vector<DiskFile> files;
      for (const auto& each : found) {
        if (parse_segment_name(each.key)) files.push_back({each.key, each.size_bytes});
      }
      return files;
    };
    co_return co_await writers_.run(std::move(job));
  }

  Task<Result<void>> create(std::string name, std::uint64_t size) override {
    auto job = [path = path_of(name), directory = directory_, size]() -> Result<std::shared_ptr<OpenFile>> {
      TRY(auto file, open_segment(path, O_CREAT | O_EXCL));
      if (const int error = fill_with_zeros(file->fd.get(), size)) {
        ::unlink(path.c_str());
        return fail(error_of(error, "making", path));
      }
      TRY_VOID(file_io::sync_directory(directory));
      return file;
    };
    CO_TRY(auto file, co_await writers_.run(std::move(job)));
    files_[name] = std::move(file);
    co_return Result<void>();
  }

  Task<Result<void>> write(std::string name, std::uint64_t offset, SliceChain bytes) override {
    CHECK(offset % kBlockBytes == 0 && bytes.size() % kBlockBytes == 0);
    CO_TRY(const auto file, co_await find(name));
    auto job = [file, offset, bytes = std::move(bytes)]() -> Result<void> {
      const int error = write_durably(file->fd.get(), bytes, offset);
      if (error != 0) return fail(error_of(error, "writing", file->path));
      return {};
    };
    co_return co_await writers_.run(std::move(job));
  }

  Task<Result<void>> sync(std::string name) override {
    CO_TRY(const auto file, co_await find(name));
    auto job = [file]() -> Result<void> {
      if (::fdatasync(file->fd.get()) != 0) return fail(error_of(errno, "syncing", file->path));
      return {};
    };
    co_return co_await writers_.run(std::move(job));
  }

  Task<Result<Slice>> read(std::string name, object::ByteRange range) override {
    CO_TRY(const auto file, co_await find(name));
    auto job = [file, range] { return read_blocks(*file, range); };
    co_return co_await readers_.run(std::move(job));
  }

  Task<Result<void>> remove(std::string name) override {
    files_.erase(name);
    auto job = [path = path_of(name)]() -> Result<void> {
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(error_of(errno, "removing", path));
      return {};
    };
    co_return co_await writers_.run(std::move(job));
  }

  Task<bool> still_last() override {
    auto job = [path = directory_ + "/lock", mine = lock_.text] {
      const auto text = object::read_file_text(path);
      return text && *text == mine;
    };
    co_return co_await readers_.run(std::move(job));
  }

 private:
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }

  Task<Result<std::shared_ptr<OpenFile>>> find(std::string name) {
    if (const auto found = files_.find(name); found != files_.end()) co_return found->second;
    auto job = [path = path_of(name)] { return open_segment(path, 0); };
    CO_TRY(auto file, co_await writers_.run(std::move(job)));
    files_[name] = file;
    co_return file;
  }

  std::string directory_, place_;
  Uuid volume_;
  DirectoryLock lock_;
  std::map<std::string, std::shared_ptr<OpenFile>> files_;
  BlockingPool writers_{kWriters}, readers_{kReaders};  // last: their threads end before what they use
};

// Another for each host and each start of it; the same in all its containers. Empty when the kernel does not tell.
std::string boot_id() {
  const auto text = object::read_file_text("/proc/sys/kernel/random/boot_id");
  return text ? text->substr(0, text->find('\n')) : std::string();
}

// The file holds two lines: the pid, and the boot id of the host on which it was taken last.
Result<DirectoryLock> take_directory_lock(const std::string& directory) {
  const std::string path = directory + "/lock";
  DirectoryLock lock;
  lock.fd = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.fd.valid()) return fail(error_of(errno, "opening", path));
  const bool taken = ::flock(lock.fd.get(), LOCK_EX | LOCK_NB) == 0;
  char text[128] = {};
  const ssize_t size = ::pread(lock.fd.get(), text, sizeof text - 1, 0);
  const std::string_view last(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string_view pid = last.substr(0, last.find('\n'));
  if (!taken) {
    return fail(Code::kExists, fmt::format("WAL directory {} is in use by process {}; stop it first, or give this "
                                           "process a directory of its own",
                                           directory, pid.empty() ? "(unknown)" : pid));
  }
  const std::string boot = boot_id();
  lock.held_here_before = !boot.empty() && last.substr(pid.size()) == "\n" + boot + "\n";
  const std::string mine = lock.text = fmt::format("{}\n{}\n", ::getpid(), boot);
  const bool written = ::ftruncate(lock.fd.get(), 0) == 0 && ::pwrite(lock.fd.get(), mine.data(), mine.size(), 0) > 0;
  if (!written || ::fdatasync(lock.fd.get()) != 0) return fail(error_of(errno, "writing", path));
  return lock;
}

// The name of this volume, drawn once. Durable before it is told to anyone.
Result<Uuid> volume_of(const std::string& directory, Random& random) {
  const std::string path = directory + "/volume";
  auto text = object::read_file_text(path);
  if (text) {
    auto volume = Uuid::parse(std::string_view(*text).substr(0, text->find('\n')));
    if (!volume) return fail(Code::kCorrupt, path + " does not hold a volume's name; restore it from a backup");
    return volume;
  }
  if (text.error().code() != Code::kNotFound) return fail(std::move(text).error());
  TRY(const auto files, file_io::list_keys(directory, "", "", ~std::size_t{0}));
  for (const auto& file : files) {
    if (parse_segment_name(file.key)) {
      return fail(Code::kCorrupt,
                  fmt::format("{} is missing, but {} is there; restore it from a backup", path, file.key));
    }
  }
  const Uuid volume = Uuid::random(random);
  const std::string line = volume.to_string() + "\n", temporary = path + ".new";
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return fail(error_of(errno, "creating", temporary));
  const bool written = ::pwrite(file.get(), line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
  if (!written || ::fsync(file.get()) != 0) return fail(error_of(errno, "writing", temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(error_of(errno, "creating", path));
  TRY_VOID(file_io::sync_directory(directory));
  return volume;
}

}  // namespace

Result<std::unique_ptr<WalDisk>> open_posix_disk(std::string directory, const std::string& host, Random& random) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  if (directory.find('/') == std::string::npos) directory.insert(0, "./");
  auto made = file_io::make_parents(directory + "/lock");
  if (!made) return fail(Error(made.error().code(), "WAL directory: " + made.error().message()));
  for (const auto& parent : *made) TRY_VOID(file_io::sync_directory(parent.empty() ? "/" : parent));
  TRY(DirectoryLock lock, take_directory_lock(directory));
  TRY(const Uuid volume, volume_of(directory, random));
  char resolved[PATH_MAX];
  const char* full = ::realpath(directory.c_str(), resolved);
  std::string place = fmt::format("{}:{}", host, full ? full : directory.c_str());
  return std::make_unique<PosixDisk>(std::move(directory), std::move(place), volume, std::move(lock));
}

}  // namespace millrace::disk
