// The committed offsets of one group, and when they are forgotten (KIP-211). Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kafka/messages/group_records.h"

namespace millrace::coord {

struct OffsetKey {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const OffsetKey&) const = default;
};

struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t commit_ms = 0;
  std::int64_t expire_ms = -1;   // asked for by clients before KIP-211; -1: by the group's rule
  std::int64_t log_offset = -1;  // of its record: an older record never replaces a newer one
};

// How the group is doing, for expiry: when it became empty, or nothing while it has members. `simple` groups
// (no protocol type) never have members: their offsets age from their own commit.
struct GroupAge {
  bool simple = true;
  std::optional<std::int64_t> empty_since_ms;
};

class Offsets {
 public:
  const CommittedOffset* find(const OffsetKey& key) const {
    const auto found = all_.find(key);
    return found == all_.end() ? nullptr : &found->second;
  }
  void put(const OffsetKey& key, CommittedOffset offset);
  // Ignored when a newer record than `log_offset` set it.
  void remove(const OffsetKey& key, std::int64_t log_offset);
  std::vector<OffsetKey> expired(std::int64_t now_ms, std::int64_t retention_ms, const GroupAge& age) const;
  std::vector<OffsetKey> of_topic(const std::string& topic) const;
  const std::map<OffsetKey, CommittedOffset>& all() const { return all_; }
  bool empty() const { return all_.empty(); }

 private:
  std::map<OffsetKey, CommittedOffset> all_;
};

// The partition of __consumer_offsets that a group belongs to: Java's String.hashCode over UTF-16 units.
std::int32_t partition_for_group(std::string_view group, std::int32_t partitions);

}  // namespace millrace::coord
