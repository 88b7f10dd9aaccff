// RewriteObjects accepted and refused: merges, key compaction, and what retention does meanwhile.
#include <gtest/gtest.h>

#include "cluster/state.h"
#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

using test::topic_id;

const PartitionId kFirst{topic_id(1), 0};
const PartitionId kSecond{topic_id(1), 1};

Extent run(PartitionId p, std::int64_t base, std::int64_t end) { return {p, base, end, 0, 10, 0}; }

// Objects a = {kFirst [0, 5), kSecond [0, 2), state of kFirst at 5} and b = {kFirst [5, 9)} of one broker.
struct TwoObjects {
  MetadataState state;
  Incarnation inc;
  std::uint64_t next = 1;

  TwoObjects() {
    must(ClaimRecord{1, 1, ""});
    must(RegisterBrokerRecord{.broker_id = 1});
    inc = state.brokers().at(1).current;
    must(CreateTopicRecord{topic_id(1), "t", 2, {}, 5});
    add("a", {run(kFirst, 0, 5), run(kSecond, 0, 2)}, {{kFirst, 5, 0, 10, 0}}, 1);
    add("b", {run(kFirst, 5, 9)}, {}, 2);
  }
  Result<void> apply(Record record) {
    const std::string before = state.serialize();
    std::vector<Record> records;
    records.push_back(std::move(record));
    auto done = state.apply(LogSeq(next), records);
    if (done) ++next;
    if (!done) {
      EXPECT_EQ(state.serialize(), before) << "a refusal changed the state";
    }
    return done;
  }
  void must(Record record) {
    const auto done = apply(std::move(record));
    ASSERT_TRUE(done) << done.error().to_string();
  }
  void add(std::string key, std::vector<Extent> extents, std::vector<StateExtent> states, std::uint64_t slot) {
    must(RegisterObjectRecord{std::move(key),
                              LogSeq(1),
                              1000,
                              std::move(extents),
                              std::move(states),
                              {{1, inc, SlotNumber(slot), SlotNumber(slot)}}});
  }
  bool refused(RewriteObjectsRecord record, const char* because) {
    const auto done = apply(std::move(record));
    if (done) return false;
    EXPECT_NE(done.error().message().find(because), std::string::npos) << done.error().to_string();
    return done.error().code() == Code::kInvalid;
  }
  std::uint32_t live(const std::string& key) const { return state.objects().at(key).live_references; }
};

NewObject object(std::string key, std::vector<Extent> extents, std::vector<StateExtent> states = {}) {
  return {std::move(key), LogSeq(1), 1000, 1, std::move(extents), std::move(states)};
}
RewriteObjectsRecord merge(NewObject made, std::vector<std::string> inputs) {
  return {{std::move(made)}, std::move(inputs), {}, {}};
}
const StateExtent kStateAt5{kFirst, 5, 0, 10, 0};

TEST(RewriteObjects, a_merge_takes_over_all_live_parts_of_its_inputs) {
  TwoObjects log;
  const auto all = merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "b"});
  EXPECT_TRUE(log.refused(merge(object("m", {run(kFirst, 0, 9)}, {kStateAt5}), {"a", "b"}), "not all live parts"));
  EXPECT_TRUE(log.refused(merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}), {"a", "b"}), "not all live"));
  EXPECT_TRUE(log.refused(merge(object("m", {run(kFirst, 0, 8), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "b"}),
                          "would lose some of the offsets [0, 9)"));
  EXPECT_TRUE(log.refused(merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 3)}, {kStateAt5}), {"a", "b"}),
                          "in none of the inputs"));
  EXPECT_TRUE(log.refused(merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "x"}),
                          "object x is to be replaced and is not live"));
  EXPECT_TRUE(log.refused({{object("m", {})}, {}, {}, {}}, "needs objects or extents"));
  log.must(all);
  EXPECT_EQ(log.live("a"), 0u);
  EXPECT_EQ(log.live("b"), 0u);
  EXPECT_EQ(log.live("m"), 3u);
  EXPECT_EQ(log.state.objects().at("m").level, 1u);
  EXPECT_EQ(log.state.partition(kFirst)->extents.size(), 1u);
  EXPECT_EQ(log.state.partition(kFirst)->state_key, "m");
  auto again = all;
  again.objects[0].key = "again";
  EXPECT_TRUE(log.refused(again, "not live any more"));
}

TEST(RewriteObjects, several_outputs_together_take_over_and_may_cut_an_extent) {
  TwoObjects log;
  RewriteObjectsRecord cut = merge(object("m", {run(kFirst, 0, 3)}, {kStateAt5}), {"a", "b"});
  cut.objects.push_back(object("n", {run(kFirst, 3, 9), run(kSecond, 0, 2)}));
  log.must(cut);
  EXPECT_EQ(log.live("m"), 2u);
  EXPECT_EQ(log.live("n"), 2u);
}

TEST(RewriteObjects, what_retention_and_newer_state_overtook_is_left_out) {
  TwoObjects log;
  log.add("c", {}, {{kFirst, 9, 0, 10, 5}}, 3);
  log.must(SetLogStartRecord{{{kFirst, 5}}});
  log.must(merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "b"}));
  EXPECT_EQ(log.state.partition(kFirst)->state_key, "c");
  EXPECT_EQ(log.state.partition(kFirst)->extents.begin()->first, 0) << "joined with what begins at the log start";
  EXPECT_EQ(log.live("m"), 2u);
  TwoObjects deleted;
  const auto late = merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "b"});
  deleted.must(DeleteTopicRecord{topic_id(1)});
  EXPECT_TRUE(deleted.refused(late, "not live any more"));
}

TEST(RewriteObjects, key_compaction_replaces_the_extents_that_it_names) {
  TwoObjects log;
  RewriteObjectsRecord clean{
      {object("c", {run(kFirst, 0, 9)})}, {}, {{kFirst, 0, "a"}, {kFirst, 5, "b"}}, {{kFirst, 9}}};
  auto wrong = clean;
  wrong.replaces_extents[1].key = "a";
  EXPECT_TRUE(log.refused(wrong, "does not hold partition"));
  wrong = clean;
  wrong.replaces_extents.pop_back();
  EXPECT_TRUE(log.refused(wrong, "in none of the inputs"));
  wrong = clean;
  wrong.objects[0].extents = {run(kFirst, 0, 7)};
  EXPECT_TRUE(log.refused(wrong, "would lose some of the offsets"));
  wrong = clean;
  wrong.cleaned[0].clean_until = 10;
  EXPECT_TRUE(log.refused(wrong, "cannot be clean until 10"));
  wrong = clean;
  wrong.objects[0].birth = LogSeq(99);
  EXPECT_TRUE(log.refused(wrong, "born at 99"));
  log.must(clean);
  EXPECT_EQ(log.live("a"), 2u) << "the other partition, and the state";
  EXPECT_EQ(log.live("b"), 0u);
  EXPECT_EQ(log.state.partition(kFirst)->clean_until, 9);
  clean.objects[0].key = "again";
  EXPECT_TRUE(log.refused(clean, "any more"));
  const auto copy = MetadataState::deserialize(log.state.serialize());
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->partition(kFirst)->clean_until, 9);
  EXPECT_EQ(copy->objects().at("c").level, 1u);
}

TEST(RewriteObjects, a_merge_and_a_cleaning_of_the_same_extent_exclude_each_other) {
  const RewriteObjectsRecord clean{{object("c", {run(kFirst, 0, 5)})}, {}, {{kFirst, 0, "a"}}, {}};
  const auto merged = merge(object("m", {run(kFirst, 0, 9), run(kSecond, 0, 2)}, {kStateAt5}), {"a", "b"});
  TwoObjects merged_first;
  merged_first.must(merged);
  EXPECT_TRUE(merged_first.refused(clean, "does not hold partition"));
  TwoObjects cleaned_first;
  cleaned_first.must(clean);
  EXPECT_TRUE(cleaned_first.refused(merged, "in none of the inputs"));
}

}  // namespace
}  // namespace millrace::cluster
