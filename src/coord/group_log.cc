#include "coord/group_log.h"

#include "base/log.h"
#include "coord/coordinator.h"
#include "kafka/batch_builder.h"
#include "kafka/codec.h"
#include "kafka/records.h"

namespace millrace::coord {
namespace {

using kafka::ErrorCode;

// The versions that Kafka 4 writes; a commit with an expiry of its own exists only in version 1.
constexpr std::int16_t kOffsetValueVersion = 3;
constexpr std::int16_t kOffsetValueWithExpiry = 1;
constexpr std::int16_t kGroupValueVersion = 3;

std::string offset_key(const std::string& group, const OffsetKey& key) {
  return kafka::encode_group_record_key(kafka::OffsetCommitKey{group, key.topic, key.partition});
}

Slice borrowed(std::string_view bytes) { return Slice::copy_of(bytes); }

ErrorCode code_of(storage::AppendRefusal refusal) {
  switch (refusal) {
    case storage::AppendRefusal::kOverloaded: return ErrorCode::kCoordinatorNotAvailable;  // retriable
    default: return ErrorCode::kNotCoordinator;
  }
}

}  // namespace

RecordBytes offset_record(const std::string& group, const OffsetKey& key, const CommittedOffset& offset) {
  kafka::OffsetCommitValue value;
  value.offset = offset.offset;
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.commit_ms;
  const bool expires = offset.expire_ms >= 0;
  if (expires) {
    value.expire_timestamp = offset.expire_ms;
  } else {
    value.leader_epoch = offset.leader_epoch;
  }
  auto bytes = kafka::encode_versioned(value, expires ? kOffsetValueWithExpiry : kOffsetValueVersion);
  CHECK(bytes);  // metadata is bounded far below 32 KiB
  return {offset_key(group, key), std::move(*bytes)};
}

RecordBytes offset_tombstone(const std::string& group, const OffsetKey& key) {
  return {offset_key(group, key), std::nullopt};
}

RecordBytes group_record(const std::string& group, const kafka::GroupMetadataValue& value) {
  auto bytes = kafka::encode_versioned(value, kGroupValueVersion);
  CHECK(bytes);  // ids came out of requests, where strings are bounded alike
  return {kafka::encode_group_record_key(kafka::GroupMetadataKey{group}), std::move(*bytes)};
}

RecordBytes group_tombstone(const std::string& group) {
  return {kafka::encode_group_record_key(kafka::GroupMetadataKey{group}), std::nullopt};
}

Result<LoadedRecord> parse_record(std::int64_t offset, std::string_view key, std::optional<std::string_view> value) {
  LoadedRecord record{offset, {}};
  TRY(auto parsed, kafka::decode_group_record_key(borrowed(key)));
  if (!parsed) return record;  // of a newer protocol
  if (auto* commit = std::get_if<kafka::OffsetCommitKey>(&*parsed)) {
    LoadedOffset loaded{std::move(commit->group), {std::move(commit->topic), commit->partition}, std::nullopt};
    if (value) {
      TRY(auto stored, kafka::decode_versioned<kafka::OffsetCommitValue>(borrowed(*value)));
      CommittedOffset committed{stored.offset, stored.leader_epoch, std::move(stored.metadata), stored.commit_timestamp,
                                stored.expire_timestamp};
      loaded.value = std::move(committed);
    }
    record.what = std::move(loaded);
  } else if (auto* group = std::get_if<kafka::GroupMetadataKey>(&*parsed)) {
    LoadedGroup loaded{std::move(group->group), std::nullopt};
    if (value) {
      TRY(auto stored, kafka::decode_versioned<kafka::GroupMetadataValue>(borrowed(*value)));
      loaded.value = std::move(stored);
    }
    record.what = std::move(loaded);
  }
  return record;
}

Result<std::vector<LoadedRecord>> parse_batches(const Slice& batches, std::int64_t from) {
  std::vector<LoadedRecord> records;
  kafka::BatchSplitter splitter(batches);
  while (true) {
    TRY(auto batch, splitter.next());
    if (!batch) return records;
    TRY(const auto view, kafka::BatchView::at_start_of(*batch));
    if (view.is_control()) continue;
    std::optional<Error> broken;
    TRY_VOID(kafka::for_each_record(*batch, [&](const kafka::RecordView& record) {
      if (record.offset < from || !record.key) return;
      auto parsed = parse_record(record.offset, *record.key, record.value);
      if (parsed) {
        records.push_back(std::move(*parsed));
      } else {
        broken = std::move(parsed).error();
      }
    }));
    if (broken) return fail(std::move(*broken));
  }
}

std::optional<std::int32_t> GroupLog::partition_count() const {
  const auto* topic = cluster_.state().topic_by_name(kOffsetsTopic);
  if (!topic) return std::nullopt;
  return static_cast<std::int32_t>(topic->partitions.size());
}

storage::Partition* GroupLog::partition(std::int32_t index) {
  const auto* topic = cluster_.state().topic_by_name(kOffsetsTopic);
  return topic ? engine_.find({topic->id, index}) : nullptr;
}

Promise<WriteOutcome> GroupLog::add(std::int32_t partition, std::vector<RecordBytes> records) {
  const auto [slot, fresh] = batches_.try_emplace(partition);
  Batch& batch = slot->second;
  Addition addition{batch.records.size(), {}};
  for (auto& record : records) {
    batch.bytes += record.key.size() + record.value.value_or("").size() + 16;
    batch.records.push_back(std::move(record));
  }
  Promise<WriteOutcome> outcome = addition.outcome;
  batch.additions.push_back(std::move(addition));
  if (fresh) scope_.spawn(flush(*this, partition));
  return outcome;
}

Slice GroupLog::encode(const Batch& batch) const {
  kafka::BatchOptions options;
  options.size_hint = batch.bytes + 128;
  kafka::BatchBuilder builder(options);
  const std::int64_t now_ms = clock_.wall_ms();
  for (const auto& record : batch.records) {
    std::optional<std::string_view> value;
    if (record.value) value = *record.value;
    builder.add(now_ms, record.key, value);
  }
  return builder.finish();
}

Task<void> GroupLog::flush(GroupLog& self, std::int32_t index) {
  // What else this turn of the loop has to say comes along.
  co_await yield_now();
  auto node = self.batches_.extract(index);
  Batch& batch = node.mapped();
  WriteOutcome outcome;
  storage::Partition* partition = self.partition(index);
  if (!partition) {
    outcome.error = ErrorCode::kNotCoordinator;
  } else if (auto ticket = partition->append(self.encode(batch)); !ticket) {
    outcome.error = code_of(ticket.error());
  } else {
    const Promise<Result<void>> durable = ticket->durable;
    const std::int64_t base_offset = ticket->base_offset;
    const Result<void> result = co_await durable.wait();
    if (result) {
      outcome.first_offset = base_offset;
    } else {
      outcome.error = ErrorCode::kNotCoordinator;
      LOG_DEBUG("coord.append_lost", {"partition", index}, {"error", result.error().to_string()});
    }
  }
  for (const auto& addition : batch.additions) {
    WriteOutcome mine = outcome;
    if (mine.first_offset >= 0) mine.first_offset += static_cast<std::int64_t>(addition.first);
    addition.outcome.set(mine);
  }
}

}  // namespace millrace::coord
