// Writes and reads the records of `__consumer_offsets`: group metadata (key type 2) and offset commits (key
// types 0 and 1), as Kafka's own coordinator does, so that its tools read them and a mirror can take them over.
//
// Records added in one turn of the event loop for one partition become one batch. An outcome is given
// once that batch is durable, in the order of `add`. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "cluster/api.h"
#include "coord/offsets.h"
#include "kafka/errors.h"
#include "kafka/messages/group_records.h"
#include "storage/api.h"

namespace millrace::coord {

struct WriteOutcome {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  std::int64_t first_offset = -1;  // of the first record that was added with it
};

// Key and value bytes; no value is a tombstone.
struct RecordBytes {
  std::string key;
  std::optional<std::string> value;
};
RecordBytes offset_record(const std::string& group, const OffsetKey& key, const CommittedOffset& offset);
RecordBytes offset_tombstone(const std::string& group, const OffsetKey& key);
RecordBytes group_record(const std::string& group, const kafka::GroupMetadataValue& value);
RecordBytes group_tombstone(const std::string& group);

// A record that was read back; of a kind that we do not know: none of the two.
struct LoadedOffset {
  std::string group;
  OffsetKey key;
  std::optional<CommittedOffset> value;  // nothing: tombstone
};
struct LoadedGroup {
  std::string group;
  std::optional<kafka::GroupMetadataValue> value;
};
struct LoadedRecord {
  std::int64_t offset = 0;
  std::variant<std::monostate, LoadedOffset, LoadedGroup> what;
};
// kCorrupt names what is broken.
Result<LoadedRecord> parse_record(std::int64_t offset, std::string_view key, std::optional<std::string_view> value);
// Those of whole batches that lie at or after `from`.
Result<std::vector<LoadedRecord>> parse_batches(const Slice& batches, std::int64_t from);

class GroupLog {
 public:
  GroupLog(cluster::Cluster& cluster, storage::Engine& engine, Clock& clock, TaskScope& scope)
      : cluster_(cluster), engine_(engine), clock_(clock), scope_(scope) {}

  // The partition of `__consumer_offsets`, if this broker leads it now.
  storage::Partition* partition(std::int32_t index);
  std::optional<std::int32_t> partition_count() const;
  Promise<WriteOutcome> add(std::int32_t partition, std::vector<RecordBytes> records);

 private:
  struct Addition {
    std::size_t first = 0;  // index of its first record in the batch
    Promise<WriteOutcome> outcome;
  };
  struct Batch {
    std::vector<RecordBytes> records;
    std::size_t bytes = 0;
    std::vector<Addition> additions;
  };
  static Task<void> flush(GroupLog& self, std::int32_t partition);
  Slice encode(const Batch& batch) const;

  cluster::Cluster& cluster_;
  storage::Engine& engine_;
  Clock& clock_;
  TaskScope& scope_;
  std::map<std::int32_t, Batch> batches_;  // being collected
};

}  // namespace millrace::coord
