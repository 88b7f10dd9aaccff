// What the clients of one partition may rely on, checked at every answer: an acknowledged record is never lost nor
// moved, an offset never holds two records, a record (of an idempotent producer) never two offsets, offsets are dense
// and ordered, the high watermark and the log start never fall, also over crashes. In a compacted topic offsets are
// ordered, and of each key the newest record stays, but for a tombstone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"
#include "storage/api.h"

namespace millrace::sim {

struct Violations {
  explicit Violations(World& world_in) : world(world_in) {}
  void add(std::string what) {
    world.trace("violation", what);
    if (found.size() < 10) found.push_back(std::move(what));
  }
  World& world;
  std::vector<std::string> found;
};

// High watermarks that were shown, by the leader epoch of who showed them: each leader of that epoch or a later one
// must show at least as much. A deposed leader knows less, and may say so.
class Promises {
 public:
  void add(std::int32_t epoch, std::int64_t high_watermark) {
    auto& of_epoch = by_epoch_[epoch];
    of_epoch = std::max(of_epoch, high_watermark);
    greatest_ = std::max(greatest_, high_watermark);
  }
  std::int64_t to(std::int32_t epoch) const;
  std::int64_t greatest() const { return greatest_; }

 private:
  std::map<std::int32_t, std::int64_t> by_epoch_;
  std::int64_t greatest_ = 0;
};

class PartitionModel {
 public:
  PartitionModel(cluster::PartitionId id, std::string name, bool compacted, Violations& violations)
      : id_(id), name_(std::move(name)), compacted_(compacted), violations_(violations) {}

  // In a compacted topic keys come again and again, and some records are tombstones: by their text alone.
  static std::string key_of(const std::string& record);
  static bool is_tombstone(const std::string& record);

  // The records of a batch were acknowledged from `base_offset` on, by a leader of `epoch`.
  void acknowledged(std::int64_t base_offset, const std::vector<std::string>& records, std::int32_t epoch);
  // An answer of a leader of `epoch` to a read from `offset` that was asked when promises() was `promised`.
  void read(std::int64_t offset, std::int32_t epoch, const Promises& promised, const storage::ReadResult& answer);
  void read_failed(std::int64_t offset, std::int32_t epoch, const Promises& promised, const Error& error);
  // The answer to a search for the first record of all.
  void found_first(std::optional<std::int64_t> offset, std::int32_t epoch, const Promises& promised);
  // DeleteRecords: before asking, and once it was answered.
  void delete_begins(std::int64_t offset) { start_maybe_ = std::max(start_maybe_, offset); }
  void deleted_before(std::int64_t offset) { start_ = std::max(start_, offset); }
  // From here on everything from the log start on is read once more, and at the end compared.
  void begin_last_pass() { read_last_.clear(); }
  void finish(std::int64_t log_start, std::int64_t end);

  const cluster::PartitionId& id() const { return id_; }
  const std::string& name() const { return name_; }
  bool compacted() const { return compacted_; }
  const Promises& promises() const { return promises_; }
  std::int64_t high_watermark() const { return promises_.greatest(); }
  std::int64_t start_maybe() const { return start_maybe_; }
  std::size_t acks() const { return acked_.size(); }
  void violation(std::string what);
  bool gone = false;  // its topic was, or may have been, deleted

 private:
  void place(std::int64_t offset, const std::string& record, const char* by);
  std::map<std::string, std::int64_t> newest_by_key() const;

  cluster::PartitionId id_;
  std::string name_;
  bool compacted_;
  Violations& violations_;
  std::map<std::int64_t, std::string> by_offset_;
  std::map<std::string, std::int64_t> by_record_;
  std::map<std::int64_t, std::string> acked_;
  std::map<std::int64_t, std::string> read_last_;  // of the final pass
  Promises promises_;
  std::int64_t start_ = 0, start_maybe_ = 0;
};

}  // namespace millrace::sim
