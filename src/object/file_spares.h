// Files of removed objects, kept to be written again under a new key: making and freeing an inode for each WAL slot
// costs a directory more than the slot's bytes do (seen on ext4 without a journal, which looks through all inodes
// freed within the last minutes for each new one: 39 CPU-s per GiB with 8,000 slots, 15 with the same bytes in 2,000).
//
// A file may be written again only if nobody can still read it as what it was: it has no other hard link (a backup's)
// and no GET of this process that began before its key was gone is still running. Bounded in files and bytes, below
// DIR/.tmp, which is emptied at start. One thread (the store's executor); renames are done by file_io on the pool.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "object/file_io.h"

namespace millrace::object {

// The GETs of each key that are running now.
class RunningReads {
 public:
  class Guard {
   public:
    Guard(RunningReads& reads, const std::string& key) : reads_(reads), key_(key) { ++reads_.by_key_[key_]; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      const auto found = reads_.by_key_.find(key_);
      if (--found->second == 0) reads_.by_key_.erase(found);
    }

   private:
    RunningReads& reads_;
    const std::string key_;
  };
  bool any(const std::string& key) const { return by_key_.contains(key); }

 private:
  std::unordered_map<std::string, int> by_key_;
};

class SpareFiles {
 public:
  static constexpr std::size_t kFilesMax = 16384;
  static constexpr std::uint64_t kBytesMax = 128 << 20;  // of all; what one data object's slots hold by default
  static constexpr std::uint64_t kOneBytesMax = 16 << 20;

  void add(file_io::Spare spare) {
    bytes_ += spare.size;
    spares_.push_back(std::move(spare));
  }
  bool has_room(std::uint64_t size) const { return spares_.size() < kFilesMax && bytes_ + size <= kBytesMax; }
  // The path of one for a body of this size; empty when there is none.
  std::string take(std::size_t body_size) {
    if (spares_.empty() || body_size > kOneBytesMax) return {};
    std::string path = std::move(spares_.back().path);
    bytes_ -= spares_.back().size;
    spares_.pop_back();
    return path;
  }
  // All of them, to be unlinked: the file system is full.
  std::vector<std::string> give_up() {
    std::vector<std::string> paths;
    for (auto& spare : spares_) paths.push_back(std::move(spare.path));
    spares_.clear();
    bytes_ = 0;
    return paths;
  }

 private:
  std::vector<file_io::Spare> spares_;
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::object
