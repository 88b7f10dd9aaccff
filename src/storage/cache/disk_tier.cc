#include "storage/cache/disk_tier.h"

#include "base/crc32c.h"
#include "base/log.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kWritesInFlight = 8;

}  // namespace

DiskTier::DiskTier(TaskScope& scope, std::shared_ptr<object::BlockFile> file, StorageMetrics& metrics)
    : scope_(scope), file_(std::move(file)), metrics_(metrics), names_(file_ ? file_->blocks() : 0) {}

void DiskTier::put(const std::string& name, Slice bytes) {
  if (!file_ || holds(name) || writing_ >= kWritesInFlight || scope_.stopping().is_set()) return;
  const Entry entry{next_, bytes.size(), crc32c(bytes), ++writes_};
  next_ = (next_ + 1) % file_->blocks();
  if (auto& before = names_[entry.block]; !before.empty()) {
    entries_.erase(before);
    before.clear();
  }
  ++writing_;
  scope_.spawn(write(name, entry, std::move(bytes)));
}

Task<void> DiskTier::write(std::string name, Entry entry, Slice bytes) {
  const Result<void> done = co_await file_->write(entry.block, std::move(bytes));
  --writing_;
  if (!done) {
    metrics_.disk_cache_errors.Increment();
    LOG_WARN("cache.disk_write_failed", {"error", done.error().to_string()});
    co_return;
  }
  // The ring came round meanwhile, or the same block was put twice.
  const bool overtaken = writes_ - entry.written >= file_->blocks() || holds(name);
  if (overtaken) co_return;
  names_[entry.block] = name;
  entries_[name] = entry;
}

bool DiskTier::is_current(const std::string& name, const Entry& entry) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.written == entry.written;
}

Task<std::optional<Slice>> DiskTier::read(std::string name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) co_return std::nullopt;
  const Entry entry = found->second;
  Result<Slice> got = co_await file_->read(entry.block, entry.size);
  if (!is_current(name, entry)) co_return std::nullopt;  // its place was taken while it was read
  if (got && crc32c(*got) == entry.crc) {
    metrics_.disk_cache_hits.Increment();
    co_return std::move(*got);
  }
  metrics_.disk_cache_errors.Increment();
  LOG_WARN("cache.disk_read_failed", {"error", got ? "the block is not as it was written" : got.error().to_string()});
  entries_.erase(name);
  names_[entry.block].clear();
  co_return std::nullopt;
}

}  // namespace millrace::storage
