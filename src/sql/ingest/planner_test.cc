#include "sql/ingest/planner.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::sql::ingest {
namespace {

TableSchema two_columns() { return {{"d", "t"}, {{"k", {ColumnType::kInt64}}, {"v", {ColumnType::kText}}}, {0}}; }

struct Builder {
  ChangeBatch batch{2};
  std::uint32_t row(std::int64_t key, Value value = {}) {
    const auto index = batch.add_row();
    batch.row(index)[0] = Value::of_integer(key);
    batch.row(index)[1] = value;
    return index;
  }
  Builder& put(std::int64_t key, std::string_view value) {
    batch.changes.push_back({Change::Op::kUpsert, false, row(key, Value::of_text(batch.arena().keep(value)))});
    return *this;
  }
  Builder& remove(std::int64_t key) {
    batch.changes.push_back({Change::Op::kDelete, false, row(key)});
    return *this;
  }
  Builder& touch(std::int64_t key, std::int64_t moved_from = -1) {
    Change change{Change::Op::kUpsert, true, row(key, Value::unchanged())};
    if (moved_from >= 0) change.moved_from = static_cast<std::int32_t>(row(moved_from));
    batch.changes.push_back(change);
    return *this;
  }
  Plan plan() { return plan_changes(two_columns(), batch); }
  std::string_view value(const Plan::Insert& insert) { return batch.row(insert.row)[1].view(); }
};

TEST(Planner, the_last_change_of_a_key_wins) {
  Builder b;
  b.put(1, "a").put(2, "b").put(1, "c").remove(2).remove(3);
  const Plan plan = b.plan();
  EXPECT_EQ(plan.removed_keys.size(), 3u);
  ASSERT_EQ(plan.inserts.size(), 1u);
  EXPECT_EQ(b.value(plan.inserts[0]), "c");
  EXPECT_EQ(plan.changes, 5u);
}

TEST(Planner, an_insert_after_a_delete_stays) {
  Builder b;
  b.remove(1).put(1, "again");
  const Plan plan = b.plan();
  EXPECT_EQ(plan.removed_keys.size(), 1u);
  ASSERT_EQ(plan.inserts.size(), 1u);
}

TEST(Planner, truncate_forgets_what_came_before) {
  Builder b;
  b.put(1, "a");
  b.batch.changes.push_back({Change::Op::kTruncate});
  b.put(2, "b");
  const Plan plan = b.plan();
  EXPECT_TRUE(plan.truncate);
  ASSERT_EQ(plan.inserts.size(), 1u);
  EXPECT_EQ(b.value(plan.inserts[0]), "b");
}

TEST(Planner, unchanged_values_come_from_the_batch_or_are_left_to_the_table) {
  Builder b;
  b.put(1, "old").touch(1).touch(2);
  Plan plan = b.plan();
  ASSERT_EQ(plan.inserts.size(), 2u);
  EXPECT_EQ(b.value(plan.inserts[0]), "old");
  EXPECT_FALSE(plan.inserts[0].fill);
  EXPECT_TRUE(plan.inserts[1].fill);
  EXPECT_EQ(b.batch.row(plan.inserts[1].fill_key)[0].integer, 2);
}

TEST(Planner, a_row_that_moved_to_another_key_takes_its_unchanged_values_along) {
  Builder b;
  b.put(1, "old").remove(1).touch(5, 1).touch(6, 2);
  Plan plan = b.plan();
  ASSERT_EQ(plan.inserts.size(), 2u);
  EXPECT_EQ(b.value(plan.inserts[0]), "old");
  EXPECT_TRUE(plan.inserts[1].fill);
  EXPECT_EQ(b.batch.row(plan.inserts[1].fill_key)[0].integer, 2);
}

TEST(Planner, delete_then_insert_equals_applying_one_by_one) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::map<std::int64_t, std::string> table, model;
    for (int i = 0; i < 5; ++i) table[i] = model[i] = "t" + std::to_string(i);
    Builder b;
    const int changes = static_cast<int>(random() % 20);
    for (int i = 0; i < changes; ++i) {
      const std::int64_t key = static_cast<std::int64_t>(random() % 8);
      if (random() % 3 == 0) {
        b.remove(key);
        model.erase(key);
      } else {
        const std::string value = std::to_string(random() % 100);
        b.put(key, value);
        model[key] = value;
      }
    }
    const Plan plan = b.plan();
    for (auto row : plan.removed_keys) table.erase(b.batch.row(row)[0].integer);
    for (const auto& insert : plan.inserts) {
      EXPECT_TRUE(table.emplace(b.batch.row(insert.row)[0].integer, std::string(b.value(insert))).second);
    }
    EXPECT_EQ(table, model);
  }
}

TEST(Planner, append_tables_keep_every_row_in_order) {
  Builder b;
  b.put(1, "a").put(1, "b");
  TableSchema schema = two_columns();
  schema.key.clear();
  const Plan plan = plan_changes(schema, b.batch);
  EXPECT_TRUE(plan.removed_keys.empty());
  EXPECT_EQ(plan.inserts.size(), 2u);
}

}  // namespace
}  // namespace millrace::sql::ingest
