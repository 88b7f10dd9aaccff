// Where the log's WAL goes by the settings `wal.place` (--wal), `wal.drain`, `wal.lost` and `wal.segment.bytes`: the
// bucket itself, or a disk in front of it (disk/wal_store.h). Checked before the bucket is touched; the directory is
// held from then on.
#pragma once

#include <memory>

#include "app/config.h"
#include "base/event_loop.h"
#include "disk/wal_disk.h"
#include "disk/wal_store.h"
#include "storage/api.h"

namespace millrace::app {

struct WalChoice {
  cluster::WalKind kind = cluster::WalKind::kBucket;
  std::unique_ptr<disk::WalDisk> disk;  // of disk:PATH or of wal.drain
  disk::WalStoreOptions options;
};

// kInvalid: an unknown kind, a missing path; kDenied, kExists: the directory cannot be written, or is held.
Result<WalChoice> choose_wal(const Config& config, Random& random);

// A local disk takes writes for nothing and answers in less than a millisecond: settings that were not set by anyone
// are chosen for it.
void tune_for_disk(const Config& config, storage::EngineOptions& options);

}  // namespace millrace::app
