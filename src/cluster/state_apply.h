// MetadataApplier: how one entry's records change the MetadataState, with a way back. Every change is made through
// it and leaves its inverse on a list, so a batch that is refused halfway, or only checked, is undone exactly; `apply`
// and `check` cannot disagree because they run the same code.
//
// Pure: no I/O, no clock. Refusals say which rule of the bucket protocol refused and what to do.
// Codes: kExists (name or id taken, already done), kNotFound (no such topic, partition, broker, object), kInvalid
// (breaks a rule whoever asks), kFenced (the incarnation that asks is over).
#pragma once

#include <fmt/format.h>

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "cluster/state.h"

namespace millrace::cluster {

template <class... Args>
std::unexpected<Error> refuse(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return fail(code, fmt::format(text, std::forward<Args>(args)...));
}

inline std::string name_of(const PartitionId& id) {
  return fmt::format("{}-{}", id.topic_id.to_string(), id.partition);
}

class MetadataApplier {
 public:
  MetadataApplier(MetadataState& state, LogSeq seq) : state_(state), seq_(seq) {}
  MetadataApplier(const MetadataApplier&) = delete;
  MetadataApplier& operator=(const MetadataApplier&) = delete;

  // All of them, or none and the reason.
  Result<void> apply(std::span<const Record> records);
  // Undoes everything applied since construction.
  void roll_back() { roll_back_to(0); }

 private:
  Result<void> on(const ClaimRecord& r);
  Result<void> on(const RegisterBrokerRecord& r);
  Result<void> on(const FenceRecord& r);
  Result<void> on(const RecoveredRecord& r);
  Result<void> on(const CreateTopicRecord& r);
  Result<void> on(const DeleteTopicRecord& r);
  Result<void> on(const CreatePartitionsRecord& r);
  Result<void> on(const AlterConfigRecord& r);
  Result<void> on(const AssignLeaderRecord& r);
  Result<void> on(const ReleaseRecord& r);
  Result<void> on(const RegisterObjectRecord& r);
  Result<void> on(const UnregisterObjectsRecord& r);
  Result<void> on(const SetLogStartRecord& r);
  Result<void> on(const ProducerIdsRecord& r);
  Result<void> on(const OrphanFloorRecord& r);
  Result<void> on(const MovePartitionRecord& r);
  Result<void> on(const DrainBrokerRecord& r);
  Result<void> on(const UnregisterBrokerRecord& r);
  Result<void> on(const RewriteObjectsRecord& r);

  // An object that a record makes live, whichever record.
  struct Upload {
    const std::string& key;
    LogSeq birth;
    std::uint64_t size_bytes;
    std::uint32_t level;
    const std::vector<Extent>& extents;
    const std::vector<StateExtent>& states;
  };
  static Upload upload_of(const NewObject& o) { return {o.key, o.birth, o.size_bytes, o.level, o.extents, o.states}; }
  Result<void> replace_slots(const SlotRun& run);
  Result<ObjectState*> add_object(const Upload& r);
  Result<void> add_extent(const Upload& r, ObjectState& object, const Extent& extent);
  Result<void> check_order(const Upload& r, const StateExtent& state);
  void add_state(const Upload& r, ObjectState& object, const StateExtent& state);

  // What a rewrite took out of one partition and has to cover again: [base, end), ascending once sorted.
  struct Taken {
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    std::optional<std::int64_t> state_end;
  };
  using TakenParts = std::map<PartitionId, Taken>;
  Result<void> take_objects(const RewriteObjectsRecord& r, TakenParts& taken);
  Result<void> take_extents(const RewriteObjectsRecord& r, TakenParts& taken);
  Result<void> add_rewritten(const NewObject& object, const TakenParts& taken);
  Result<void> check_covered(const RewriteObjectsRecord& r, const TakenParts& taken);
  Result<void> note_cleaned(const CleanedPartition& cleaned);

  Result<TopicState*> find_topic(const Uuid& id);
  PartitionState* find_partition(const PartitionId& id);
  Result<IncarnationState*> find_incarnation(std::int32_t broker_id, Incarnation incarnation);
  void drop_if_done(std::int32_t broker_id, Incarnation incarnation);
  void drop_reference(const std::string& key);
  void drop_extent(PartitionState& partition, std::map<std::int64_t, PartitionState::ObjectExtent>::iterator at);
  void drop_partition_references(TopicState& topic);
  // Nobody leads it from here on: its last leadership ended at `end_offset`.
  void close(const PartitionId& id, PartitionState& partition, std::int64_t end_offset, SlotNumber last_slot);
  void mark_leaderless(const PartitionId& id, bool is);
  void end_move(const PartitionId& id);
  void raise_log_start(PartitionState& partition, std::int64_t offset);

  void roll_back_to(std::size_t mark);
  template <class T>
  void set(T& field, std::type_identity_t<T> value) {
    undo_.push_back([at = &field, old = std::exchange(field, std::move(value))]() mutable { *at = std::move(old); });
  }
  template <class Map, class Key, class Value>
  Value* insert(Map& map, Key key, Value value) {
    Value* at = &map.emplace(key, std::move(value)).first->second;
    undo_.push_back([&map, key = std::move(key)] { map.erase(key); });
    return at;
  }
  // The node keeps its address, so pointers held by older inverses stay right.
  template <class Map>
  void erase(Map& map, typename Map::iterator at) {
    undo_.push_back([&map, node = map.extract(at)]() mutable { map.insert(std::move(node)); });
  }

  MetadataState& state_;
  LogSeq seq_;
  std::vector<std::move_only_function<void()>> undo_;
};

}  // namespace millrace::cluster
