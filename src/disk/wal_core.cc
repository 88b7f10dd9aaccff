#include "disk/wal_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::disk {
namespace {

bool is_free(const WalCore::Segment& segment) {
  return segment.state == WalCore::State::kIdle && segment.needed == 0 && segment.readers == 0;
}

bool may_be_used_again(const WalCore::Segment& segment) { return is_free(segment) && !segment.foreign; }

std::string prefix_of(const SlotAddress& address) {
  return storage::wal_prefix(address.broker_id, address.incarnation);
}

}  // namespace

std::size_t group_of(std::span<const std::uint64_t> waiting_sizes, const GroupLimits& limits) {
  std::uint64_t bytes = 0;
  std::size_t taken = 0;
  for (const auto size : waiting_sizes) {
    if (taken > 0 && (taken >= limits.records_max || frame_bytes(taken + 1, bytes + size) > limits.bytes_max)) break;
    bytes += size;
    ++taken;
  }
  return taken;
}

// ---- slots ----

void WalCore::note(const FrameRecord& record, SegmentId segment) {
  const Placement placement{segment, record.position, record.size, record.crc};
  auto& wal = wals_[prefix_of(record.address)];
  const auto [at, is_new] = wal.try_emplace(record.address.slot.value(), placement);
  // The same slot twice: a write whose outcome was unknown, and its repeat. Both hold the same bytes.
  if (!is_new) return;
  ++segments_.at(segment).needed;
  ++slots_;
  slot_bytes_ += record.size;
}

std::optional<Placement> WalCore::find(const SlotAddress& address) const {
  const auto wal = wals_.find(prefix_of(address));
  if (wal == wals_.end()) return std::nullopt;
  const auto slot = wal->second.find(address.slot.value());
  if (slot == wal->second.end()) return std::nullopt;
  return slot->second;
}

bool WalCore::holds_any_of(const cluster::WalId& wal) const {
  return wals_.contains(storage::wal_prefix(wal.broker_id, wal.incarnation));
}

bool WalCore::remove(const SlotAddress& address) {
  const auto wal = wals_.find(prefix_of(address));
  if (wal == wals_.end()) return false;
  const auto slot = wal->second.find(address.slot.value());
  if (slot == wal->second.end()) return false;
  --segments_.at(slot->second.segment).needed;
  --slots_;
  slot_bytes_ -= slot->second.size;
  wal->second.erase(slot);
  if (wal->second.empty()) wals_.erase(wal);
  return true;
}

std::vector<object::Listed> WalCore::list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) const {
  std::vector<object::Listed> listed;
  for (const auto& [wal, slots] : wals_) {
    const std::size_t common = std::min(wal.size(), prefix.size());
    if (std::string_view(wal).substr(0, common) != prefix.substr(0, common)) continue;
    for (const auto& [slot, placement] : slots) {
      if (listed.size() >= limit) return listed;
      std::string key = fmt::format("{}{:020}", wal, slot);
      if (key.starts_with(prefix) && key > start_after) listed.push_back({std::move(key), placement.size});
    }
  }
  return listed;
}

// ---- segments ----

SegmentId WalCore::add(std::string name, std::uint64_t size) {
  Segment segment;
  segment.name = std::move(name);
  segment.size = size;
  segments_.emplace(next_id_, std::move(segment));
  return next_id_++;
}

std::optional<SegmentId> WalCore::reusable(std::uint64_t size) const {
  std::optional<SegmentId> best;
  for (const auto& [id, segment] : segments_) {
    if (!may_be_used_again(segment) || segment.size < size) continue;
    if (!best || segment.size < segments_.at(*best).size) best = id;
  }
  return best;
}

std::vector<SegmentId> WalCore::surplus(std::size_t keep) const {
  std::vector<SegmentId> free, foreign;
  for (const auto& [id, segment] : segments_) {
    if (may_be_used_again(segment)) free.push_back(id);
    if (is_free(segment) && segment.foreign) foreign.push_back(id);
  }
  // The largest go first: they were made for one huge slot.
  std::sort(free.begin(), free.end(), [&](SegmentId a, SegmentId b) {
    const auto size_a = segments_.at(a).size, size_b = segments_.at(b).size;
    return size_a != size_b ? size_a > size_b : a < b;
  });
  free.resize(free.size() > keep ? free.size() - keep : 0);
  free.insert(free.end(), foreign.begin(), foreign.end());
  return free;
}

void WalCore::forget(SegmentId id) {
  CHECK(is_free(segments_.at(id)));
  segments_.erase(id);
}

void WalCore::all_foreign() {
  for (auto& [id, segment] : segments_) segment.foreign = true;
}

void WalCore::prepared(SegmentId id, std::uint64_t nonce) {
  Segment& segment = segments_.at(id);
  CHECK(may_be_used_again(segment));
  if (ready_) segments_.at(*ready_).state = State::kIdle;
  segment.state = State::kReady;
  segment.nonce = nonce;
  segment.end = kBlockBytes;
  ready_ = id;
}

bool WalCore::has_ready() const { return ready_.has_value(); }

std::optional<WalCore::Spot> WalCore::place(std::uint64_t size) {
  CHECK(size > 0 && size % kBlockBytes == 0);
  const auto fits = [&](const std::optional<SegmentId>& id) {
    return id && segments_.at(*id).size - segments_.at(*id).end >= size;
  };
  if (!fits(active_)) {
    if (!fits(ready_)) return std::nullopt;
    if (active_) segments_.at(*active_).state = State::kIdle;
    active_ = std::exchange(ready_, std::nullopt);
    segments_.at(*active_).state = State::kActive;
  }
  return Spot{*active_, segments_.at(*active_).end};
}

void WalCore::written(const Spot& spot, std::uint64_t size) {
  Segment& segment = segments_.at(spot.segment);
  CHECK(active_ == spot.segment && segment.end == spot.position && segment.size - segment.end >= size);
  segment.end += size;
}

bool WalCore::wants_next() const {
  if (ready_) return false;
  return !active_ || segments_.at(*active_).end >= segments_.at(*active_).size / 2;
}

void WalCore::retire() {
  for (auto* id : {&active_, &ready_}) {
    if (*id) segments_.at(**id).state = State::kIdle;
    id->reset();
  }
}

}  // namespace millrace::disk
