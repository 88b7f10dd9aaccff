// A bucket in a directory (`file://DIR`), for one machine. Keys are paths below DIR; DIR/.tmp holds files being
// written, DIR/.lock is held (flock) while the store is open and names the holder's pid.
//
// put_if_absent: write DIR/.tmp/<n>, fdatasync, rename to the key without replacing (the create-only step), fsync of
// the key's directory. Nothing half-written can ever be seen under a key. put_if_match: under one mutex, compare the
// content hash, then the same with a rename that replaces. Removed objects' files are written again (file_spares.h).
// Costs of a PUT: open, fstat, writev (no flattening), fdatasync, rename, close on one pool thread, then one fsync of
// the directory that all PUTs waiting for the same directory share. With Sync::kOff neither fdatasync nor fsync. GET:
// open, fstat, pread, close. get_range: one pread on a kept descriptor (64 of them). Removals are not synced: an object
// that comes back after a power loss is a name that the protocol ignores. At open with Sync::kOn one syncfs() makes
// durable what a killed predecessor left in the page cache.
//
// Fails: kExhausted (disk full, quota), kDenied (read-only, permissions), kTimeout when a sync failed (the write may or
// may not be there); after that the store answers kTimeout for ever, because a later fsync that succeeds proves
// nothing. One thread (the executor's); everything that blocks runs on the BlockingPool.
#pragma once

#include <memory>
#include <string>

#include "base/task.h"
#include "object/store.h"

namespace millrace::object {

enum class Sync { kOn, kOff };

// Creates the directory when it is missing. kDenied: not writable; kExists: held by another process (with its pid).
Result<std::unique_ptr<Store>> open_file_store(std::string directory, Sync sync, Executor executor,
                                               BlockingPool& files);

}  // namespace millrace::object
