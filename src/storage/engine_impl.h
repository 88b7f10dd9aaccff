// EngineImpl: puts the parts together. Opening: recover this broker's earlier WALs, then take over what the controller
// assigns (takeover/); then serve; in the background follow the metadata, evict the tail, compact, merge and clean
// (compaction/), collect (gc/collector.h), recover WALs of brokers that are gone, open and release partitions.
#pragma once

#include "storage/compaction/compactor.h"
#include "storage/compaction/past_compactor.h"
#include "storage/compaction/rewriter.h"
#include "storage/engine_parts.h"
#include "storage/gc/collector.h"
#include "storage/load_meter.h"
#include "storage/takeover/recoverer.h"
#include "storage/takeover/released.h"
#include "storage/takeover/releaser.h"
#include "storage/takeover/takeover.h"

namespace millrace::storage {

class EngineImpl final : public Engine {
 public:
  EngineImpl(Executor executor, Clock& clock, Random& random, object::Store& store, cluster::Cluster& cluster,
             Metrics& metrics, EngineOptions options);

  Task<Result<void>> open();

  Partition* find(const PartitionId& id) override;
  void unwatch(const PartitionId& id, Event* event) override;
  EngineStatus status() const override;
  Event& fenced() override { return committer_.fenced(); }
  Task<void> handed_over(SteadyTime deadline) override { return released_.handed_over(deadline); }
  Task<void> stop() override;

 private:
  Task<Result<void>> open_what_is_ours();
  Task<void> follow_cluster();
  Result<std::string> answer(std::string_view question);
  void end_leadership(const std::shared_ptr<LedPartition>& partition);
  void forget_past_slots();
  void evict_tail();

  Clock& clock_;
  EngineOptions options_;
  StorageMetrics metrics_;
  SlotDirectory slots_;
  PastSlots past_;
  Committer committer_;
  TaskScope scope_;
  BlockCache cache_;
  ObjectReader objects_;
  EngineParts parts_;
  PartitionTable partitions_;
  Compactor compactor_;
  PastCompactor past_compactor_;
  Rewriter rewriter_;
  Collector collector_;
  Takeover takeover_;
  ReleasedPartitions released_;
  RecoveredWals recovered_;
  Recoverer recoverer_;
  Releaser releaser_;
  LoadMeter load_meter_;
  SlotRef evicted_end_ = 0;
};

}  // namespace millrace::storage
