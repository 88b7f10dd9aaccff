#include "storage/compaction/merger.h"

#include <algorithm>
#include <unordered_map>

#include "base/crc32c.h"
#include "base/log.h"
#include "storage/compaction/publish.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kMergeBytesPerTurn = 256 << 10;
constexpr std::size_t kMergeBatchCost = 256;  // in bytes, so that tiny batches count, too

}  // namespace

bool Merger::responsible(const MergeGroup& group) const {
  std::vector<std::int32_t> live;
  for (const auto& [id, broker] : parts_.cluster.state().brokers()) {
    if (broker.is_live()) live.push_back(id);
  }
  return !live.empty() && live[crc32c(group.keys.front()) % live.size()] == parts_.cluster.broker_id();
}

Task<Result<bool>> Merger::merge_once() {
  const MergeLimits limits{.fan_in = parts_.options.merge_fan_in,
                           .bytes_max = parts_.options.merge_bytes_max,
                           .object_bytes_target = parts_.options.object_bytes_target};
  std::vector<MergeGroup> groups = plan_merges(parts_.cluster.state().objects(), limits);
  const auto mine =
      std::find_if(groups.begin(), groups.end(), [this](const auto& group) { return responsible(group); });
  if (mine == groups.end()) co_return false;
  MergeGroup group = std::move(*mine);
  cluster::RewriteObjectsRecord record;
  record.replaces_objects = group.keys;
  RewriteOutput output(parts_, group.level + 1);
  CO_TRY(Inputs inputs, co_await open_inputs(std::move(group)));
  std::uint64_t bytes_in = 0;
  for (const auto& part : inputs.parts) bytes_in += part.extent.size_bytes;
  CO_TRY_VOID(co_await merge_batches(inputs, output));
  CO_TRY_VOID(co_await merge_states(inputs, output));
  CO_TRY_VOID(co_await output.commit(std::move(record)));
  parts_.metrics.merges.Increment();
  parts_.metrics.merge_bytes_in.Increment(static_cast<double>(bytes_in));
  parts_.metrics.merge_bytes_out.Increment(static_cast<double>(output.bytes_out()));
  co_return true;
}

Task<Result<Merger::Inputs>> Merger::open_inputs(MergeGroup group) {
  Inputs inputs;
  inputs.keys = std::move(group.keys);
  for (std::size_t i = 0; i < inputs.keys.size(); ++i) {
    const std::string key = inputs.keys[i];
    const auto object = parts_.cluster.state().objects().find(key);
    if (object == parts_.cluster.state().objects().end())
      co_return fail(Code::kNotFound, key + " was replaced meanwhile");
    const std::uint64_t size = object->second.size_bytes;
    CO_TRY(const ObjectIndex index, co_await read_object_index(parts_, key, size));
    inputs.streams.push_back(std::make_unique<ObjectStream>(parts_, key, size));
    const auto& metadata = parts_.cluster.state();
    for (const auto& indexed : index.extents) {
      const auto* partition = metadata.partition(indexed.extent.partition);
      if (!partition) continue;
      const auto held = partition->extents.find(indexed.extent.base_offset);
      if (held != partition->extents.end() && held->second.key == key) inputs.parts.push_back({held->second.extent, i});
    }
    co_await yield_now();
  }
  std::sort(inputs.parts.begin(), inputs.parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.extent.partition, a.extent.base_offset) < std::tie(b.extent.partition, b.extent.base_offset);
  });
  co_return inputs;
}

Task<Result<void>> Merger::merge_batches(Inputs& inputs, RewriteOutput& output) {
  Joining joining;
  JoinLimits limits;
  const PartitionId* last = nullptr;
  std::size_t worked = 0;
  for (const auto& part : inputs.parts) {
    const cluster::Extent& extent = part.extent;
    if (!last || *last != extent.partition) {
      const auto* topic = parts_.cluster.state().topic(extent.partition.topic_id);
      limits = topic ? join_limits(cluster::topic_settings(topic->configs)) : JoinLimits{};
      last = &extent.partition;
    }
    // It begins where its batches do, which need not be where the one before ends.
    if (!joining.takes(extent, output.extent_bytes(), limits.bytes, limits.span_ms))
      output.begin_extent(extent.partition, extent.base_offset);
    ObjectStream& stream = *inputs.streams[part.input];
    stream.open(extent);
    for (;;) {
      CO_TRY(std::optional<ReadBatch> batch, co_await stream.next());
      if (!batch) break;
      worked += batch->bytes.size() + kMergeBatchCost;
      CO_TRY_VOID(co_await output.add(batch->head, std::move(batch->bytes)));
      if (worked < kMergeBytesPerTurn) continue;
      worked = 0;
      co_await yield_now();
    }
  }
  co_return Result<void>();
}

std::vector<Merger::State> Merger::live_states(const std::vector<std::string>& keys) const {
  std::unordered_map<std::string_view, std::size_t> inputs;
  for (std::size_t i = 0; i < keys.size(); ++i) inputs.emplace(keys[i], i);
  std::vector<State> states;
  parts_.cluster.state().for_each_partition([&](const PartitionId& id, const cluster::PartitionState& partition) {
    if (!partition.state) return;
    const auto found = inputs.find(partition.state_key);
    if (found == inputs.end()) return;
    states.push_back({*partition.state, found->second});
    states.back().place.partition = id;
  });
  std::sort(states.begin(), states.end(), [](const State& a, const State& b) {
    return std::tie(a.input, a.place.position) < std::tie(b.input, b.place.position);
  });
  return states;
}

// Those that newer ones replace while this goes on are left out by the record's rules.
Task<Result<void>> Merger::merge_states(Inputs& inputs, RewriteOutput& output) {
  for (const auto& state : live_states(inputs.keys)) {
    CO_TRY(const Slice bytes,
           co_await inputs.streams[state.input]->bytes(state.place.position, state.place.size_bytes));
    CO_TRY(const std::string_view body, open_state(bytes));
    output.add_state(state.place, body);
  }
  co_return Result<void>();
}

}  // namespace millrace::storage
