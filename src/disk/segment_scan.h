// What lies on a WAL disk, found by reading all of it: at the start of a process, which holds the directory alone.
//
// Each segment is synced, read from its front and synced again (rule 30: what recovery believes must be durable).
// Reading stops at the first bytes that are not the next frame of that segment's use; a frame beyond them means that
// the disk lost what was acknowledged, and is an error. A file that is shorter than a segment can be is what a crash
// left of making one: it is removed; one without a header was never used. Fails: kUnsupported, kCorrupt (damage,
// another volume's segment), and as the disk does.
#pragma once

#include <map>

#include "disk/wal_core.h"
#include "disk/wal_disk.h"

namespace millrace::disk {

struct Scanned {
  std::uint64_t sequence_max = 0;  // of all uses
  std::uint64_t file_number_max = 0;
  std::size_t segments = 0, frames = 0;
  std::map<Uuid, std::string> buckets;  // whose slots were found, and a segment that has some
};

// Adds to `core` what is found, but for WALs that are given up. All must outlive the Task.
Task<Result<Scanned>> scan_segments(WalDisk& disk, WalCore& core, const std::vector<cluster::WalId>& lost);

// <number>.wal, and back.
std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace millrace::disk
