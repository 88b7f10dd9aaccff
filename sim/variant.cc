#include "sim/variant.h"

namespace millrace::sim {

namespace {

using storage::Sabotage;
using Lease = cluster::LeaseSabotage;

std::vector<Variant> log_variants() {
  return {
      {.name = "ack-before-durable",
       .what = "a batch is acknowledged when its slot is sent",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kAckBeforeDurable},
      {.name = "ack-out-of-order",
       .what = "a slot is acknowledged before those in front of it are durable",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kAckOutOfOrder},
      {.name = "forget-producers",
       .what = "a new leader does not rebuild the producers' state (rule 17)",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kForgetProducers},
      {.name = "ack-lost-slot",
       .what = "a writer goes on though another's bytes are in its slot (rule 15)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kAckLostSlot},
      {.name = "ack-duplicates-early",
       .what = "a duplicate is acknowledged before its original is durable (rule 16)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kAckDuplicatesEarly},
      {.name = "release-before-durable",
       .what = "a partition is released before its last slot is durable (rule 10)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kReleaseBeforeDurable},
      {.name = "clean-newest",
       .what = "key compaction drops a key's newest record instead of the older ones",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kCleanNewest},
      {.name = "stale-floor",
       .what = "recovery reads from the floor that it saw first (rule 2)",
       .expect = Expect::kCaught,
       .within = 50,
       .sabotage = Sabotage::kStaleFloor},
      {.name = "compact-unacked",
       .what = "slots are merged before they are acknowledged (rule 8)",
       .expect = Expect::kCaught,
       .within = 50,
       .sabotage = Sabotage::kCompactUnacked},
      {.name = "resume-on-timeout",
       .what = "a leader accepts again when its Release is not answered (rule 11)",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kResumeOnTimeout,
       .scenario = "lost-releases"},
      {.name = "hand-over-checkpoint",
       .what = "a leader hands over the producers as of its last object (rule 43)",
       .expect = Expect::kCaught,
       .within = 200,
       .sabotage = Sabotage::kHandOverCheckpoint},
  };
}

std::vector<Variant> bucket_variants() {
  return {
      {.name = "plain-put",
       .what = "a create-only PUT replaces what is there",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kPlainPut},
      {.name = "no-seal",
       .what = "recovery writes no Seal (rule 3)",
       .expect = Expect::kCaught,
       .within = 200,
       .store = StoreBreak::kNoSeal},
      {.name = "deleted-seals",
       .what = "Seals are collected (rule 3)",
       .expect = Expect::kCaught,
       .within = 400,
       .store = StoreBreak::kLosesSeals},
      {.name = "early-gc",
       .what = "slots are collected by age, registered or not (rule 8)",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kEarlyGc},
      {.name = "forgetful-bucket",
       .what = "the bucket answers 200 and loses one object in a hundred",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kForgetful},
      {.name = "lying-list",
       .what = "LIST leaves out new names and shows removed ones: nothing may rest on it",
       .within = 100,
       .store = StoreBreak::kLyingList},
  };
}

std::vector<Variant> lease_variants() {
  return {
      {.name = "no-lease-check",
       .what = "a disk WAL acknowledges without a look at its lease (rule 25)",
       .expect = Expect::kCaught,
       .within = 50,
       .lease = Lease::kNoRecheck,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "lease-from-reply",
       .what = "a lease counts from the answer to the heartbeat (rule 25)",
       .expect = Expect::kCaught,
       .within = 200,
       .lease = Lease::kFromReply,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "fence-while-held",
       .what = "nobody waits for the end of a lease (rule 26)",
       .expect = Expect::kCaught,
       .within = 50,
       .lease = Lease::kWhileHeld,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "no-fresh-lease",
       .what = "a new controller takes every lease for over (rule 26)",
       .expect = Expect::kCaught,
       .within = 200,
       .lease = Lease::kNoFreshLease,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "deposed-grants",
       .what = "leases are granted without an entry of one's own (rule 27)",
       .expect = Expect::kCaught,
       .within = 200,
       .lease = Lease::kDeposedGrants,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "no-lock",
       .what = "a start on another host is taken for a restart (rule 28)",
       .expect = Expect::kCaught,
       .within = 50,
       .lease = Lease::kNoLock,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
  };
}

std::vector<Variant> disk_variants() {
  return {
      {.name = "ack-unsynced",
       .what = "a write is acknowledged though it failed (rule 29)",
       .expect = Expect::kCaught,
       .within = 50,
       .disk = disk::Sabotage::kAckUnsynced,
       .wal = WalMix::kDisk,
       .scenario = "power-losses"},
      {.name = "sync-again",
       .what = "the second sync is believed where the first one failed (rule 29)",
       .expect = Expect::kCaught,
       .within = 50,
       .disk = disk::Sabotage::kSyncAgain,
       .wal = WalMix::kDisk,
       .scenario = "power-losses"},
      {.name = "reuse-foreign",
       .what = "segments of a host that the volume was taken from are used again (rule 30)",
       .expect = Expect::kCaught,
       .within = 200,
       .disk = disk::Sabotage::kReuseForeign,
       .wal = WalMix::kDisk,
       .scenario = "moved-volume"},
      {.name = "same-nonce",
       .what = "bytes of an earlier use of a segment count as records (rule 31)",
       .expect = Expect::kCaught,
       .within = 100,
       .disk = disk::Sabotage::kSameNonce,
       .wal = WalMix::kDisk},
  };
}

std::vector<Variant> put_together() {
  std::vector<Variant> all;
  all.push_back({.within = 1000, .wal = WalMix::kBySeed});
  for (auto* some : {log_variants, bucket_variants, lease_variants, disk_variants}) {
    for (auto& variant : some()) all.push_back(std::move(variant));
  }
  return all;
}

}  // namespace

const std::vector<Variant>& all_variants() {
  static const std::vector<Variant> variants = put_together();
  return variants;
}

const Variant* find_variant(const std::string& name) {
  for (const auto& variant : all_variants()) {
    if (variant.name == name) return &variant;
  }
  return nullptr;
}

}  // namespace millrace::sim
