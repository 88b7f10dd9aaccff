// Variants of the system under test: sound code on a sound bucket, or one safeguard taken away, to show that the
// checkers see the difference, or that nothing rests on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/api.h"
#include "disk/wal_store.h"
#include "sim/broken_store.h"
#include "storage/api.h"

namespace millrace::sim {

// Where brokers keep their WALs.
enum class WalMix {
  kBySeed,
  kBucket,
  kDisk,
  kMixed,  // each broker its own choice
};

enum class Expect { kHolds, kCaught };

struct Variant {
  std::string name = "none";
  std::string what = "everything as it should be";
  Expect expect = Expect::kHolds;
  std::uint64_t within = 0;  // so many seeds it must be caught, or hold
  storage::Sabotage sabotage = storage::Sabotage::kNone;
  StoreBreak store = StoreBreak::kNone;
  cluster::LeaseSabotage lease = cluster::LeaseSabotage::kNone;
  disk::Sabotage disk = disk::Sabotage::kNone;
  int brokers = 0;  // that show it best; 0: the seed decides
  WalMix wal = WalMix::kBucket;
  std::string scenario;  // that shows it best; none: the random story
  bool sound() const { return expect == Expect::kHolds; }
};

// The sound one first.
const std::vector<Variant>& all_variants();
const Variant* find_variant(const std::string& name);

}  // namespace millrace::sim
