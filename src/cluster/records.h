// The records of the metadata log: every fact that all nodes agree on. Byte layout: docs/formats/metadata-log.md;
// codec: cluster/record_codec.h. Rules cited are those of the bucket protocol.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/strong.h"
#include "base/uuid.h"

namespace millrace::cluster {

using LogSeq = Strong<struct LogSeqTag, std::uint64_t>;            // number of a metadata log entry
using Incarnation = Strong<struct IncarnationTag, std::uint64_t>;  // LogSeq of the Register entry (rule 14)
using SlotNumber = Strong<struct SlotNumberTag, std::uint64_t>;    // 0 is the WAL header, data begins at 1

struct PartitionId {
  Uuid topic_id;
  std::int32_t partition = 0;
  auto operator<=>(const PartitionId&) const = default;
};

// Brokers that registered in one entry share the incarnation's number: only both together name a WAL.
struct WalId {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  auto operator<=>(const WalId&) const = default;
};

enum class WalKind : std::uint8_t { kBucket = 0, kDisk = 1 };  // rule 21

using ConfigChanges = std::map<std::string, std::optional<std::string>>;  // nullopt: back to the default

struct NewTopicSpec {
  std::string name;
  std::int32_t partitions = 1;
  std::map<std::string, std::string> configs;
};

// Winning a slot with this entry is the election.
struct ClaimRecord {
  std::uint64_t controller_epoch = 0;
  std::int32_t broker_id = 0;
  std::string endpoint;
};
// A new incarnation of a broker; fences the previous one in the same entry. Its number is the entry's.
struct RegisterBrokerRecord {
  std::int32_t broker_id = 0;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;
  WalKind wal_kind = WalKind::kBucket;
  std::uint64_t process_nonce = 0;
};
struct FenceRecord {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
};
// The WAL of a fenced incarnation ends before `seal_slot` (rules 2, 3, 12); `from` is its slot floor.
// `ends`: end offset of each partition it led, by which the successor opens.
struct PartitionEnd {
  PartitionId partition;
  std::int64_t end_offset = 0;
};
struct RecoveredRecord {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  SlotNumber from;
  SlotNumber seal_slot;
  std::vector<PartitionEnd> ends;
};
struct CreateTopicRecord {
  Uuid topic_id;
  std::string name;
  std::int32_t partitions = 0;
  std::map<std::string, std::string> configs;
  std::int64_t created_ms = 0;
};
struct DeleteTopicRecord {
  Uuid topic_id;
};
struct CreatePartitionsRecord {
  Uuid topic_id;
  std::int32_t total = 0;
};
struct AlterConfigRecord {
  Uuid topic_id;
  ConfigChanges changes;
};
// Refused unless the partition has no leader and `incarnation` is live (rule 13).
struct AssignLeaderRecord {
  PartitionId partition;
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  std::int32_t epoch = 0;
  std::int64_t base_offset = 0;
};
struct ReleaseRecord {  // rules 10, 11
  PartitionId partition;
  Incarnation incarnation;
  std::int32_t epoch = 0;
  std::int64_t end_offset = 0;
  SlotNumber last_slot;
};

// A run of one partition's batches inside a data object.
struct Extent {
  PartitionId partition;
  std::int64_t base_offset = 0;
  std::int64_t end_offset = 0;  // exclusive: last offset + 1
  std::uint64_t position = 0;   // bytes from the object's start
  std::uint64_t size_bytes = 0;
  std::int64_t max_timestamp_ms = -1;
};
// Where a partition's producer state, complete up to `end_offset`, lies in the object.
struct StateExtent {
  PartitionId partition;
  std::int64_t end_offset = 0;
  std::uint64_t position = 0;
  std::uint64_t size_bytes = 0;
  // The end of the producer state on which this one builds, 0 for none: an object made of slots is refused unless it
  // is the present one, so a partition's batches become objects in their order, whoever compacts.
  std::int64_t follows = 0;
};
// WAL slots [from, to] of an incarnation, which this object replaces (rules 8, 9).
struct SlotRun {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  SlotNumber from;
  SlotNumber to;
};
struct RegisterObjectRecord {
  std::string key;  // obj/<hh>/<birth_seq>-<uuid>
  LogSeq birth;
  std::uint64_t size_bytes = 0;
  std::vector<Extent> extents;
  std::vector<StateExtent> states;
  std::vector<SlotRun> replaces_slots;
};
// Objects with no live extent left leave the index; their bytes are deleted afterwards.
struct UnregisterObjectsRecord {
  std::vector<std::string> keys;
};
// DeleteRecords and retention: nothing below is readable any more.
struct LogStart {
  PartitionId partition;
  std::int64_t offset = 0;
};
struct SetLogStartRecord {
  std::vector<LogStart> starts;
};
struct ProducerIdsRecord {
  std::int64_t next_id = 0;  // ids below were handed out or may have been
};
// Registrations of objects born before `floor` are refused from here on, so their names may be collected.
struct OrphanFloorRecord {
  LogSeq floor;
};
// The leader shall release the partition, and `to_broker` lead it then. The broker that leads it now: no move any more.
struct MovePartitionRecord {
  PartitionId partition;
  std::int32_t to_broker = 0;
};
// A broker that drains gets no partition, and the controller moves those that it leads elsewhere.
struct DrainBrokerRecord {
  std::int32_t broker_id = 0;
  bool draining = true;
};
// Forgets a broker that is fenced and recovered and has no slot that is still needed.
struct UnregisterBrokerRecord {
  std::int32_t broker_id = 0;
};

// An uploaded object, as the record that makes it live names it.
struct NewObject {
  std::string key;
  LogSeq birth;
  std::uint64_t size_bytes = 0;
  std::uint32_t level = 0;  // how often its bytes were rewritten; 0: made of slots
  std::vector<Extent> extents;
  std::vector<StateExtent> states;
};
// Exactly this live extent: the one of `key` that begins at `base_offset`.
struct ReplacedExtent {
  PartitionId partition;
  std::int64_t base_offset = 0;
  std::string key;
};
// Key compaction has gone through all below this offset.
struct CleanedPartition {
  PartitionId partition;
  std::int64_t clean_until = 0;
};
// Objects made of objects (rules 9, 42): merges replace whole objects with all that lives of them, key compaction
// replaces extents. What they replace is covered again, offset by offset, and nothing else is.
struct RewriteObjectsRecord {
  std::vector<NewObject> objects;
  std::vector<std::string> replaces_objects;
  std::vector<ReplacedExtent> replaces_extents;
  std::vector<CleanedPartition> cleaned;
};

// The codec's tag is the index: append only.
using Record =
    std::variant<ClaimRecord, RegisterBrokerRecord, FenceRecord, RecoveredRecord, CreateTopicRecord, DeleteTopicRecord,
                 CreatePartitionsRecord, AlterConfigRecord, AssignLeaderRecord, ReleaseRecord, RegisterObjectRecord,
                 UnregisterObjectsRecord, SetLogStartRecord, ProducerIdsRecord, OrphanFloorRecord, MovePartitionRecord,
                 DrainBrokerRecord, UnregisterBrokerRecord, RewriteObjectsRecord>;

}  // namespace millrace::cluster
