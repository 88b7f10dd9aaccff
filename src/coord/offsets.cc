#include "coord/offsets.h"

#include <algorithm>
#include <string_view>

namespace millrace::coord {

void Offsets::put(const OffsetKey& key, CommittedOffset offset) {
  auto& slot = all_[key];
  if (slot.log_offset > offset.log_offset) return;
  slot = std::move(offset);
}

void Offsets::remove(const OffsetKey& key, std::int64_t log_offset) {
  const auto found = all_.find(key);
  if (found != all_.end() && found->second.log_offset <= log_offset) all_.erase(found);
}

std::vector<OffsetKey> Offsets::expired(std::int64_t now_ms, std::int64_t retention_ms, const GroupAge& age) const {
  std::vector<OffsetKey> gone;
  for (const auto& [key, offset] : all_) {
    bool over = false;
    if (offset.expire_ms >= 0) {
      over = offset.expire_ms <= now_ms && (age.simple || age.empty_since_ms);
    } else if (age.simple) {
      over = now_ms - offset.commit_ms >= retention_ms;
    } else if (age.empty_since_ms) {
      over = now_ms - std::max(*age.empty_since_ms, offset.commit_ms) >= retention_ms;
    }
    if (over) gone.push_back(key);
  }
  return gone;
}

std::vector<OffsetKey> Offsets::of_topic(const std::string& topic) const {
  std::vector<OffsetKey> found;
  for (auto it = all_.lower_bound({topic, 0}); it != all_.end() && it->first.topic == topic; ++it) {
    found.push_back(it->first);
  }
  return found;
}

std::int32_t partition_for_group(std::string_view group, std::int32_t partitions) {
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < group.size();) {
    const auto lead = static_cast<unsigned char>(group[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < group.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(group[i + k]) & 0x3fu);
    }
    i += length;
    if (point >= 0x10000) {
      hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
      hash = hash * 31 + (0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      hash = hash * 31 + point;
    }
  }
  // Java's absolute value, which has none for the smallest integer.
  if (hash == 0x80000000u) return 0;
  const std::uint32_t positive = hash < 0x80000000u ? hash : 0u - hash;
  return static_cast<std::int32_t>(positive % static_cast<std::uint32_t>(partitions));
}

}  // namespace millrace::coord
