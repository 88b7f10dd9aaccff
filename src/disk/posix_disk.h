// A WAL directory on a file system: DIR/<number>.wal are segments, DIR/volume names the volume, DIR/lock is held
// (flock) for the life of the process and names its pid and the boot of its host (rule 28).
//
// Files go past the page cache where the file system takes it (O_DIRECT): what a scan reads is then what the device
// has, not what a failed sync left in memory. A write of up to 1 MiB is one pwritev2(RWF_DSYNC), larger ones are pieces
// and one fdatasync. Segments are written once when they are made: on ext4 that halves the time of each later write,
// which then changes no metadata (docs/adr/0007). Everything that blocks runs on threads of its own, so that nothing
// else that waits for files delays an ack.
//
// Fails: kDenied (not writable), kExists (held by another process, with its pid), and as wal_disk.h says. One thread.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "disk/wal_disk.h"

namespace millrace::disk {

// Makes the directory when it is missing. `host` is for people. Blocks.
Result<std::unique_ptr<WalDisk>> open_posix_disk(std::string directory, const std::string& host, Random& random);

}  // namespace millrace::disk
