// What the parts of one engine share: references into EngineImpl, which outlives them all.
#pragma once

#include <set>

#include "base/random.h"
#include "storage/cache/block_cache.h"
#include "storage/compaction/object_reader.h"
#include "storage/metrics.h"
#include "storage/wal/committer.h"
#include "storage/wal/past_slots.h"
#include "storage/wal/slot_directory.h"

namespace millrace::storage {

struct EngineParts {
  Executor executor;
  Clock& clock;
  Random& random;
  object::Store& store;
  cluster::Cluster& cluster;
  StorageMetrics& metrics;
  const EngineOptions& options;
  SlotDirectory& slots;
  PastSlots& past;
  Committer& committer;
  BlockCache& cache;
  ObjectReader& objects;
  bool stopping = false;
  std::uint64_t tail_bytes = 0;           // in memory, acknowledged or not
  std::multiset<cluster::LogSeq> births;  // of uploads under way

  // None under way, nor any that begins later, was born below (rule 35).
  cluster::LogSeq oldest_birth() const { return births.empty() ? cluster.state().applied() : *births.begin(); }
};

}  // namespace millrace::storage
