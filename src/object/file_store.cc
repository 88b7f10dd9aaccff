#include "object/file_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <unordered_map>
#include <utility>

#include "object/digest.h"
#include "object/file_io.h"
#include "object/file_spares.h"
#include "object/key.h"

namespace millrace::object {
namespace {

constexpr std::size_t kKeptDescriptors = 64;

// Syncs directories for many PUTs at once: whoever asks while a sync of the same directory runs waits for the
// next one, which covers all that asked meanwhile. A sync that fails breaks the group for ever.
class DirectorySync {
 public:
  explicit DirectorySync(BlockingPool& files) : files_(files) {}

  Task<Result<void>> sync(std::string directory) {
    if (broken_) co_return fail(*broken_);
    std::shared_ptr<Group>& known = groups_[directory];
    if (!known) known = std::make_shared<Group>();
    const std::shared_ptr<Group> group = known;
    if (group->next) {
      const Promise<Result<void>> joined = *group->next;
      co_return co_await joined.wait();
    }
    // The first to ask for the next sync leads it, once the running one has ended.
    const Promise<Result<void>> turn;
    group->next = turn;
    while (group->running) co_await group->idle.wait();
    group->next.reset();
    group->running = true;
    Result<void> done = co_await sync_once(directory);
    group->running = false;
    turn.set(done);
    group->idle.pulse();
    if (!group->next) groups_.erase(directory);
    co_return done;
  }

 private:
  struct Group {
    bool running = false;
    Event idle;
    std::optional<Promise<Result<void>>> next;
  };

  Task<Result<void>> sync_once(std::string directory) {
    auto job = [directory] { return file_io::sync_directory(directory); };
    Result<void> done = co_await files_.run(std::move(job));
    if (!done && !broken_) broken_ = Error(Code::kTimeout, done.error().message() + "; restart to go on");
    if (broken_) co_return fail(*broken_);
    co_return done;
  }

  BlockingPool& files_;
  std::unordered_map<std::string, std::shared_ptr<Group>> groups_;
  std::optional<Error> broken_;
};

// Descriptors of objects that ranges are read from. Shared, so that one in use outlives its eviction.
class DescriptorCache {
 public:
  using Shared = std::shared_ptr<file_io::Fd>;
  Shared find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }
  void keep(const std::string& key, Shared fd) {
    drop(key);
    order_.emplace_front(key, std::move(fd));
    by_key_[key] = order_.begin();
    if (order_.size() > kKeptDescriptors) {
      by_key_.erase(order_.back().first);
      order_.pop_back();
    }
  }
  void drop(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    order_.erase(found->second);
    by_key_.erase(found);
  }

 private:
  std::list<std::pair<std::string, Shared>> order_;
  std::unordered_map<std::string, std::list<std::pair<std::string, Shared>>::iterator> by_key_;
};

class FileStore final : public Store {
 public:
  FileStore(std::string root, Sync sync, file_io::Fd lock, BlockingPool& files)
      : root_(std::move(root)), durable_(sync == Sync::kOn), lock_(std::move(lock)), files_(files), syncs_(files) {}

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    CO_TRY_VOID(check_key(key));
    std::string spare = spares_.take(body.size());
    const bool reused = !spare.empty();
    auto job = [to = path_of(key), from = reused ? std::move(spare) : next_temporary(), reused, body = std::move(body),
                durable = durable_] { return create(from, reused, to, body, durable); };
    Result<Placed> placed = co_await files_.run(std::move(job));
    if (!placed && placed.error().code() == Code::kExhausted) co_await unlink(spares_.give_up());
    // An object that exists may be an earlier attempt's whose directory is not synced yet: sync before answering.
    if (!placed && placed.error().code() == Code::kExists) {
      std::vector<std::string> directories(1, parent_of(key));
      CO_TRY_VOID(co_await sync_all(std::move(directories)));
    }
    if (!placed) co_return fail(std::move(placed).error());
    CO_TRY_VOID(co_await sync_all(std::move(placed->directories)));
    co_return std::move(placed->etag);
  }

  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    CO_TRY_VOID(check_key(key));
    while (replacing_) co_await replaced_.wait();
    replacing_ = true;
    auto job = [to = path_of(key), from = next_temporary(), body = std::move(body), etag = std::move(etag),
                durable = durable_] { return replace(from, to, body, etag, durable); };
    const RunningReads::Guard reading(reads_, key);
    Result<Placed> placed = co_await files_.run(std::move(job));
    descriptors_.drop(key);
    replacing_ = false;
    replaced_.pulse();
    if (!placed) co_return fail(std::move(placed).error());
    CO_TRY_VOID(co_await sync_all(std::move(placed->directories)));
    co_return std::move(placed->etag);
  }

  Task<Result<Object>> get(std::string key) override {
    CO_TRY_VOID(check_key(key));
    auto job = [path = path_of(key)]() -> Result<Object> {
      TRY(Slice body, file_io::read_whole(path));
      std::string etag = content_etag(body.view());
      return Object{std::move(body), std::move(etag)};
    };
    const RunningReads::Guard reading(reads_, key);
    co_return co_await files_.run(std::move(job));
  }

  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    CO_TRY_VOID(check_key(key));
    DescriptorCache::Shared fd = descriptors_.find(key);
    auto job = [path = path_of(key), &fd, range]() -> Result<Slice> {
      if (!fd) {
        TRY(file_io::Fd opened, file_io::open_for_reading(path));
        fd = std::make_shared<file_io::Fd>(std::move(opened));
      }
      return file_io::read_range(fd->get(), path, range);
    };
    const bool was_open = fd != nullptr;
    const RunningReads::Guard reading(reads_, key);
    Result<Slice> bytes = co_await files_.run(std::move(job));
    if (!was_open && bytes) descriptors_.keep(key, fd);
    co_return bytes;
  }

  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    Result<Object> object = co_await get(std::move(key));
    if (!object) co_return fail(std::move(object).error());
    if (object->etag == etag) co_return std::optional<Object>();
    co_return std::optional<Object>(std::move(*object));
  }

  Task<Result<void>> remove(std::vector<std::string> keys) override {
    struct Removal {
      std::string path, spare;
      std::optional<file_io::Spare> set_aside;
    };
    std::vector<Removal> removals;
    for (const auto& key : keys) {
      CO_TRY_VOID(check_key(key));
      descriptors_.drop(key);
      removals.push_back({path_of(key), next_temporary(), {}});
    }
    auto job = [&removals]() -> Result<void> {
      for (auto& each : removals) {
        TRY(each.set_aside, file_io::set_aside(each.path, each.spare, SpareFiles::kOneBytesMax));
      }
      return {};
    };
    const Result<void> removed = co_await files_.run(std::move(job));
    // A GET that runs now may have opened the file under its key; later ones could not.
    std::vector<std::string> unwanted;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      auto& spare = removals[i].set_aside;
      if (!spare) continue;
      if (reads_.any(keys[i]) || !spares_.has_room(spare->size)) {
        unwanted.push_back(std::move(spare->path));
      } else {
        spares_.add(std::move(*spare));
      }
    }
    co_await unlink(std::move(unwanted));
    co_return removed;
  }

  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    auto job = [root = root_, prefix = std::move(prefix), start_after = std::move(start_after), limit] {
      return file_io::list_keys(root, prefix, start_after, limit);
    };
    co_return co_await files_.run(std::move(job));
  }

 private:
  struct Placed {
    std::string etag;
    std::vector<std::string> directories;  // to be synced before the PUT is durable
  };

  static Result<Placed> create(const std::string& from, bool spare, const std::string& to, const SliceChain& body,
                               bool durable) {
    TRY(auto etag, not_applied(file_io::write_file(from, spare, body, durable)));
    TRY(auto directories, file_io::rename_as_new(from, to));
    return Placed{std::move(etag), std::move(directories)};
  }

  static Result<Placed> replace(const std::string& from, const std::string& to, const SliceChain& body,
                                const std::string& etag, bool durable) {
    TRY(Slice now, file_io::read_whole(to));
    if (content_etag(now.view()) != etag) return fail(Code::kExists, "object changed: " + to);
    TRY(auto new_etag, not_applied(file_io::write_file(from, false, body, durable)));
    if (::rename(from.c_str(), to.c_str()) != 0) {
      const int error = errno;
      ::unlink(from.c_str());
      return fail(file_io::error_of(error, "replacing", to));
    }
    return Placed{std::move(new_etag), {to.substr(0, to.rfind('/'))}};
  }

  // Bytes that never got their key are definitely not applied.
  static Result<std::string> not_applied(Result<std::string> written) {
    if (written) return written;
    const Code code = written.error().code();
    if (code == Code::kTimeout || code == Code::kExists) return fail(Code::kUnavailable, written.error().message());
    return written;
  }

  Task<Result<void>> sync_all(std::vector<std::string> directories) {
    if (!durable_) co_return Result<void>();
    for (auto& directory : directories) CO_TRY_VOID(co_await syncs_.sync(std::move(directory)));
    co_return Result<void>();
  }

  Task<void> unlink(std::vector<std::string> paths) {
    if (paths.empty()) co_return;
    auto job = [&paths] { (void)file_io::remove_files(paths); };  // what stays is gone at the next start
    co_await files_.run(std::move(job));
  }

  std::string path_of(const std::string& key) const { return root_ + "/" + key; }
  std::string parent_of(const std::string& key) const {
    const std::string path = path_of(key);
    return path.substr(0, path.rfind('/'));
  }
  std::string next_temporary() { return fmt::format("{}/.tmp/{}", root_, next_temporary_++); }

  std::string root_;
  bool durable_;
  file_io::Fd lock_;
  BlockingPool& files_;
  DirectorySync syncs_;
  DescriptorCache descriptors_;
  RunningReads reads_;
  SpareFiles spares_;
  std::uint64_t next_temporary_ = 0;
  bool replacing_ = false;
  Event replaced_;
};

Result<file_io::Fd> take_lock(const std::string& root) {
  const std::string path = root + "/.lock";
  file_io::Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return fail(file_io::error_of(errno, "opening", path));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const ssize_t size = ::pread(lock.get(), pid, sizeof pid - 1, 0);
    const std::string holder(pid, size > 0 ? static_cast<std::size_t>(size) : 0);
    return fail(Code::kExists, fmt::format("bucket directory {} is in use by process {}; stop it first, or give this "
                                           "process a directory of its own",
                                           root, holder.empty() ? "(unknown)" : holder.substr(0, holder.find('\n'))));
  }
  const std::string mine = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), mine.data(), mine.size(), 0) < 0)
    return fail(file_io::error_of(errno, "writing", path));
  return lock;
}

// What a killed predecessor was writing. Only the holder of the lock may do this.
Result<void> empty_temporary(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(file_io::error_of(errno, "making directory", directory));
  TRY(auto left, file_io::list_keys(directory, "", "", ~std::size_t{0}));
  std::vector<std::string> paths;
  for (const auto& file : left) paths.push_back(directory + "/" + file.key);
  return file_io::remove_files(paths);
}

}  // namespace

Result<std::unique_ptr<Store>> open_file_store(std::string directory, Sync sync, Executor, BlockingPool& files) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  if (directory.find('/') == std::string::npos) directory.insert(0, "./");
  TRY(auto made, file_io::make_parents(directory + "/.lock"));
  TRY(file_io::Fd lock, take_lock(directory));
  TRY_VOID(empty_temporary(directory + "/.tmp"));
  if (sync == Sync::kOn && ::syncfs(lock.get()) != 0)
    return fail(file_io::error_of(errno, "syncing the file system of", directory));
  return std::make_unique<FileStore>(std::move(directory), sync, std::move(lock), files);
}

}  // namespace millrace::object
