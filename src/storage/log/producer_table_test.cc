#include "storage/log/producer_table.h"

#include <gtest/gtest.h>

namespace millrace::storage {
namespace {

constexpr auto kMax = std::numeric_limits<std::int32_t>::max();

BatchHeader sent(std::int16_t epoch, std::int32_t sequence, std::int32_t records, std::int64_t offset = 0) {
  BatchHeader head;
  head.producer_id = 7;
  head.producer_epoch = epoch;
  head.base_sequence = sequence;
  head.last_offset_delta = records - 1;
  head.base_offset = offset;
  return head;
}

bool fresh(const ProducerTable::Verdict& v) { return std::holds_alternative<ProducerTable::Fresh>(v); }
bool duplicate_of(const ProducerTable::Verdict& v, std::int64_t offset) {
  const auto* batch = std::get_if<ProducerTable::Batch>(&v);
  return batch && batch->base_offset == offset;
}
bool refused(const ProducerTable::Verdict& v, AppendRefusal why) {
  const auto* refusal = std::get_if<AppendRefusal>(&v);
  return refusal && *refusal == why;
}

TEST(ProducerTable, an_unknown_producer_may_begin_anywhere) {
  EXPECT_TRUE(fresh(ProducerTable().check(sent(3, 17, 1))));
}

TEST(ProducerTable, sequences_go_on_without_gap_or_repeat) {
  ProducerTable table;
  table.note(sent(0, 0, 3, 100), 1);
  EXPECT_TRUE(fresh(table.check(sent(0, 3, 1))));
  EXPECT_TRUE(refused(table.check(sent(0, 4, 1)), AppendRefusal::kOutOfOrderSequence));
  EXPECT_TRUE(duplicate_of(table.check(sent(0, 0, 3)), 100));
  EXPECT_TRUE(refused(table.check(sent(0, 0, 2)), AppendRefusal::kOutOfOrderSequence));
}

TEST(ProducerTable, only_the_last_five_batches_are_recognised) {
  ProducerTable table;
  for (int i = 0; i < 6; ++i) table.note(sent(0, i, 1, i), 1);
  EXPECT_TRUE(refused(table.check(sent(0, 0, 1)), AppendRefusal::kOutOfOrderSequence));
  for (int i = 1; i < 6; ++i) EXPECT_TRUE(duplicate_of(table.check(sent(0, i, 1)), i));
}

TEST(ProducerTable, sequences_wrap_to_zero) {
  ProducerTable table;
  table.note(sent(0, kMax, 1), 1);
  EXPECT_TRUE(fresh(table.check(sent(0, 0, 1))));
  ProducerTable inside;
  inside.note(sent(0, kMax - 1, 4), 1);  // kMax-1, kMax, 0, 1
  EXPECT_TRUE(fresh(inside.check(sent(0, 2, 1))));
  EXPECT_TRUE(duplicate_of(inside.check(sent(0, kMax - 1, 4)), 0));
}

TEST(ProducerTable, a_new_epoch_begins_at_zero_and_an_old_one_is_fenced) {
  ProducerTable table;
  table.note(sent(1, 0, 5), 1);
  EXPECT_TRUE(refused(table.check(sent(2, 5, 1)), AppendRefusal::kOutOfOrderSequence));
  EXPECT_TRUE(fresh(table.check(sent(2, 0, 1))));
  EXPECT_TRUE(refused(table.check(sent(0, 0, 1)), AppendRefusal::kInvalidProducerEpoch));
}

// Found by the simulation: the second of two pipelined batches began the log when the first was over the memory budget.
TEST(ProducerTable, what_follows_a_refused_first_batch_waits_for_its_repeat) {
  ProducerTable table;
  table.note_refused(sent(0, 0, 2), 1);
  EXPECT_TRUE(refused(table.check(sent(0, 2, 1)), AppendRefusal::kOutOfOrderSequence));
  EXPECT_TRUE(fresh(table.check(sent(0, 0, 2))));
  table.note(sent(0, 0, 2), 1);
  EXPECT_TRUE(fresh(table.check(sent(0, 2, 1))));
}

TEST(ProducerTable, only_silent_producers_expire) {
  ProducerTable table;
  table.note(sent(0, 0, 1), 1000);
  table.expire(1000);
  EXPECT_EQ(table.size(), 1u);
  table.expire(1001);
  EXPECT_TRUE(table.empty());
}

TEST(ProducerTable, a_checkpoint_comes_back_and_is_refused_when_cut_short) {
  ProducerTable table;
  for (int i = 0; i < 7; ++i) table.note(sent(4, i * 2, 2, i * 2), i);
  const std::string bytes = table.encode();
  auto decoded = ProducerTable::decode(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, table);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ProducerTable::decode(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(ProducerTable::decode(bytes + "x"));
}

}  // namespace
}  // namespace millrace::storage
