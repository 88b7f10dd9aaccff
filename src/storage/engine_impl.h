// EngineImpl: puts the parts together. Opening: recover, take over partitions, replay (recover.cc); then serve; in the
// background follow the metadata, evict the tail, compact (compaction/compactor.h) and collect (gc/collector.h).
#pragma once

#include <unordered_map>

#include "storage/compaction/compactor.h"
#include "storage/engine_parts.h"
#include "storage/gc/collector.h"
#include "storage/log/led_partition.h"
#include "storage/wal/recovery.h"

namespace millrace::storage {

struct PartitionIdHash {
  std::size_t operator()(const PartitionId& id) const {
    return std::hash<Uuid>{}(id.topic_id) * 31 + static_cast<std::size_t>(id.partition);
  }
};

class EngineImpl final : public Engine {
 public:
  EngineImpl(Executor executor, Clock& clock, Random& random, object::Store& store, cluster::Cluster& cluster,
             Metrics& metrics, EngineOptions options);

  Task<Result<void>> open();

  Partition* find(const PartitionId& id) override;
  void unwatch(const PartitionId& id, Event* event) override;
  EngineStatus status() const override;
  Event& fenced() override { return committer_.fenced(); }
  Task<void> stop() override;

 private:
  struct Recovered {
    Incarnation incarnation;
    RecoveredWal wal;
  };

  // recover.cc
  Task<Result<std::vector<Recovered>>> recover_predecessors();
  Result<void> commit_ends(const Recovered& recovered, std::vector<cluster::Record>& out) const;
  Task<Result<void>> take_leadership();
  Task<Result<void>> open_checkpointed();
  Task<Result<ProducerTable>> load_checkpoint(PartitionId id);
  Result<void> replay(const std::vector<Recovered>& all);
  Result<void> check_ends() const;

  std::shared_ptr<LedPartition> open_partition(const PartitionId& id, std::int64_t end);
  Task<void> follow_cluster();
  void evict_tail();

  Executor executor_;
  Clock& clock_;
  EngineOptions options_;
  StorageMetrics metrics_;
  SlotDirectory slots_;
  Committer committer_;
  TaskScope scope_;
  BlockCache cache_;
  ObjectReader objects_;
  EngineParts parts_;
  Compactor compactor_;
  Collector collector_;
  std::unordered_map<PartitionId, std::shared_ptr<LedPartition>, PartitionIdHash> partitions_;
  SlotRef evicted_end_ = 0;
};

}  // namespace millrace::storage
