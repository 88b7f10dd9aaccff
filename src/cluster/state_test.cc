#include "cluster/state.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cluster/bucket_layout.h"
#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

using test::topic_id;

// A state with the log number that its next entry gets.
struct Log {
  MetadataState state;
  std::uint64_t next = 1;

  Result<void> apply(std::vector<Record> records) {
    const std::string before = state.serialize();
    const auto checked = state.check(LogSeq(next), records);
    EXPECT_EQ(state.serialize(), before) << "a check changed the state";
    const auto applied = state.apply(LogSeq(next), records);
    EXPECT_EQ(checked.has_value(), applied.has_value());
    if (applied) ++next;
    if (!applied) {
      EXPECT_EQ(state.serialize(), before) << "a refusal changed the state";
    }
    return applied;
  }
  template <class T>
  Code refusal(T record) {
    std::vector<Record> records;
    records.emplace_back(std::move(record));
    const auto applied = apply(std::move(records));
    return applied ? Code::kInternal : applied.error().code();
  }
  template <class T>
  void must(T record) {
    std::vector<Record> records;
    records.emplace_back(std::move(record));
    const auto applied = apply(std::move(records));
    ASSERT_TRUE(applied) << applied.error().to_string();
  }
  Incarnation register_broker(std::int32_t id) {
    must(RegisterBrokerRecord{.broker_id = id, .host = "h", .port = 1});
    return state.brokers().at(id).current;
  }
};

const PartitionId kP0{topic_id(1), 0};
const PartitionId kP1{topic_id(1), 1};

// One broker that leads both partitions of one topic.
struct Led : Log {
  Incarnation inc;
  Led() {
    must(ClaimRecord{1, 1, "h:1"});
    inc = register_broker(1);
    must(CreateTopicRecord{topic_id(1), "t", 2, {}, 5});
    must(AssignLeaderRecord{kP0, 1, inc, 0, 0});
    must(AssignLeaderRecord{kP1, 1, inc, 0, 0});
  }
  IncarnationState incarnation(Incarnation i) { return state.brokers().at(1).incarnations.at(i); }
  // An object with one extent per partition given, in place of slots [from, to].
  RegisterObjectRecord object(std::string key, std::vector<Extent> extents, std::uint64_t from, std::uint64_t to) {
    return {.key = std::move(key),
            .birth = LogSeq(1),
            .size_bytes = 1000,
            .extents = std::move(extents),
            .states = {},
            .replaces_slots = {{1, inc, SlotNumber(from), SlotNumber(to)}}};
  }
};

Extent extent(PartitionId p, std::int64_t base, std::int64_t end) { return {p, base, end, 0, 10, 0}; }

TEST(MetadataState, a_claim_must_carry_the_next_epoch) {
  Log log;
  EXPECT_EQ(log.refusal(ClaimRecord{2, 1, ""}), Code::kFenced);
  log.must(ClaimRecord{1, 1, ""});
  EXPECT_EQ(log.refusal(ClaimRecord{1, 2, ""}), Code::kFenced);
  EXPECT_EQ(log.state.controller_id(), 1);
}

TEST(MetadataState, rule_14_an_incarnation_is_its_entrys_number_and_fences_the_previous_one) {
  Led log;
  const Incarnation second = log.register_broker(1);
  EXPECT_EQ(second.value(), log.state.applied().value());
  EXPECT_EQ(log.incarnation(log.inc).phase, IncarnationPhase::kFenced);
  EXPECT_EQ(log.incarnation(second).phase, IncarnationPhase::kLive);
  std::vector<Record> twice;
  twice.emplace_back(RegisterBrokerRecord{.broker_id = 1});
  twice.emplace_back(RegisterBrokerRecord{.broker_id = 1});
  EXPECT_FALSE(log.apply(std::move(twice)));
}

TEST(MetadataState, rule_1_a_fenced_incarnation_registers_releases_and_leads_nothing) {
  Led log;
  log.must(FenceRecord{1, log.inc});
  EXPECT_EQ(log.refusal(log.object("o", {extent(kP0, 0, 5)}, 1, 3)), Code::kFenced);
  EXPECT_EQ(log.refusal(ReleaseRecord{kP0, log.inc, 0, 5, SlotNumber(3)}), Code::kFenced);
  log.must(CreatePartitionsRecord{topic_id(1), 3});
  EXPECT_EQ(log.refusal(AssignLeaderRecord{{topic_id(1), 2}, 1, log.inc, 0, 0}), Code::kFenced);
  EXPECT_EQ(log.incarnation(log.inc).floor, SlotNumber(1));
  EXPECT_EQ(log.refusal(FenceRecord{1, log.inc}), Code::kExists);
  EXPECT_EQ(log.refusal(FenceRecord{1, Incarnation(99)}), Code::kNotFound);
}

TEST(MetadataState, rule_2_recovery_needs_the_fence_the_current_floor_and_happens_once) {
  Led log;
  log.must(log.object("o", {extent(kP0, 0, 5)}, 1, 3));
  EXPECT_EQ(log.refusal(RecoveredRecord{1, log.inc, SlotNumber(4), SlotNumber(6), {}}), Code::kInvalid);
  log.must(FenceRecord{1, log.inc});
  EXPECT_EQ(log.refusal(RecoveredRecord{1, log.inc, SlotNumber(1), SlotNumber(6), {}}), Code::kInvalid);
  EXPECT_EQ(log.refusal(RecoveredRecord{1, log.inc, SlotNumber(4), SlotNumber(3), {}}), Code::kInvalid);
  log.must(RecoveredRecord{1, log.inc, SlotNumber(4), SlotNumber(6), {{kP0, 8}}});
  EXPECT_EQ(log.refusal(RecoveredRecord{1, log.inc, SlotNumber(4), SlotNumber(6), {}}), Code::kExists);
  EXPECT_EQ(log.incarnation(log.inc).seal_slot, SlotNumber(6));
}

TEST(MetadataState, rule_12_recovered_closes_what_the_incarnation_leads_now) {
  Led log;
  log.must(ReleaseRecord{kP1, log.inc, 0, 7, SlotNumber(2)});
  log.must(log.object("o", {extent(kP0, 0, 5)}, 1, 1));
  const Incarnation second = log.register_broker(1);
  log.must(AssignLeaderRecord{kP1, 1, second, 1, 7});
  // kP1 was led by the old incarnation once; its end there is of no concern any more.
  log.must(RecoveredRecord{1, log.inc, SlotNumber(2), SlotNumber(3), {{kP1, 99}}});
  EXPECT_FALSE(log.state.partition(kP0)->leader_broker);
  EXPECT_EQ(log.state.partition(kP0)->end_offset, 5) << "what is registered counts even when not listed";
  EXPECT_EQ(log.state.partition(kP1)->leader_incarnation, second);
  EXPECT_EQ(log.state.partition(kP1)->end_offset, 7);
}

TEST(MetadataState, rule_13_a_leader_is_assigned_only_over_nobody_with_a_higher_epoch_at_the_end) {
  Led log;
  EXPECT_EQ(log.refusal(AssignLeaderRecord{kP0, 1, log.inc, 1, 0}), Code::kExists);
  log.must(ReleaseRecord{kP0, log.inc, 0, 9, SlotNumber(4)});
  EXPECT_EQ(log.refusal(AssignLeaderRecord{kP0, 1, log.inc, 0, 9}), Code::kInvalid) << "rule 11: same epoch";
  EXPECT_EQ(log.refusal(AssignLeaderRecord{kP0, 1, log.inc, 1, 8}), Code::kInvalid) << "not the end";
  EXPECT_EQ(log.refusal(AssignLeaderRecord{kP0, 2, log.inc, 1, 9}), Code::kNotFound);
  log.must(AssignLeaderRecord{kP0, 1, log.inc, 1, 9});
  EXPECT_EQ(log.state.partition(kP0)->epochs.size(), 2u);
  EXPECT_EQ(log.refusal(AssignLeaderRecord{{topic_id(1), 9}, 1, log.inc, 1, 0}), Code::kNotFound);
  EXPECT_EQ(log.refusal(AssignLeaderRecord{{topic_id(1), -1}, 1, log.inc, 1, 0}), Code::kNotFound);
}

TEST(MetadataState, rule_10_only_the_current_leader_in_its_epoch_releases) {
  Led log;
  EXPECT_EQ(log.refusal(ReleaseRecord{kP0, log.inc, 1, 5, SlotNumber(1)}), Code::kFenced);
  EXPECT_EQ(log.refusal(ReleaseRecord{kP0, Incarnation(77), 0, 5, SlotNumber(1)}), Code::kFenced);
  EXPECT_EQ(log.refusal(ReleaseRecord{kP0, log.inc, 0, -1, SlotNumber(1)}), Code::kInvalid);
  log.must(ReleaseRecord{kP0, log.inc, 0, 5, SlotNumber(1)});
  EXPECT_EQ(log.refusal(ReleaseRecord{kP0, log.inc, 0, 5, SlotNumber(1)}), Code::kFenced);
}

TEST(MetadataState, rules_8_and_9_slots_are_replaced_once_from_the_floor_and_below_the_seal) {
  Led log;
  EXPECT_EQ(log.refusal(log.object("o", {extent(kP0, 0, 5)}, 2, 3)), Code::kInvalid) << "a hole";
  log.must(log.object("o", {extent(kP0, 0, 5)}, 1, 3));
  EXPECT_EQ(log.incarnation(log.inc).floor, SlotNumber(4));
  EXPECT_EQ(log.refusal(log.object("o", {extent(kP0, 0, 5)}, 1, 3)), Code::kExists) << "the same again";
  EXPECT_EQ(log.refusal(log.object("o2", {extent(kP0, 5, 9)}, 1, 3)), Code::kInvalid) << "inputs not live";
  auto no_inputs = log.object("o2", {extent(kP0, 5, 9)}, 4, 4);
  no_inputs.replaces_slots.clear();
  EXPECT_EQ(log.refusal(no_inputs), Code::kInvalid);
  const Incarnation old = log.inc;
  log.register_broker(1);
  log.must(RecoveredRecord{1, old, SlotNumber(4), SlotNumber(6), {{kP0, 9}}});
  EXPECT_EQ(log.refusal(log.object("o2", {extent(kP0, 5, 9)}, 4, 6)), Code::kInvalid) << "over the seal";
  log.must(log.object("o2", {extent(kP0, 5, 9)}, 4, 5));
  EXPECT_FALSE(log.state.brokers().at(1).incarnations.contains(old)) << "nothing of it is needed any more";
}

TEST(MetadataState, overlapping_and_malformed_extents_are_refused) {
  Led log;
  log.must(log.object("o", {extent(kP0, 5, 10)}, 1, 1));
  EXPECT_EQ(log.refusal(log.object("x", {extent(kP0, 9, 12)}, 2, 2)), Code::kInvalid);
  EXPECT_EQ(log.refusal(log.object("x", {extent(kP0, 0, 6)}, 2, 2)), Code::kInvalid);
  EXPECT_EQ(log.refusal(log.object("x", {extent(kP0, 6, 7)}, 2, 2)), Code::kInvalid);
  EXPECT_EQ(log.refusal(log.object("x", {extent(kP0, 10, 10)}, 2, 2)), Code::kInvalid);
  EXPECT_EQ(log.refusal(log.object("x", {{kP0, 10, 11, 995, 6, 0}}, 2, 2)), Code::kInvalid) << "past the object's end";
  log.must(log.object("y", {extent(kP0, 0, 5), extent(kP0, 10, 11)}, 2, 2));
  EXPECT_EQ(log.state.partition(kP0)->extents.size(), 3u);
}

TEST(MetadataState, log_start_drops_extents_and_never_falls) {
  Led log;
  log.must(log.object("a", {extent(kP0, 0, 5)}, 1, 1));
  log.must(log.object("b", {extent(kP0, 5, 9)}, 2, 2));
  log.must(SetLogStartRecord{{{kP0, 6}}});
  EXPECT_EQ(log.state.partition(kP0)->extents.size(), 1u);
  EXPECT_EQ(log.state.objects().at("a").live_references, 0u);
  log.must(SetLogStartRecord{{{kP0, 3}, {{topic_id(9), 0}, 3}}});
  EXPECT_EQ(log.state.partition(kP0)->log_start_offset, 6);
  log.must(log.object("c", {extent(kP1, 0, 1)}, 3, 3));
  log.must(SetLogStartRecord{{{kP1, 10}}});
  log.must(log.object("d", {extent(kP1, 1, 10)}, 4, 4));
  EXPECT_EQ(log.state.objects().at("d").live_references, 0u) << "retention overtook the upload";
}

TEST(MetadataState, a_deleted_topic_lets_go_of_its_objects_and_its_name) {
  Led log;
  auto object = log.object("a", {extent(kP0, 0, 5)}, 1, 1);
  object.states.push_back({kP0, 5, 0, 10});
  log.must(object);
  log.must(DeleteTopicRecord{topic_id(1)});
  EXPECT_EQ(log.refusal(DeleteTopicRecord{topic_id(1)}), Code::kNotFound);
  EXPECT_EQ(log.state.objects().at("a").live_references, 0u);
  log.must(UnregisterObjectsRecord{{"a"}});
  log.must(CreateTopicRecord{topic_id(2), "t", 1, {}, 0});
  log.must(log.object("late", {extent(kP0, 5, 9)}, 2, 2));  // bytes of the deleted topic: nobody's
  EXPECT_EQ(log.state.objects().at("late").live_references, 0u);
}

TEST(MetadataState, duplicate_topics_and_shrinking_are_refused) {
  Led log;
  EXPECT_EQ(log.refusal(CreateTopicRecord{topic_id(2), "t", 1, {}, 0}), Code::kExists);
  EXPECT_EQ(log.refusal(CreateTopicRecord{topic_id(1), "u", 1, {}, 0}), Code::kExists);
  EXPECT_EQ(log.refusal(CreateTopicRecord{topic_id(2), "u", 0, {}, 0}), Code::kInvalid);
  EXPECT_EQ(log.refusal(CreatePartitionsRecord{topic_id(1), 2}), Code::kInvalid);
  EXPECT_EQ(log.refusal(CreatePartitionsRecord{topic_id(7), 2}), Code::kNotFound);
  EXPECT_EQ(log.refusal(AlterConfigRecord{topic_id(7), {}}), Code::kNotFound);
  log.must(AlterConfigRecord{topic_id(1), {{"a", "1"}, {"b", "2"}}});
  log.must(AlterConfigRecord{topic_id(1), {{"a", std::nullopt}}});
  EXPECT_EQ(log.state.topic(topic_id(1))->configs, (std::map<std::string, std::string>{{"b", "2"}}));
}

TEST(MetadataState, counters_only_rise) {
  Led log;
  log.must(ProducerIdsRecord{1000});
  EXPECT_EQ(log.refusal(ProducerIdsRecord{1000}), Code::kExists);
  log.must(OrphanFloorRecord{LogSeq(4)});
  EXPECT_EQ(log.refusal(OrphanFloorRecord{LogSeq(3)}), Code::kInvalid);
  EXPECT_EQ(log.refusal(OrphanFloorRecord{LogSeq(4000)}), Code::kInvalid);
  EXPECT_EQ(log.refusal(log.object("o", {}, 1, 1)), Code::kInvalid) << "born below the orphan floor";
}

TEST(MetadataState, rule_32_an_object_is_named_for_its_birth) {
  Led log;
  EXPECT_EQ(log.refusal(log.object(object_key(LogSeq(2), 0, 7), {extent(kP0, 0, 5)}, 1, 1)), Code::kInvalid);
  log.must(log.object(object_key(LogSeq(1), 0, 7), {extent(kP0, 0, 5)}, 1, 1));
}

TEST(MetadataState, a_batch_is_applied_whole_or_not_at_all) {
  Led log;
  std::vector<Record> records;
  records.emplace_back(CreatePartitionsRecord{topic_id(1), 3});
  records.emplace_back(AssignLeaderRecord{{topic_id(1), 2}, 1, log.inc, 0, 0});
  records.emplace_back(ReleaseRecord{kP0, log.inc, 0, 9, SlotNumber(4)});
  records.emplace_back(DeleteTopicRecord{topic_id(1)});
  records.emplace_back(DeleteTopicRecord{topic_id(1)});
  EXPECT_FALSE(log.apply(records));
  records.pop_back();
  EXPECT_TRUE(log.apply(records));
}

// Broker 1 leads kP0 up to offset 10, of which none is registered; broker 2 is live.
struct Moving : Led {
  Incarnation second;
  Moving() : second(register_broker(2)) {}
  void move_and_release(std::int64_t end) {
    must(MovePartitionRecord{kP0, 2});
    must(ReleaseRecord{kP0, inc, 0, end, SlotNumber(4)});
  }
  RegisterObjectRecord with_state(std::string key, std::int64_t follows, std::int64_t end, std::uint64_t slot) {
    auto made = object(std::move(key), {extent(kP0, follows, end)}, slot, slot);
    made.states.push_back({kP0, end, 0, 10, follows});
    return made;
  }
};

TEST(MetadataState, a_move_is_open_until_its_target_leads) {
  Moving log;
  EXPECT_EQ(log.refusal(MovePartitionRecord{kP0, 3}), Code::kNotFound);
  EXPECT_EQ(log.refusal(MovePartitionRecord{{topic_id(1), 7}, 2}), Code::kNotFound);
  log.move_and_release(10);
  EXPECT_EQ(log.state.moves().at(kP0), 2);
  EXPECT_TRUE(log.state.leaderless().contains(kP0));
  log.must(AssignLeaderRecord{kP0, 2, log.second, 1, 10});
  EXPECT_TRUE(log.state.moves().empty() && log.state.leaderless().empty());
  EXPECT_EQ(log.state.takeovers(), log.next - 1) << "the entry's number";
  // To the one who leads it: taken back.
  log.must(MovePartitionRecord{kP0, 1});
  log.must(MovePartitionRecord{kP0, 2});
  EXPECT_TRUE(log.state.moves().empty());
  log.must(FenceRecord{1, log.inc});
  EXPECT_EQ(log.refusal(MovePartitionRecord{kP0, 1}), Code::kInvalid) << "a fenced broker cannot lead";
}

TEST(MetadataState, past_leaderships_last_until_their_batches_are_registered_in_order) {
  Moving log;
  log.move_and_release(10);
  log.must(AssignLeaderRecord{kP0, 2, log.second, 1, 10});
  const auto past = log.state.partition(kP0)->past;
  ASSERT_EQ(past.size(), 1u);
  EXPECT_EQ(past[0].incarnation, log.inc);
  EXPECT_EQ(past[0].last_slot, SlotNumber(4));
  auto later = log.with_state("later", 10, 20, 1);
  later.replaces_slots = {{2, log.second, SlotNumber(1), SlotNumber(1)}};
  EXPECT_EQ(log.refusal(later), Code::kInvalid) << "broker 2 goes on from what broker 1 has not registered";
  log.must(log.with_state("half", 0, 6, 1));
  EXPECT_EQ(log.state.partition(kP0)->past.size(), 1u);
  EXPECT_EQ(log.refusal(log.with_state("again", 0, 10, 2)), Code::kInvalid);
  auto hole = log.with_state("hole", 6, 10, 2);
  hole.extents = {extent(kP0, 6, 8), extent(kP0, 9, 10)};
  EXPECT_EQ(log.refusal(hole), Code::kInvalid) << "offset 8 would be nowhere";
  log.must(log.with_state("rest", 6, 10, 2));
  EXPECT_TRUE(log.state.partition(kP0)->past.empty());
  log.must(later);
}

TEST(MetadataState, a_broker_is_forgotten_only_when_nothing_of_it_is_needed) {
  Moving log;
  log.must(DrainBrokerRecord{2, true});
  EXPECT_TRUE(log.state.brokers().at(2).draining);
  EXPECT_EQ(log.refusal(UnregisterBrokerRecord{2}), Code::kInvalid) << "live";
  log.must(FenceRecord{2, log.second});
  EXPECT_EQ(log.refusal(UnregisterBrokerRecord{2}), Code::kUnavailable) << "not recovered";
  log.must(RecoveredRecord{2, log.second, SlotNumber(1), SlotNumber(1), {}});
  log.must(UnregisterBrokerRecord{2});
  EXPECT_EQ(log.refusal(DrainBrokerRecord{2, false}), Code::kNotFound);
  log.register_broker(2);
  EXPECT_FALSE(log.state.brokers().at(2).draining);
}

// ---- random histories ----

class Author {
 public:
  explicit Author(std::uint64_t seed) : random_(make_seeded_random(seed)) {}

  Record write(const MetadataState& state) {
    switch (random_->below(18)) {
      case 0: return ClaimRecord{state.controller_epoch() + random_->below(2) + (random_->below(9) == 0), broker(), ""};
      case 1: return RegisterBrokerRecord{.broker_id = broker()};
      case 2: return FenceRecord{broker(), incarnation(state)};
      case 3:
      case 4: {
        const Incarnation i = incarnation(state);
        return RecoveredRecord{broker_,
                               i,
                               floor(state, i),
                               SlotNumber(floor(state, i).value() + random_->below(3)),
                               {{partition(), offset()}}};
      }
      case 5: return CreateTopicRecord{topic(), "t" + std::to_string(random_->below(4)), number(3), {}, 0};
      case 6:
        if (random_->below(4) != 0) return ProducerIdsRecord{number(100000)};
        return DeleteTopicRecord{topic()};
      case 7: return CreatePartitionsRecord{topic(), number(5)};
      case 8:
      case 9: {
        const PartitionId p = partition();
        const PartitionState* s = state.partition(p);
        const Incarnation i = incarnation(state);
        return AssignLeaderRecord{p, broker_, i, s ? s->leader_epoch + 1 : 0, s ? s->end_offset : 0};
      }
      case 10: {
        const PartitionId p = partition();
        const PartitionState* s = state.partition(p);
        return ReleaseRecord{p, s ? s->leader_incarnation : Incarnation(1), s ? s->leader_epoch : 0,
                             (s ? s->base_offset : 0) + number(5), SlotNumber(1)};
      }
      case 11: return SetLogStartRecord{{{partition(), offset()}, {partition(), offset()}}};
      case 12: return UnregisterObjectsRecord{{key()}};
      case 13: return MovePartitionRecord{partition(), broker()};
      case 14:
        if (random_->below(2) == 0) return DrainBrokerRecord{broker(), random_->below(2) == 0};
        return UnregisterBrokerRecord{broker()};
      default: return random_->below(2) == 0 ? object(state) : rewrite(state);
    }
  }

 private:
  std::int32_t number(std::int32_t most) { return static_cast<std::int32_t>(random_->below(most)) + 1; }
  std::int32_t broker() { return broker_ = number(2); }
  Uuid topic() { return topic_id(static_cast<std::uint8_t>(number(3))); }
  PartitionId partition() { return {topic(), number(3) - 1}; }
  std::int64_t offset() { return static_cast<std::int64_t>(random_->below(60)); }
  std::string key() { return "obj/" + std::to_string(random_->below(30)); }
  Incarnation incarnation(const MetadataState& state) {
    const auto found = state.brokers().find(broker());
    if (found == state.brokers().end()) return Incarnation(1);
    auto at = found->second.incarnations.begin();
    std::advance(at, random_->below(found->second.incarnations.size()));
    return at->first;
  }
  SlotNumber floor(const MetadataState& state, Incarnation i) {
    const auto found = state.brokers().find(broker_);
    if (found == state.brokers().end() || !found->second.incarnations.contains(i)) return SlotNumber(1);
    return found->second.incarnations.at(i).floor;
  }
  RegisterObjectRecord object(const MetadataState& state) {
    RegisterObjectRecord r{
        .key = key(), .birth = state.applied(), .size_bytes = 100, .extents = {}, .states = {}, .replaces_slots = {}};
    const Incarnation i = incarnation(state);
    const SlotNumber from = floor(state, i);
    r.replaces_slots.push_back({broker_, i, from, SlotNumber(from.value() + random_->below(2))});
    const std::int64_t base = offset();
    r.extents.push_back({partition(), base, base + number(6), 0, 1, 0});
    if (random_->below(2) == 0) {
      const PartitionId p = partition();
      const PartitionState* s = state.partition(p);
      const std::int64_t follows = s ? s->registered_end() : 0, end = follows + number(6);
      if (random_->below(4) > 0) r.extents = {{p, follows, end, 0, 1, 0}};  // else with a hole
      r.states.push_back({p, end, 0, 1, follows});
    }
    return r;
  }

  // A merge of the objects that hold one partition, or its extents made anew.
  Record rewrite(const MetadataState& state) {
    const PartitionId p = partition();
    const PartitionState* s = state.partition(p);
    if (!s || s->extents.empty()) return object(state);
    const bool whole = random_->below(2) == 0;
    NewObject made{.key = key(), .birth = state.applied(), .size_bytes = 100, .level = 1, .extents = {}, .states = {}};
    RewriteObjectsRecord r;
    for (const auto& [base, held] : s->extents) {
      if (whole) r.replaces_objects.push_back(held.key);
      if (!whole) r.replaces_extents.push_back({p, base, held.key});
      made.extents.push_back({p, base, held.extent.end_offset, 0, 1, 0});
    }
    if (whole && s->state) made.states.push_back({p, s->state->end_offset, 0, 1, 0});
    if (!whole) r.cleaned.push_back({p, offset()});
    r.objects.push_back(std::move(made));
    return r;
  }

  std::unique_ptr<Random> random_;
  std::int32_t broker_ = 1;
};

TEST(MetadataState, random_histories_refuse_cleanly_and_survive_a_snapshot) {
  std::uint64_t accepted = 0, refused = 0, merges = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Author author(seed);
    auto sizes = make_seeded_random(seed + 1000);
    Log log;
    for (int i = 0; i < 300; ++i) {
      std::vector<Record> records;
      for (std::uint64_t n = sizes->below(3) + 1; n > 0; --n) records.push_back(author.write(log.state));
      const bool is_merge = std::holds_alternative<RewriteObjectsRecord>(records.front());
      if (log.apply(std::move(records))) {
        ++accepted;
        if (is_merge) ++merges;
      } else {
        ++refused;
      }
    }
    const std::string bytes = log.state.serialize();
    const auto copy = MetadataState::deserialize(bytes);
    ASSERT_TRUE(copy) << copy.error().to_string();
    EXPECT_EQ(copy->serialize(), bytes);
    EXPECT_EQ(copy->applied(), log.state.applied());
    // References are counted anew by deserialize: the running count must agree.
    ASSERT_EQ(copy->objects().size(), log.state.objects().size());
    for (const auto& [key, object] : log.state.objects())
      EXPECT_EQ(copy->objects().at(key).live_references, object.live_references) << key;
    for (std::size_t size = 0; size < bytes.size(); size += 7)
      EXPECT_FALSE(MetadataState::deserialize(std::string_view(bytes).substr(0, size)));
  }
  EXPECT_GT(accepted, 2000u);
  EXPECT_GT(refused, 2000u);
  EXPECT_GT(merges, 10u);
}

TEST(MetadataState, batches_of_one_entry_are_checked_on_top_of_each_other) {
  Led log;
  std::vector<std::vector<Record>> batches(3);
  batches[0].emplace_back(CreateTopicRecord{topic_id(2), "u", 1, {}, 0});
  batches[1].emplace_back(CreateTopicRecord{topic_id(3), "u", 1, {}, 0});
  batches[2].emplace_back(AssignLeaderRecord{{topic_id(2), 0}, 1, log.inc, 0, 0});
  const std::string before = log.state.serialize();
  const auto verdicts = log.state.check_batches(LogSeq(log.next), batches);
  EXPECT_TRUE(verdicts[0]);
  EXPECT_EQ(verdicts[1].error().code(), Code::kExists);
  EXPECT_TRUE(verdicts[2]);
  EXPECT_EQ(log.state.serialize(), before);
}

}  // namespace
}  // namespace millrace::cluster
