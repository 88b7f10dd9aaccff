// DiskTier: the block cache's second level, on a local disk. Takes the blocks that memory gives up, oldest written over
// first; answers a block once more before the bucket is asked. What comes back is checked: a block that a disk broke,
// or that was written over while it was read, is a miss. Writes beyond a few in flight are not made at all: a slow disk
// costs hits, never memory. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "object/block_file.h"
#include "storage/metrics.h"

namespace millrace::storage {

class DiskTier {
 public:
  // Writes in `scope`, whose Tasks end before this does. `file` may be null: then there is no tier.
  DiskTier(TaskScope& scope, std::shared_ptr<object::BlockFile> file, StorageMetrics& metrics);

  bool holds(const std::string& name) const { return entries_.contains(name); }
  void put(const std::string& name, Slice bytes);
  // Nothing when it is not there, or not as it was.
  Task<std::optional<Slice>> read(std::string name);

 private:
  struct Entry {
    std::uint32_t block = 0;
    std::size_t size = 0;
    std::uint32_t crc = 0;
    std::uint64_t written = 0;  // number of the write
  };
  Task<void> write(std::string name, Entry entry, Slice bytes);
  bool is_current(const std::string& name, const Entry& entry) const;

  TaskScope& scope_;
  std::shared_ptr<object::BlockFile> file_;
  StorageMetrics& metrics_;
  std::unordered_map<std::string, Entry> entries_;  // completely written
  std::vector<std::string> names_;                  // by block; empty: nothing, or being written
  std::uint32_t next_ = 0;
  std::uint64_t writes_ = 0;
  std::size_t writing_ = 0;
};

}  // namespace millrace::storage
