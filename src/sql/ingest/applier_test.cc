#include "sql/ingest/applier.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sql/ingest/envelope.h"

namespace millrace::sql::ingest {
namespace {

using engine::Connection;
using engine::Database;

TableSchema visits() {
  return {{"shop", "visit"},
          {{"day", {ColumnType::kDate}, true},
           {"id", {ColumnType::kInt64}, true},
           {"note", {ColumnType::kText}},
           {"price", {ColumnType::kDecimal, 10, 2}},
           {"doc", {ColumnType::kJson}}},
          {0, 1}};
}

struct Fixture {
  explicit Fixture(std::string path = "") {
    database = std::move(*Database::open({path, 1}));
    connection = std::move(*database->connect());
    applier.emplace(*connection);
    EXPECT_TRUE(applier->prepare());
    EXPECT_TRUE(connection->execute("CREATE SCHEMA IF NOT EXISTS shop"));
    EXPECT_TRUE(
        connection->execute("CREATE TABLE IF NOT EXISTS shop.visit(day DATE NOT NULL, id BIGINT NOT NULL, "
                            "note VARCHAR, price DECIMAL(10,2), doc JSON)"));
  }
  Result<Applied> apply(std::vector<std::string> records, std::int64_t next_offset) {
    EnvelopeDecoder decoder(schema, {Envelope::kDebezium});
    ChangeBatch batch(schema.columns.size());
    for (const auto& record : records) {
      auto decoded = decoder.decode({std::nullopt, record}, batch);
      EXPECT_TRUE(decoded) << decoded.error().to_string();
    }
    return applier->apply({{"shop.load", &schema, &batch, {{0, next_offset}}, 3}});
  }
  std::string all() {
    auto rows = engine::query_text(*connection, "SELECT id, note, price, doc FROM shop.visit ORDER BY day, id");
    std::string text;
    for (const auto& row : *rows) {
      for (const auto& cell : row) text += cell.value_or("-") + " ";
      text += "| ";
    }
    return text;
  }
  TableSchema schema = visits();
  std::unique_ptr<Database> database;
  std::unique_ptr<Connection> connection;
  std::optional<Applier> applier;
};

std::string put(int day, int id, std::string_view note, std::string_view price = "MDk=") {
  return fmt::format(R"({{"before":null,"after":{{"day":{},"id":{},"note":"{}","price":"{}","doc":"{{}}"}},"op":"u"}})",
                     day, id, note, price);
}
std::string remove(int day, int id) {
  return fmt::format(R"({{"before":{{"day":{},"id":{}}},"after":null,"op":"d"}})", day, id);
}

TEST(Applier, batches_upsert_and_delete_by_a_key_of_two_columns) {
  Fixture f;
  auto applied = f.apply({put(1, 1, "a"), put(1, 2, "b"), put(2, 1, "c")}, 3);
  ASSERT_TRUE(applied) << applied.error().to_string();
  EXPECT_EQ(f.all(), "1 a 123.45 {} | 2 b 123.45 {} | 1 c 123.45 {} | ");
  ASSERT_TRUE(f.apply({put(1, 2, "b2", "/w=="), remove(1, 1), remove(9, 9)}, 6));
  EXPECT_EQ(f.all(), "2 b2 -0.01 {} | 1 c 123.45 {} | ");
  auto progress = f.applier->progress();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->at("shop.load").next_offsets.at(0), 6);
  EXPECT_EQ(progress->at("shop.load").errors, 3u);
}

TEST(Applier, unchanged_large_values_are_taken_from_the_table) {
  Fixture f;
  ASSERT_TRUE(f.apply({put(1, 1, "long text"), put(1, 2, "other")}, 2));
  auto applied =
      f.apply({put(1, 1, "__debezium_unavailable_value", "AQ=="), put(7, 7, "__debezium_unavailable_value")}, 4);
  ASSERT_TRUE(applied) << applied.error().to_string();
  EXPECT_EQ(f.all(), "1 long text 0.01 {} | 2 other 123.45 {} | 7 - 123.45 {} | ");
}

TEST(Applier, truncate_empties_the_table) {
  Fixture f;
  ASSERT_TRUE(f.apply({put(1, 1, "a"), put(1, 2, "b")}, 2));
  ASSERT_TRUE(f.apply({R"({"before":null,"after":null,"op":"t"})", put(1, 3, "c")}, 4));
  EXPECT_EQ(f.all(), "3 c 123.45 {} | ");
}

TEST(Applier, a_failed_batch_changes_neither_rows_nor_offsets) {
  Fixture f;
  ASSERT_TRUE(f.apply({put(1, 1, "a")}, 1));
  ASSERT_TRUE(f.connection->execute("ALTER TABLE shop.visit DROP COLUMN note"));
  EXPECT_FALSE(f.apply({put(1, 2, "b")}, 2));
  EXPECT_EQ(f.applier->progress()->at("shop.load").next_offsets.at(0), 1);
  EXPECT_EQ(*engine::query_text(*f.connection, "SELECT count(*) FROM shop.visit"),
            (std::vector<std::vector<engine::TextCell>>{{"1"}}));
}

TEST(Applier, rows_and_offsets_survive_a_restart_together) {
  const std::string path = testing::TempDir() + "/millrace_applier_test.duckdb";
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".wal");
  {
    Fixture f(path);
    ASSERT_TRUE(f.apply({put(1, 1, "a"), put(1, 2, "b")}, 2));
    // Begun and never committed, as a kill leaves it.
    ASSERT_TRUE(f.connection->execute("BEGIN"));
    ASSERT_TRUE(f.connection->execute("DELETE FROM shop.visit"));
    ASSERT_TRUE(f.connection->execute("UPDATE __millrace.load_offsets SET next_offset = 99"));
  }
  Fixture f(path);
  EXPECT_EQ(f.applier->progress()->at("shop.load").next_offsets.at(0), 2);
  EXPECT_EQ(f.all(), "1 a 123.45 {} | 2 b 123.45 {} | ");
}

TEST(Applier, large_batches_cross_chunk_borders) {
  Fixture f;
  std::vector<std::string> records;
  for (int i = 0; i < 5000; ++i) records.push_back(put(1, i, "n" + std::to_string(i)));
  ASSERT_TRUE(f.apply(records, 5000));
  for (auto& record : records) record = remove(1, static_cast<int>(&record - records.data()));
  records.pop_back();
  auto applied = f.apply(records, 9999);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->rows_deleted, 4999u);
  EXPECT_EQ(f.all(), "4999 n4999 123.45 {} | ");
}

}  // namespace
}  // namespace millrace::sql::ingest
