#include "sql/ingest/load_statement.h"

#include <gtest/gtest.h>

namespace millrace::sql::ingest {
namespace {

TableSchema visit() { return {{"shop", "visit"}, {{"id", {ColumnType::kInt64}, true}, {"note", {}}}, {0}}; }

dialect::CreateRoutineLoad statement(dialect::Properties properties, dialect::Properties source) {
  dialect::CreateRoutineLoad made;
  made.job = {"shop", "visits"};
  made.table = {"shop", "visit"};
  made.properties = std::move(properties);
  made.source = std::move(source);
  return made;
}
std::string refusal(dialect::Properties properties, dialect::Properties source = {{"kafka_topic", "t"}}) {
  auto entry = load_from_statement(statement(std::move(properties), std::move(source)), visit());
  return entry ? "" : entry.error().message();
}

TEST(LoadStatement, properties_become_an_entry) {
  auto entry = load_from_statement(
      statement(
          {{"format", "json"}, {"envelope", "debezium"}, {"max_error_number", "5"}, {"strict_mode", "true"}},
          {{"kafka_topic", "t"}, {"kafka_partitions", "0, 2"}, {"kafka_offsets", "7,9"}, {"property.group.id", "g"}}),
      visit());
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->topic, "t");
  EXPECT_EQ(entry->envelope, Envelope::kDebezium);
  EXPECT_EQ(entry->max_error_number, 5);
  EXPECT_EQ(entry->start_at, StartAt::kOffsets);
  EXPECT_EQ(entry->start_offsets, (PartitionOffsets{{0, 7}, {2, 9}}));
}

TEST(LoadStatement, defaults_are_plain_from_the_beginning_and_no_bad_record) {
  auto entry = load_from_statement(statement({}, {{"kafka_topic", "t"}}), visit());
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->envelope, Envelope::kPlain);
  EXPECT_EQ(entry->start_at, StartAt::kBeginning);
  EXPECT_EQ(entry->max_error_number, 0);
  EXPECT_EQ(entry->brokers, "");
}

TEST(LoadStatement, what_is_not_built_or_not_known_is_refused_by_name) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({{"format", "avro"}}), "format \"avro\" is not supported yet: use \"json\"");
  EXPECT_EQ(refusal({{"jsonpaths", "[]"}}), "property \"jsonpaths\" is not supported yet");
  EXPECT_EQ(refusal({{"formt", "json"}}), "unknown property \"formt\"");
  EXPECT_EQ(refusal({{"max_error_number", "many"}}), "property \"max_error_number\" must be -1 (no bound), 0 or more");
  EXPECT_EQ(refusal({}, {}), "FROM KAFKA needs \"kafka_topic\"");
  EXPECT_EQ(refusal({}, {{"kafka_topic", "t"}, {"kafka_offsets", "1,2"}, {"kafka_partitions", "0"}}),
            "kafka_offsets needs one offset for each of kafka_partitions");
  EXPECT_EQ(refusal({}, {{"kafka_topic", "t"}, {"property.security.protocol", "ssl"}}),
            "security.protocol \"ssl\" is not supported yet");
  TableSchema keyless = visit();
  keyless.key.clear();
  auto entry = load_from_statement(statement({{"envelope", "debezium"}}, {{"kafka_topic", "t"}}), keyless);
  EXPECT_FALSE(entry);
}

TEST(LoadStatement, captured_tables_are_named_after_prefix_and_schema) {
  EXPECT_EQ(auto_table_name("salon", "public", "visit"), (TableName{"salon", "visit"}));
  EXPECT_EQ(auto_table_name("salon", "sales", "visit"), (TableName{"salon_sales", "visit"}));
  auto made = auto_table({"salon", "visit"}, "salon.public.visit", visit().columns, {"id"});
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->load.automatic);
  EXPECT_EQ(made->table.schema.key, (std::vector<std::size_t>{0}));
  EXPECT_FALSE(auto_table({"salon", "visit"}, "t", visit().columns, {}));
  EXPECT_FALSE(auto_table({"salon", "visit"}, "t", visit().columns, {"nothing"}));
}

}  // namespace
}  // namespace millrace::sql::ingest
