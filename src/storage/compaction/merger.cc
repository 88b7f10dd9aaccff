#include "storage/compaction/merger.h"

#include <algorithm>
#include <unordered_map>

#include "base/crc32c.h"
#include "base/log.h"
#include "storage/compaction/publish.h"
#include "storage/compaction/responsible.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kMergeBytesPerTurn = 256 << 10;
constexpr std::size_t kExtentsPerTurn = 1000;
constexpr std::size_t kMergeBatchCost = 256;  // in bytes, so that tiny batches count, too

}  // namespace

Task<Result<bool>> Merger::merge_once() {
  const MergeLimits limits{.fan_in = parts_.options.merge_fan_in,
                           .bytes_max = parts_.options.merge_bytes_max,
                           .object_bytes_target = parts_.options.object_bytes_target};
  std::vector<MergeGroup> groups = plan_merges(parts_.cluster.state().objects(), limits);
  const auto mine = std::ranges::find_if(
      groups, [this](const auto& group) { return is_responsible(parts_.cluster, crc32c(group.keys.front())); });
  if (mine == groups.end()) co_return false;
  cluster::RewriteObjectsRecord record;
  record.replaces_objects = mine->keys;
  RewriteOutput output(parts_, mine->level + 1);
  Inputs inputs;
  std::uint64_t bytes_in = 0;
  for (const auto& key : record.replaces_objects) {
    CO_TRY(Input input, co_await open_input(key));
    for (const auto& extent : input.extents) bytes_in += extent.size_bytes;
    inputs.push_back(std::move(input));
  }
  CO_TRY_VOID(co_await merge_batches(inputs, output));
  CO_TRY_VOID(co_await merge_states(inputs, output));
  CO_TRY_VOID(co_await output.commit(std::move(record)));
  parts_.metrics.merges.Increment();
  parts_.metrics.merge_bytes_in.Increment(static_cast<double>(bytes_in));
  parts_.metrics.merge_bytes_out.Increment(static_cast<double>(output.bytes_out()));
  co_return true;
}

Task<Result<Merger::Input>> Merger::open_input(std::string key) {
  const auto object = parts_.cluster.state().objects().find(key);
  if (object == parts_.cluster.state().objects().end())
    co_return fail(Code::kNotFound, key + " was replaced meanwhile");
  const std::uint64_t size = object->second.size_bytes;
  CO_TRY(const ObjectIndex index, co_await read_object_index(parts_, key, size));
  Input input;
  input.key = key;
  input.stream = std::make_unique<ObjectStream>(parts_, key, size);
  for (std::size_t i = 0; i < index.extents.size(); ++i) {
    const cluster::Extent& extent = index.extents[i].extent;
    const auto* partition = parts_.cluster.state().partition(extent.partition);
    if (partition) {
      const auto held = partition->extents.find(extent.base_offset);
      if (held != partition->extents.end() && held->second.key == key) input.extents.push_back(held->second.extent);
    }
    if (i % kExtentsPerTurn == kExtentsPerTurn - 1) co_await yield_now();
  }
  co_return input;
}

// The one whose next extent comes first; null when all are through.
Merger::Input* Merger::first_of(Inputs& inputs) {
  const auto place = [](const Input& input) {
    const cluster::Extent& extent = input.extents[input.next];
    return std::tie(extent.partition, extent.base_offset);
  };
  Input* first = nullptr;
  for (auto& input : inputs) {
    if (input.next < input.extents.size() && (!first || place(input) < place(*first))) first = &input;
  }
  return first;
}

Task<Result<void>> Merger::merge_batches(Inputs& inputs, RewriteOutput& output) {
  Joining joining;
  JoinLimits limits;
  std::optional<PartitionId> last;
  std::size_t worked = 0;
  while (Input* input = first_of(inputs)) {
    const cluster::Extent extent = input->extents[input->next++];
    if (last != extent.partition) {
      const auto* topic = parts_.cluster.state().topic(extent.partition.topic_id);
      limits = topic ? join_limits(cluster::topic_settings(topic->configs)) : JoinLimits{};
      last = extent.partition;
    }
    if (!joining.takes(extent, output.extent_bytes(), limits.bytes, limits.span_ms))
      output.begin_extent(extent.partition, extent.base_offset);
    input->stream->open(extent);
    for (;;) {
      CO_TRY(std::optional<ReadBatch> batch, co_await input->stream->next());
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

std::vector<Merger::State> Merger::live_states(const Inputs& inputs) const {
  std::unordered_map<std::string_view, std::size_t> by_key;
  for (std::size_t i = 0; i < inputs.size(); ++i) by_key.emplace(inputs[i].key, i);
  std::vector<State> states;
  parts_.cluster.state().for_each_partition([&](const PartitionId& id, const cluster::PartitionState& partition) {
    if (!partition.state) return;
    const auto found = by_key.find(partition.state_key);
    if (found == by_key.end()) return;
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
  for (const auto& state : live_states(inputs)) {
    CO_TRY(const Slice bytes, co_await inputs[state.input].stream->bytes(state.place.position, state.place.size_bytes));
    CO_TRY(const std::string_view body, open_state(bytes));
    output.add_state(state.place, body);
  }
  co_return Result<void>();
}

}  // namespace millrace::storage
