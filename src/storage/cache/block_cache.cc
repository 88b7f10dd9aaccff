#include "storage/cache/block_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/cache/ranged_get.h"

namespace millrace::storage {

std::string BlockCache::name(const std::string& key, std::uint64_t block) { return fmt::format("{}#{}", key, block); }

Task<Result<SliceChain>> BlockCache::read(std::string key, std::uint64_t object_size, std::uint64_t position,
                                          std::uint64_t size) {
  SliceChain out;
  if (position > object_size || size > object_size - position) {
    co_return fail(Code::kCorrupt, fmt::format("{}: bytes [{}, {}) lie beyond its {} bytes", key, position,
                                               position + size, object_size));
  }
  const std::uint64_t end = position + size;
  while (position < end) {
    const std::uint64_t block = position / kBlockBytes;
    auto found = blocks_.find(name(key, block));
    if (found == blocks_.end()) {
      const std::uint64_t last_wanted = (end - 1) / kBlockBytes, last_block = (object_size - 1) / kBlockBytes;
      const bool goes_on = block > 0 && blocks_.contains(name(key, block - 1));
      const std::uint64_t last = disk_.holds(name(key, block)) ? block : goes_on ? last_block : last_wanted;
      auto missing = claim(key, block, last);
      co_await fetch(key, object_size, block, std::move(missing));
      found = blocks_.find(name(key, block));
      if (found == blocks_.end()) {
        // It failed, or was evicted at once: the budget is tiny. Read what is needed past the cache.
        Result<Slice> direct = co_await get(key, {position, end - position});
        if (!direct) co_return fail(std::move(direct).error());
        if (direct->size() != end - position) co_return fail(Code::kCorrupt, key + " is shorter than its index says");
        out.append(std::move(*direct));
        co_return out;
      }
    } else {
      metrics_.cache_hits.Increment();
    }
    auto pending = found->second.data;
    if (!pending.ready()) {
      Result<Slice> arrived = co_await pending.wait();
      if (!arrived) co_return fail(std::move(arrived).error());
    } else {
      ages_.splice(ages_.begin(), ages_, found->second.age);
    }
    Result<Slice> data = co_await pending.wait();
    const std::uint64_t from = position - block * kBlockBytes;
    const std::uint64_t take = std::min(end, (block + 1) * kBlockBytes) - position;
    out.append(data->sub(from, take));
    position += take;
  }
  if (size > 0) read_ahead(key, object_size, (end - 1) / kBlockBytes);
  co_return out;
}

// `block` was just read: when it goes on from the one before, and nothing that follows is here, what follows is next.
void BlockCache::read_ahead(const std::string& key, std::uint64_t object_size, std::uint64_t block) {
  const std::uint64_t blocks = (object_size + kBlockBytes - 1) / kBlockBytes;
  const bool worth_it = block > 0 && block + 1 < blocks && kReadAheadBlocks * kBlockBytes * 8 <= bytes_max_;
  if (!worth_it || scope_.stopping().is_set()) return;
  if (!blocks_.contains(name(key, block - 1)) || blocks_.contains(name(key, block + 1))) return;
  // Others wait for what they asked for; and what lies on the disk is near.
  if (reads_.must_wait(kReadAheadBlocks * kBlockBytes) || disk_.holds(name(key, block + 1))) return;
  auto missing = claim(key, block + 1, blocks - 1);
  scope_.spawn(fetch(key, object_size, block + 1, std::move(missing)));
}

// The run of blocks from `first` on that nobody has or fetches yet, up to `last`: from now on they are awaited.
BlockCache::Run BlockCache::claim(const std::string& key, std::uint64_t first, std::uint64_t last) {
  Run run;
  for (std::uint64_t block = first; block <= last && run.size() < kReadAheadBlocks; ++block) {
    const auto [at, is_new] = blocks_.try_emplace(name(key, block));
    if (!is_new) break;
    run.push_back(at->second.data);
  }
  return run;
}

Task<void> BlockCache::fetch(std::string key, std::uint64_t object_size, std::uint64_t first, Run promises) {
  const std::uint64_t count = promises.size();
  const std::uint64_t from = first * kBlockBytes;
  const std::uint64_t size = std::min(count * kBlockBytes, object_size - from);
  Result<Slice> all = co_await get_block_run(key, {from, size});
  if (all && all->size() != size) {
    all = fail(Code::kCorrupt, fmt::format("{} ends before byte {}", key, from + size));
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string block_name = name(key, first + i);
    if (!all) {
      blocks_.erase(block_name);
      promises[i].set(fail(all.error()));
      continue;
    }
    const std::uint64_t at = i * kBlockBytes;
    Block& block = blocks_[block_name];
    block.bytes = all->sub(at, std::min(kBlockBytes, size - at));
    ages_.push_front(block_name);
    block.age = ages_.begin();
    bytes_ += block.bytes.size();
    promises[i].set(block.bytes);
  }
  evict();
}

Task<Result<Slice>> BlockCache::get_block_run(std::string key, object::ByteRange range) {
  if (range.size <= kBlockBytes) {
    auto kept = co_await disk_.read(name(key, range.offset / kBlockBytes));
    if (kept) co_return std::move(*kept);
  }
  metrics_.cache_misses.Increment(static_cast<double>((range.size + kBlockBytes - 1) / kBlockBytes));
  co_return co_await get(std::move(key), range);
}

Task<Result<Slice>> BlockCache::get(std::string key, object::ByteRange range) {
  co_await reads_.enter(range.size);
  metrics_.cold_read_bytes.Set(static_cast<double>(reads_.bytes()));
  Result<Slice> got = co_await get_range_again(store_, clock_, metrics_, std::move(key), range);
  reads_.leave(range.size);
  metrics_.cold_read_bytes.Set(static_cast<double>(reads_.bytes()));
  co_return got;
}

void BlockCache::evict() {
  while (bytes_ > bytes_max_ && !ages_.empty()) {
    const auto found = blocks_.find(ages_.back());
    bytes_ -= found->second.bytes.size();
    disk_.put(found->first, std::move(found->second.bytes));
    blocks_.erase(found);
    ages_.pop_back();
  }
  metrics_.cache_bytes.Set(static_cast<double>(bytes_));
}

}  // namespace millrace::storage
