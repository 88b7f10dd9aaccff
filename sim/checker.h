// What the clients of one partition may rely on, checked at every answer: an acknowledged record is never lost nor
// moved, an offset never holds two records, a record (of an idempotent producer) never two offsets, offsets are dense
// and ordered, the high watermark and the log start never fall, also over crashes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/api.h"

namespace millrace::sim {

struct Violations {
  std::vector<std::string> found;
  void add(std::string what) {
    if (found.size() < 10) found.push_back(std::move(what));
  }
};

class PartitionModel {
 public:
  PartitionModel(cluster::PartitionId id, std::string name, Violations& violations)
      : id_(id), name_(std::move(name)), violations_(violations) {}

  // The records of a batch were acknowledged from `base_offset` on.
  void acknowledged(std::int64_t base_offset, const std::vector<std::string>& records);
  // An answer to a read from `offset` that was asked when high_watermark() was `promised`.
  void read(std::int64_t offset, std::int64_t promised, const storage::ReadResult& answer);
  void read_failed(std::int64_t offset, const Error& error);
  // DeleteRecords: before asking, and once it was answered.
  void delete_begins(std::int64_t offset) { start_maybe_ = std::max(start_maybe_, offset); }
  void deleted_before(std::int64_t offset) { start_ = std::max(start_, offset); }
  // At the end, after everything from the log start on was read.
  void finish(std::int64_t log_start, std::int64_t end);

  const cluster::PartitionId& id() const { return id_; }
  std::int64_t high_watermark() const { return high_watermark_; }
  std::int64_t start_maybe() const { return start_maybe_; }
  std::size_t acks() const { return acked_.size(); }
  void violation(std::string what);
  bool gone = false;  // its topic was, or may have been, deleted

 private:
  void place(std::int64_t offset, const std::string& record, const char* by);

  cluster::PartitionId id_;
  std::string name_;
  Violations& violations_;
  std::map<std::int64_t, std::string> by_offset_;
  std::map<std::string, std::int64_t> by_record_;
  std::map<std::int64_t, std::string> acked_;
  std::map<std::int64_t, std::string> read_last_;  // of the final pass
  std::int64_t high_watermark_ = 0;
  std::int64_t start_ = 0, start_maybe_ = 0;
};

}  // namespace millrace::sim
