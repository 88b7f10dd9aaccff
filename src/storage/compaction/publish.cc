#include "storage/compaction/publish.h"

#include <fmt/format.h>

#include "base/log.h"
#include "cluster/bucket_layout.h"
#include "object/create.h"

namespace millrace::storage {
namespace {

std::vector<cluster::SlotRun> runs_of(const ReplacedSlots& slots) {
  std::vector<cluster::SlotRun> runs;
  for (const auto& slot : slots) {
    if (runs.empty() || runs.back().incarnation != slot.incarnation) {
      runs.push_back({slot.broker_id, slot.incarnation, slot.slot, slot.slot});
    }
    runs.back().to = slot.slot;
  }
  return runs;
}

// After the Register nobody needs them. What a failure leaves is found by the collector later.
Task<void> delete_slots(EngineParts& parts, const ReplacedSlots& slots) {
  std::vector<std::string> keys;
  keys.reserve(slots.size());
  for (const auto& slot : slots) keys.push_back(slot_key(slot));
  parts.metrics.deleted_keys.Increment(static_cast<double>(keys.size()));
  Result<void> removed = co_await parts.store.remove(std::move(keys));
  if (!removed) LOG_WARN("compaction.slots_left", {"error", removed.error().to_string()});
}

}  // namespace

Task<Result<void>> upload_object(EngineParts& parts, std::string key, SliceChain body) {
  object::CreateOptions options{.deadline = parts.clock.now() + parts.options.put_unknown_deadline};
  auto put = co_await object::create_object(parts.store, parts.clock, parts.random, key, std::move(body), options);
  if (put.outcome != object::CreateOutcome::kCreated) co_return fail(std::move(put.error).with("writing " + key));
  co_return Result<void>();
}

Task<Result<std::uint64_t>> publish_object(EngineParts& parts, ObjectBuilder& builder, cluster::LogSeq birth,
                                           ReplacedSlots slots) {
  cluster::RegisterObjectRecord record;
  record.key = cluster::object_key(birth, parts.random.next(), parts.random.next());
  record.birth = birth;
  auto built = builder.finish();
  record.size_bytes = built.body.size();
  record.extents = std::move(built.extents);
  record.states = std::move(built.states);
  record.replaces_slots = runs_of(slots);
  const std::string key = record.key;
  const std::uint64_t bytes = record.size_bytes;
  CO_TRY_VOID(co_await upload_object(parts, key, std::move(built.body)));
  std::vector<cluster::Record> records;
  records.emplace_back(std::move(record));
  auto committed = co_await parts.cluster.commit(std::move(records));
  if (!committed) co_return fail(std::move(committed).error().with("registering " + key));
  parts.metrics.objects.Increment();
  parts.metrics.object_bytes.Increment(static_cast<double>(bytes));
  LOG_DEBUG("compaction.registered", {"object", key}, {"bytes", bytes}, {"slots", slots.size()});
  co_await delete_slots(parts, slots);
  co_return bytes;
}

Task<Result<Checkpoint>> load_checkpoint(EngineParts& parts, PartitionId id) {
  const auto& metadata = parts.cluster.state();
  const auto* state = metadata.partition(id);
  if (!state) co_return fail(Code::kNotFound, "the partition was deleted");
  Checkpoint checkpoint;
  if (!state->state) co_return checkpoint;
  const std::string key = state->state_key;
  const cluster::StateExtent place = *state->state;
  const auto object = metadata.objects().find(key);
  CHECK(object != metadata.objects().end());  // it is referenced
  auto bytes = co_await parts.cache.read(key, object->second.size_bytes, place.position, place.size_bytes);
  if (!bytes) co_return fail(std::move(bytes).error().with("reading producer state"));
  const Slice flat = bytes->flatten();
  CO_TRY(const std::string_view body, open_state(flat));
  CO_TRY(checkpoint.producers, ProducerTable::decode(body));
  checkpoint.end_offset = place.end_offset;
  co_return checkpoint;
}

}  // namespace millrace::storage
