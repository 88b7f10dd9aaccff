// WalStore: a bucket whose WAL slots lie on a local disk. It is an object::Store: what begins with wal/ and is a data
// slot of an incarnation that this process opened goes to segments of a WalDisk, everything else to the bucket, also
// slot 0 and Seals, which nobody ever deletes and which would hold segments for ever.
//
// put_if_absent of a data slot waits in line; one writer takes what waits (group commit), writes it as one frame and
// answers when that is durable and the lease still held (rules 25, 29). What another incarnation left on this disk is
// read and removed here, never written to (rule 30); of a WAL that lies on another disk, slots are neither missing nor
// sealed: every access fails with kDenied and the place of that disk (wal_places.h, rule 21). Without a disk the store
// is only this guard.
//
// Fails: kExhausted (no room for a segment; not applied). A write or sync that failed otherwise, or a lost lease, ends
// the store for good: what was under way gets kTimeout (unknown), all later puts kDenied; reads go on. One thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/metrics.h"
#include "base/random.h"
#include "disk/wal_core.h"
#include "disk/wal_disk.h"
#include "object/store.h"

namespace millrace::disk {

// For the simulation alone: breaks one safeguard, to show that its checkers see the difference.
enum class Sabotage {
  kNone,
  kAckUnsynced,   // rule 29: a write that failed is acknowledged
  kSyncAgain,     // rule 29: goes on after a failed sync
  kReuseForeign,  // rule 30: writes to segments of a host that the volume was taken from
  kSameNonce,     // rule 31: a recycled segment's old frames look like new ones
};

struct WalStoreOptions {
  // False: the disk is read and drained, new incarnations write to the bucket.
  bool new_wals_on_disk = true;
  // Those whose disk is gone for good: their slots that no data object replaced are given up.
  std::vector<cluster::WalId> lost;
  std::uint64_t segment_bytes = 64 << 20;
  std::size_t spares_max = 8;  // segments that nobody needs, kept to be used again
  GroupLimits group;
  // Asked after each sync, before the ack (rule 25): answers once the lease is held, with an error when it is over.
  // Empty: nobody else can hold the volume.
  std::function<Task<Result<void>>()> still_held;
  Sabotage sabotage = Sabotage::kNone;
};

class WalStore : public object::Store {
 public:
  // Rule 28: that WAL lies on the disk here, and the process that wrote it ended.
  virtual Task<bool> ended_here(cluster::WalId wal) = 0;
  // Waits for what is under way. To be called before destruction, after the last put was answered.
  virtual Task<void> stop() = 0;
};

// Reads all that is on the disk, made durable first; one that comes from another host when a WAL is asked for first.
// `disk` may be null. kCorrupt and kUnsupported name the segment.
Task<Result<std::unique_ptr<WalStore>>> open_wal_store(Executor executor, Clock& clock, Random& random,
                                                       Metrics& metrics, std::unique_ptr<object::Store> bucket,
                                                       std::unique_ptr<WalDisk> disk, WalStoreOptions options);

}  // namespace millrace::disk
