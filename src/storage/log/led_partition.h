// LedPartition: the Partition that brokers see, over PartitionLog (offsets, tail), the committer (durability), slots
// and data objects (older batches). Knows the committed metadata as of `refresh`, which every call makes first: a
// comparison of one number unless an entry was applied meanwhile. One thread; Tasks keep the partition alive by
// themselves.
#pragma once

#include <memory>

#include "storage/engine_parts.h"

namespace millrace::storage {

class LedPartition final : public Partition, public LivePartition, public std::enable_shared_from_this<LedPartition> {
 public:
  LedPartition(EngineParts& parts, PartitionId id) : LivePartition(id), parts_(parts) {}

  const PartitionId& id() const override { return LivePartition::id; }
  std::int32_t leader_epoch() const override { return log.epoch(); }
  std::int64_t log_start_offset() const override;
  std::int64_t high_watermark() const override { return log.high_watermark(); }
  std::int64_t last_stable_offset() const override { return log.high_watermark(); }
  std::int64_t log_end_offset() const override { return log.end(); }
  std::uint64_t size_bytes() const override;

  std::expected<AppendTicket, AppendRefusal> append(Slice batch) override;
  Task<Result<ReadResult>> read(std::int64_t offset, std::size_t max_bytes, ReadLimit limit) override;
  Task<Result<std::optional<TimedOffset>>> find_by_time(std::int64_t timestamp_ms) override;
  Task<Result<std::optional<TimedOffset>>> find_max_timestamp() override;
  EpochEnd end_of_epoch(std::int32_t epoch) const override;
  std::int32_t epoch_of(std::int64_t offset) const override;
  Task<Result<std::int64_t>> delete_records_before(std::int64_t offset) override;

  void add_watcher(Event* event) override { watchers.push_back(event); }
  void remove_watcher(Event* event) override { std::erase(watchers, event); }

  // Takes over what the metadata log says of this partition. False when this leadership is over: another leads it, or
  // this process anew in a higher epoch, which another LedPartition stands for.
  bool refresh();
  // Rules 10, 11: takes no batch from here on, for ever.
  void stop_accepting() { accepts_ = false; }
  void resume_accepting() { accepts_ = true; }  // against rule 11, for Sabotage alone
  // Where the slot of a batch lies; nothing when an object has replaced it.
  std::optional<SlotPlace> place_of(SlotRef ref) const;

 private:
  const cluster::PartitionState* state() const { return parts_.cluster.state().partition(LivePartition::id); }
  static Task<Result<ReadResult>> read_from(std::shared_ptr<LedPartition> self, std::int64_t offset,
                                            std::size_t max_bytes, bool first_whole);
  static Task<Result<void>> look_again(std::shared_ptr<LedPartition> self, int attempt);
  static Task<Result<void>> load(std::shared_ptr<LedPartition> self, TailPlan plan, ReadResult& out);
  static Task<Result<std::optional<TimedOffset>>> search_time(std::shared_ptr<LedPartition> self,
                                                              std::int64_t timestamp_ms);
  static Task<Result<std::int64_t>> raise_log_start(std::shared_ptr<LedPartition> self, std::int64_t offset);
  std::optional<ExtentPlace> extent_at(std::int64_t offset) const;
  std::int64_t greatest_timestamp() const;

  EngineParts& parts_;
  std::uint64_t seen_ = ~std::uint64_t{0};  // applied entry of the last refresh
  bool leads_ = false;
  bool accepts_ = true;
};

}  // namespace millrace::storage
