#include "storage/compaction/cleaner.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/compaction/merge_plan.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kCleanBytesPerKey = 64;  // of a batch, for a guess at the number of keys
constexpr std::size_t kCleanBytesPerTurn = 64 << 10;
constexpr std::size_t kCleanBatchCost = 256;  // in bytes, so that tiny batches count, too

}  // namespace

// The engine's thread also appends and serves: never for long without giving way.
Task<void> Cleaner::breathe(std::size_t bytes) {
  worked_ += bytes + kCleanBatchCost;
  if (worked_ < kCleanBytesPerTurn) co_return;
  worked_ = 0;
  co_await yield_now();
}

bool Cleaner::soon_merged(const std::string& key) const {
  const auto object = parts_.cluster.state().objects().find(key);
  const MergeLimits limits{.fan_in = parts_.options.merge_fan_in,
                           .bytes_max = parts_.options.merge_bytes_max,
                           .object_bytes_target = parts_.options.object_bytes_target};
  return object != parts_.cluster.state().objects().end() && mergeable(object->second, limits);
}

// Nothing when there is nothing to do for now.
std::vector<Cleaner::Input> Cleaner::inputs_of(CleanWork& work, bool cautious) const {
  std::vector<Input> inputs;
  const auto* partition = parts_.cluster.state().partition(work.id);
  if (!partition) return inputs;
  for (const auto& [base, held] : partition->extents) {
    if (base >= work.view.clean_to) break;
    if (cautious && base >= work.view.dirty_from && soon_merged(held.key)) {
      work.view.clean_to = base;
      if (base == work.view.dirty_from) inputs.clear();
      break;
    }
    inputs.push_back({held.key, held.extent});
  }
  return inputs;
}

Task<Result<bool>> Cleaner::clean_once() {
  const std::int64_t now_ms = parts_.clock.wall_ms();
  const auto due = [this](const PartitionId& id) {
    const auto found = tombstones_due_.find(id);
    return found == tombstones_due_.end() ? -1 : found->second;
  };
  CleanPlan plan =
      plan_cleaning(parts_.cluster.state(), parts_.cluster.wal(), now_ms, parts_.options.object_bytes_target, due);
  parts_.metrics.dirty_ratio_max.Set(plan.dirty_ratio_max);
  parts_.metrics.cleaner_run_seconds.Set(static_cast<double>(now_ms) / 1000);
  if (plan.work.empty()) co_return false;
  // For this time alone: what is to be merged may stay so for long.
  const bool cautious = std::exchange(cautious_, false);
  Result<bool> done = co_await clean_together(std::move(plan.work), cautious);
  cautious_ = !done && (done.error().code() == Code::kInvalid || done.error().code() == Code::kNotFound);
  co_return done;
}

Task<Result<bool>> Cleaner::clean_together(std::vector<CleanWork> works, bool cautious) {
  RewriteOutput output(parts_, 1);
  cluster::RewriteObjectsRecord record;
  std::vector<Pass> passes;
  for (const auto& work : works) {
    Pass pass;
    pass.work = work;
    pass.inputs = inputs_of(pass.work, cautious);
    if (pass.inputs.empty()) continue;
    CO_TRY_VOID(co_await clean(pass, output));
    for (const auto& input : pass.inputs)
      record.replaces_extents.push_back({work.id, input.extent.base_offset, input.key});
    record.cleaned.push_back({work.id, pass.map_end});
    pass.inputs.clear();
    passes.push_back(std::move(pass));
  }
  if (passes.empty()) co_return false;
  CO_TRY_VOID(co_await output.commit(std::move(record)));
  note(passes, output);
  co_return true;
}

void Cleaner::note(const std::vector<Pass>& passes, const RewriteOutput& output) {
  for (const auto& pass : passes) {
    tombstones_due_.erase(pass.work.id);
    if (pass.tombstones_due_ms >= 0) tombstones_due_[pass.work.id] = pass.tombstones_due_ms;
    parts_.metrics.cleaned_bytes_in.Increment(static_cast<double>(pass.bytes_in));
    parts_.metrics.cleaned_records.Increment(static_cast<double>(pass.dropped_records));
    LOG_INFO("cleaner.cleaned", {"partition", pass.work.id.partition}, {"topic_id", pass.work.id.topic_id.to_string()},
             {"up_to", pass.map_end}, {"bytes", pass.bytes_in}, {"records_dropped", pass.dropped_records});
  }
  parts_.metrics.cleanings.Increment(static_cast<double>(passes.size()));
  parts_.metrics.cleaned_bytes_out.Increment(static_cast<double>(output.bytes_out()));
}

Task<Result<void>> Cleaner::clean(Pass& pass, RewriteOutput& output) {
  KeyMap keys(parts_.options.cleaner_map_bytes, pass.work.view.dirty_bytes / kCleanBytesPerKey);
  CO_TRY_VOID(co_await map_keys(pass, keys));
  // When the map is full, what begins beyond its end stays where it is.
  std::erase_if(pass.inputs, [&pass](const Input& input) { return input.extent.base_offset >= pass.map_end; });
  CO_TRY_VOID(co_await rewrite(pass, keys, output));
  co_return Result<void>();
}

Task<Result<void>> Cleaner::map_keys(Pass& pass, KeyMap& keys) {
  // Without dirty records this is a pass for tombstones alone.
  pass.map_end = pass.work.view.clean_to;
  for (std::size_t i = 0; i < pass.inputs.size(); ++i) {
    const cluster::Extent extent = pass.inputs[i].extent;
    if (extent.end_offset <= pass.work.view.dirty_from) continue;
    ObjectStream stream(parts_, pass.inputs[i].key, extent.position + extent.size_bytes);
    stream.open(extent);
    for (;;) {
      CO_TRY(std::optional<ReadBatch> batch, co_await stream.next());
      if (!batch) break;
      if (batch->head.last_offset() < pass.work.view.dirty_from) continue;
      note_keys(batch->bytes, keys);
      if (keys.full()) {
        pass.map_end = batch->head.last_offset() + 1;
        co_return Result<void>();
      }
      co_await breathe(batch->bytes.size());
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Cleaner::rewrite(Pass& pass, const KeyMap& keys, RewriteOutput& output) {
  if (pass.inputs.empty()) co_return fail(Code::kNotFound, "the partition was cleaned by another");
  const CleanRules rules{.keys = keys,
                         .map_end = pass.map_end,
                         .now_ms = parts_.clock.wall_ms(),
                         .delete_retention_ms = pass.work.delete_retention_ms,
                         .keep_newest = parts_.options.sabotage != Sabotage::kCleanNewest};
  const std::int64_t end = pass.inputs.back().extent.end_offset;
  output.begin_extent(pass.work.id, pass.inputs.front().extent.base_offset);
  Joining joining;
  for (std::size_t i = 0; i < pass.inputs.size(); ++i) {
    const cluster::Extent extent = pass.inputs[i].extent;
    if (!joining.takes(extent, output.extent_bytes(), pass.work.join_bytes_max, pass.work.join_span_ms_max))
      output.split();
    ObjectStream stream(parts_, pass.inputs[i].key, extent.position + extent.size_bytes);
    stream.open(extent);
    for (;;) {
      CO_TRY(std::optional<ReadBatch> batch, co_await stream.next());
      if (!batch) break;
      pass.bytes_in += batch->bytes.size();
      // The end offset hangs on the last batch: it stays, empty if need be.
      const bool is_last = batch->head.last_offset() + 1 == end;
      FilteredBatch kept = filter_batch(batch->bytes, rules, is_last);
      pass.dropped_records += kept.dropped_records;
      pass.tombstones_due_ms = std::max(pass.tombstones_due_ms, kept.horizon_ms);
      if (!kept.bytes.empty()) CO_TRY_VOID(co_await output.add(kept.head, std::move(kept.bytes)));
      co_await breathe(batch->bytes.size());
    }
  }
  co_return Result<void>();
}

}  // namespace millrace::storage
