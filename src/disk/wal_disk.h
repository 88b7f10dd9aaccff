// The device below a disk WAL, as a port: segment files of fixed size in one directory that one process holds.
//
// Offsets and sizes of writes are whole blocks (segment_codec.h). A write that succeeded is durable (rule 29); while it
// is under way any part of it may or may not be on the disk. Errors:
//   kExhausted    of create: no room, nothing is left behind; of write: not durable, the same place may be written over
//   kNotFound     no such file
//   anything else of write, sync or create: what is on the disk is not known. The caller stops for good; a later sync
//                 that succeeds proves nothing, as the kernel forgets pages that it could not write
// One thread: the owner's executor. One write at a time per file; reads at any time, also of what is being written.
// Implementations: posix_disk, sim_disk (tests and simulation).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"
#include "base/uuid.h"
#include "object/store.h"

namespace millrace::disk {

struct DiskFile {
  std::string name;
  std::uint64_t size = 0;
};

class WalDisk {
 public:
  virtual ~WalDisk() = default;

  // Drawn when the directory was first used; a copy of the directory has the same.
  virtual const Uuid& volume() const = 0;
  // Where it is, for people: host and path.
  virtual const std::string& place() const = 0;

  // The process that held it before this one ran on this host, since this host was started: as the lock is ours now,
  // that one ended (rule 28).
  virtual bool held_here_before() const = 0;

  // Segment files, by name.
  virtual Task<Result<std::vector<DiskFile>>> list() = 0;
  // A new file, all of it written once (with zeros), durable together with its name.
  virtual Task<Result<void>> create(std::string name, std::uint64_t size) = 0;
  virtual Task<Result<void>> write(std::string name, std::uint64_t offset, SliceChain bytes) = 0;
  // Makes durable what the system still holds of earlier writes, a dead process's included (rule 30).
  virtual Task<Result<void>> sync(std::string name) = 0;
  // Shorter only where the file ends.
  virtual Task<Result<Slice>> read(std::string name, object::ByteRange range) = 0;
  virtual Task<Result<void>> remove(std::string name) = 0;

  // Nobody on another host has opened it since this process did.
  virtual Task<bool> still_last() = 0;
};

}  // namespace millrace::disk
