#include "disk/sim_disk.h"

#include <algorithm>

#include "disk/segment_codec.h"

namespace millrace::disk {

// One process's handle.
class SimDisk final : public WalDisk {
 public:
  SimDisk(SimVolume& device, Clock& clock, std::uint64_t session, std::string place, bool held_here_before)
      : device_(device),
        clock_(clock),
        session_(session),
        place_(std::move(place)),
        held_here_before_(held_here_before) {}
  ~SimDisk() override {
    if (device_.session_ == session_) device_.session_ = 0;
    device_.elsewhere_.erase(session_);
  }

  const Uuid& volume() const override { return device_.volume_; }
  const std::string& place() const override { return place_; }
  bool held_here_before() const override { return held_here_before_; }

  Task<Result<std::vector<DiskFile>>> list() override {
    CO_TRY_VOID(co_await arrive());
    std::vector<DiskFile> files;
    for (const auto& [name, file] : device_.files_) files.push_back({name, file.seen.size()});
    co_return files;
  }

  Task<Result<void>> create(std::string name, std::uint64_t size) override {
    CO_TRY_VOID(co_await arrive());
    if (device_.files_.contains(name)) co_return fail(Code::kExists, "file " + name + " exists");
    if (size > device_.options_.capacity || device_.bytes() > device_.options_.capacity - size) {
      co_return fail(Code::kExhausted, "no space left for " + name);
    }
    auto& file = device_.files_[name];
    const bool lives = device_.step();
    file.seen.assign(lives ? size : device_.random_.below(size), '\0');
    if (!lives) co_return lost();
    file.name_durable = true;
    co_return Result<void>();
  }

  Task<Result<void>> write(std::string name, std::uint64_t offset, SliceChain bytes) override {
    CHECK(offset % kBlockBytes == 0 && bytes.size() % kBlockBytes == 0);
    CO_TRY_VOID(co_await arrive());
    CO_TRY_VOID(exists(name));
    auto& file = device_.files_.at(name);
    if (offset + bytes.size() > file.seen.size()) co_return fail(Code::kInvalid, "write beyond the end of " + name);
    const bool lives = device_.step();
    device_.change(file, offset, bytes.flatten());
    if (!lives) co_return lost();
    CO_TRY_VOID(co_await arrive());
    co_return co_await sync(std::move(name));
  }

  Task<Result<void>> sync(std::string name) override {
    CO_TRY_VOID(co_await arrive());
    CO_TRY_VOID(exists(name));
    if (!device_.step()) co_return lost();
    co_return device_.sync(device_.files_.at(name));
  }

  Task<Result<Slice>> read(std::string name, object::ByteRange range) override {
    CO_TRY_VOID(co_await arrive());
    CO_TRY_VOID(exists(name));
    co_return Slice::of(device_.read(device_.files_.at(name), range));
  }

  Task<Result<void>> remove(std::string name) override {
    CO_TRY_VOID(co_await arrive());
    device_.files_.erase(name);
    co_return Result<void>();
  }

  Task<bool> still_last() override { co_return device_.session_ == session_; }

 private:
  bool alive() const { return device_.holds(session_); }
  static std::unexpected<Error> gone() { return fail(Code::kTimeout, "the process that asked is gone"); }
  std::unexpected<Error> lost() {
    device_.crash();
    return gone();
  }
  Result<void> exists(const std::string& name) const {
    if (device_.files_.contains(name)) return {};
    return fail(Code::kNotFound, "no file " + name);
  }
  Task<Result<void>> arrive() {
    const auto& options = device_.options_;
    const auto spread = static_cast<std::uint64_t>((options.latency_max - options.latency_min).count());
    const Duration takes = options.latency_min + Duration(spread > 0 ? device_.random_.below(spread) : 0);
    if (takes > 0ms) {
      co_await sleep_for(clock_, takes);
    } else {
      co_await yield_now();
    }
    if (!alive()) co_return gone();
    co_return Result<void>();
  }

  SimVolume& device_;
  Clock& clock_;
  std::uint64_t session_;
  std::string place_;
  bool held_here_before_;
};

SimVolume::SimVolume(Random& random, SimDiskOptions options)
    : random_(random), options_(options), volume_(Uuid::random(random)) {}

Result<std::unique_ptr<WalDisk>> SimVolume::attach(Clock& clock, std::string place) {
  if (session_ != 0) return fail(Code::kExists, "the volume is in use by another process");
  session_ = ++sessions_;
  died_ = false;
  const bool same = last_place_ == place;
  last_place_ = place;
  return std::make_unique<SimDisk>(*this, clock, session_, std::move(place), same);
}

std::unique_ptr<WalDisk> SimVolume::attach_elsewhere(Clock& clock, std::string place) {
  if (session_ != 0) elsewhere_.insert(session_);
  session_ = ++sessions_;
  last_place_ = place;
  return std::make_unique<SimDisk>(*this, clock, session_, std::move(place), false);
}

void SimVolume::detach(std::uint64_t session, bool power_lost) {
  if (power_lost && session == session_ && elsewhere_.empty()) return crash();
  if (session == session_) session_ = 0;
  elsewhere_.erase(session);
}

// Each sector for itself, as disks promise no order before a sync.
void SimVolume::crash() {
  session_ = 0;
  elsewhere_.clear();
  die_at_ = 0;
  died_ = true;
  for (auto& [name, file] : files_) {
    for (auto& [sector, old] : file.old) {
      const std::uint64_t fate = random_.below(4);
      if (fate == 0) continue;  // the new bytes got there
      const std::size_t kept = fate == 1 ? random_.below(old.size()) : 0;
      file.seen.replace(sector * kSectorBytes + kept, old.size() - kept, old, kept);
    }
    for (auto& [sector, old] : file.forgotten) file.seen.replace(sector * kSectorBytes, old.size(), old);
    file.old.clear();
    file.forgotten.clear();
  }
  std::erase_if(files_, [this](const auto& file) { return !file.second.name_durable && random_.below(2) == 0; });
  for (auto& [name, file] : files_) file.name_durable = true;
}

std::uint64_t SimVolume::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, file] : files_) sum += file.seen.size();
  return sum;
}

std::vector<std::string> SimVolume::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::string SimVolume::read(const File& file, object::ByteRange range) const {
  const auto begin = std::min<std::uint64_t>(range.offset, file.seen.size());
  std::string bytes = file.seen.substr(begin, range.size);
  const std::uint64_t end = begin + bytes.size();
  for (const auto& [sector, old] : file.forgotten) {
    const std::uint64_t from = std::max(begin, sector * kSectorBytes);
    const std::uint64_t to = std::min(end, sector * kSectorBytes + old.size());
    if (from < to) bytes.replace(from - begin, to - from, old, from - sector * kSectorBytes, to - from);
  }
  return bytes;
}

bool SimVolume::step() { return ++steps_ != die_at_; }

void SimVolume::change(File& file, std::uint64_t offset, std::string_view bytes) {
  for (std::uint64_t at = 0; at < bytes.size(); at += kSectorBytes) {
    const std::uint64_t sector = (offset + at) / kSectorBytes;
    if (auto forgotten = file.forgotten.extract(sector)) {
      file.old.insert(std::move(forgotten));
    } else {
      file.old.try_emplace(sector, file.seen.substr(offset + at, kSectorBytes));
    }
  }
  file.seen.replace(offset, bytes.size(), bytes);
}

Result<void> SimVolume::sync(File& file) {
  if (!std::exchange(sync_fails_, false)) {
    file.old.clear();
    return {};
  }
  // Some got there; the others look clean from now on, and no later sync writes them.
  std::erase_if(file.old, [this](const auto&) { return random_.below(2) == 0; });
  file.forgotten.merge(file.old);
  file.old.clear();
  return fail(Code::kTimeout, "sync: input/output error");
}

}  // namespace millrace::disk
