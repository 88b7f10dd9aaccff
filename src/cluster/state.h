// MetadataState: the pure state machine of the metadata log. Given the same entries, every node has the
// same state; `apply` is the only way to change it and refuses a batch whole, for the reasons that the bucket
// protocol's rules give. No I/O, no clock.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "cluster/records.h"

namespace millrace::cluster {

enum class IncarnationPhase : std::uint8_t { kLive, kFenced, kRecovered };

struct IncarnationState {
  IncarnationPhase phase = IncarnationPhase::kLive;
  WalKind wal_kind = WalKind::kBucket;
  SlotNumber floor{1};                  // first slot that no registered object replaces (rule 7)
  std::optional<SlotNumber> seal_slot;  // once recovered: the log of this WAL is [.., seal_slot)
};

struct BrokerState {
  std::int32_t id = 0;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;
  bool draining = false;  // until it registers anew
  Incarnation current;
  // Those whose slots may still be needed: one that is recovered, not current and has no slot left between
  // floor and seal is gone from here.
  std::map<Incarnation, IncarnationState> incarnations;

  bool is_live() const {
    const auto at = incarnations.find(current);
    return at != incarnations.end() && at->second.phase == IncarnationPhase::kLive;
  }
};

struct EpochStart {
  std::int32_t epoch = 0;
  std::int64_t start_offset = 0;
};

// A closed leadership whose last batches may be in no object yet: a successor finds them in slots of that WAL.
struct PastLeadership {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  std::int64_t end_offset = 0;
  SlotNumber last_slot;  // none of its batches is in a later one
};

struct PartitionState {
  // Nobody leads between Release/Recovered and AssignLeader.
  std::optional<std::int32_t> leader_broker;
  std::int32_t last_leader = -1;  // the one who leads, or led last
  Incarnation leader_incarnation;
  std::int32_t leader_epoch = -1;
  std::int64_t base_offset = 0;  // where the current epoch began
  std::int64_t end_offset = 0;   // where the last closed epoch ended: next base
  std::int64_t log_start_offset = 0;
  std::int64_t clean_until = 0;      // key compaction has gone through all below
  std::vector<EpochStart> epochs;    // ascending
  std::vector<PastLeadership> past;  // ascending; gone once producer state up to its end is registered
  // Extents of registered objects in offset order, without overlap; the object key by index.
  struct ObjectExtent {
    Extent extent;
    std::string key;
  };
  std::map<std::int64_t, ObjectExtent> extents;  // by base offset
  std::optional<StateExtent> state;              // newest checkpoint of producer state
  std::string state_key;

  bool led_by(const WalId& wal) const {
    return leader_broker == wal.broker_id && leader_incarnation == wal.incarnation;
  }
  // Extents hold every offset from `base` on, below `end`.
  bool holds(std::int64_t base, std::int64_t end) const {
    while (base < end) {
      const auto after = extents.upper_bound(base);
      if (after == extents.begin() || std::prev(after)->second.extent.end_offset <= base) return false;
      base = std::prev(after)->second.extent.end_offset;
    }
    return true;
  }
  // All below is in objects, with the producers' state.
  std::int64_t registered_end() const { return state ? state->end_offset : 0; }
  // Whoever leads it has to look for what was there before.
  bool has_history() const { return state || !past.empty() || base_offset > 0; }
};

struct TopicState {
  Uuid id;
  std::string name;
  std::map<std::string, std::string> configs;  // only what was set
  std::int64_t created_ms = 0;
  std::vector<PartitionState> partitions;
};

struct ObjectState {
  LogSeq birth;
  std::uint64_t size_bytes = 0;
  std::uint32_t live_references = 0;  // extents and state extents that are still reachable
  std::uint32_t level = 0;            // how often its bytes were rewritten; 0: made of slots
};

class MetadataState {
 public:
  // Applies one committed entry's records, or refuses all of them with the reason. `seq` is the entry's number.
  Result<void> apply(LogSeq seq, std::span<const Record> records);
  // The same check on a copy-free dry run: what commit() asks before writing. It applies and rolls back, so
  // references into the state stay valid, but no other thread may look meanwhile.
  Result<void> check(LogSeq seq, std::span<const Record> records);
  // Several batches for one entry: each is checked on top of those before it that were accepted.
  std::vector<Result<void>> check_batches(LogSeq seq, std::span<const std::vector<Record>> batches);

  LogSeq applied() const { return applied_; }
  std::uint64_t controller_epoch() const { return controller_epoch_; }
  std::int32_t controller_id() const { return controller_id_; }
  const std::map<std::int32_t, BrokerState>& brokers() const { return brokers_; }
  const std::map<std::string, Uuid, std::less<>>& topic_ids() const { return topic_ids_; }  // by name
  const TopicState* topic(const Uuid& id) const;
  const TopicState* topic_by_name(std::string_view name) const;
  const PartitionState* partition(const PartitionId& id) const;
  // `visit(id, state)`: every partition, topics by name.
  template <class Visit>
  void for_each_partition(Visit visit) const {
    for (const auto& [name, topic_id] : topic_ids_) {
      const auto& partitions = topics_.find(topic_id)->second.partitions;
      for (std::size_t i = 0; i < partitions.size(); ++i)
        visit(PartitionId{topic_id, static_cast<std::int32_t>(i)}, partitions[i]);
    }
  }
  const std::unordered_map<std::string, ObjectState>& objects() const { return objects_; }
  std::int64_t next_producer_id() const { return next_producer_id_; }
  LogSeq orphan_floor() const { return orphan_floor_; }
  const std::set<PartitionId>& leaderless() const { return leaderless_; }
  const std::map<PartitionId, std::int32_t>& moves() const { return moves_; }  // under way: to which broker
  // Grows with every leader that is assigned to a partition with history. Not part of snapshots.
  std::uint64_t takeovers() const { return takeovers_; }

  // Snapshot bytes (docs/formats/metadata-log.md), and back.
  std::string serialize() const;
  static Result<MetadataState> deserialize(std::string_view bytes);

 private:
  friend class MetadataApplier;  // state_apply.cc: one function per record
  LogSeq applied_;
  std::uint64_t controller_epoch_ = 0;
  std::int32_t controller_id_ = -1;
  std::map<std::int32_t, BrokerState> brokers_;
  std::map<std::string, Uuid, std::less<>> topic_ids_;
  std::unordered_map<Uuid, TopicState> topics_;
  std::unordered_map<std::string, ObjectState> objects_;
  std::int64_t next_producer_id_ = 0;
  LogSeq orphan_floor_;
  std::set<PartitionId> leaderless_;
  std::map<PartitionId, std::int32_t> moves_;
  std::uint64_t takeovers_ = 0;
};

}  // namespace millrace::cluster
