#include "sql/ingest/envelope.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::sql::ingest {
namespace {

TableSchema bookings() {
  return {{"salon", "booking"},
          {{"id", {ColumnType::kInt64}, true},
           {"note", {ColumnType::kText}},
           {"price", {ColumnType::kDecimal, 10, 2}},
           {"day", {ColumnType::kDate}},
           {"made_at", {ColumnType::kTimestamp}}},
          {0}};
}

struct Decoded {
  explicit Decoded(TableSchema schema = bookings(), DecodeOptions options = {})
      : decoder(schema, options), batch(schema.columns.size()) {}
  Result<void> operator()(std::optional<std::string_view> value, std::optional<std::string_view> key = {},
                          std::optional<std::string_view> old_key = {}) {
    return decoder.decode({key, value, old_key}, batch);
  }
  const Value& cell(std::size_t change, std::size_t column) { return batch.row(batch.changes[change].row)[column]; }
  EnvelopeDecoder decoder;
  ChangeBatch batch;
};

constexpr std::string_view kInsert =
    R"({"before":null,"after":{"id":7,"note":"cut é","price":"MDk=","day":19782,"made_at":1700000000123456},)"
    R"("source":{"version":"3.7","ts_ms":1700000000999,"snapshot":"false"},"op":"c","ts_ms":1700000001999})";

TEST(Envelope, an_insert_without_schema_follows_the_conventions_of_the_column_types) {
  Decoded decoded;
  ASSERT_TRUE(decoded(kInsert));
  ASSERT_EQ(decoded.batch.changes.size(), 1u);
  EXPECT_EQ(decoded.batch.changes[0].op, Change::Op::kUpsert);
  EXPECT_EQ(decoded.cell(0, 0).integer, 7);
  EXPECT_EQ(decoded.cell(0, 1).view(), "cut é");
  EXPECT_EQ(static_cast<int>(decoded.cell(0, 2).decimal), 12345);
  EXPECT_EQ(decoded.cell(0, 3).integer, 19782);
  EXPECT_EQ(decoded.cell(0, 4).integer, 1700000000123456);
  EXPECT_EQ(decoded.batch.newest_source_ms, 1700000000999);
}

TEST(Envelope, truncation_at_every_byte_is_refused_and_leaves_nothing) {
  Decoded decoded;
  for (std::size_t size = 0; size < kInsert.size(); ++size) {
    auto result = decoded(kInsert.substr(0, size));
    ASSERT_FALSE(result) << kInsert.substr(0, size);
    EXPECT_EQ(result.error().code(), Code::kInvalid);
    EXPECT_TRUE(decoded.batch.changes.empty());
  }
  ASSERT_FALSE(decoded(std::string(kInsert) + "x"));
  ASSERT_TRUE(decoded(kInsert));
}

TEST(Envelope, schemas_say_how_values_are_written) {
  const std::string row_fields =
      R"([{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"note"},)"
      R"({"type":"struct","fields":[],"optional":true,"name":"io.debezium.data.VariableScaleDecimal","field":"price"},)"
      R"({"type":"int64","optional":true,"name":"io.debezium.time.Timestamp","version":1,"field":"made_at"}])";
  const std::string record =
      R"({"schema":{"type":"struct","fields":[{"type":"struct","fields":)" + row_fields +
      R"(,"field":"before"},{"type":"struct","fields":)" + row_fields +
      R"(,"field":"after"},{"type":"string","field":"op"}],"name":"s.public.booking.Envelope"},"payload":{"before":null,)"
      R"("after":{"id":1,"note":null,"price":{"scale":3,"value":"MDk="},"made_at":1500},"op":"r"}})";
  Decoded decoded;
  for (int i = 0; i < 2; ++i) {
    auto result = decoded(record);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_TRUE(decoded.cell(i, 1).is_null());
    EXPECT_EQ(static_cast<int>(decoded.cell(i, 2).decimal), 1235) << "12.345 rounded";
    EXPECT_EQ(decoded.cell(i, 4).integer, 1'500'000);
  }
  auto shape = shape_of_record({std::nullopt, record});
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->columns.size(), 4u);
  EXPECT_EQ(shape->columns[3].type.to_sql(), "TIMESTAMP");
}

TEST(Envelope, a_delete_takes_its_key_from_before_or_from_the_record_key) {
  Decoded decoded;
  ASSERT_TRUE(decoded(R"({"before":{"id":3,"note":null},"after":null,"op":"d"})"));
  ASSERT_TRUE(decoded(R"({"before":null,"after":null,"op":"d"})", R"({"id":4})"));
  ASSERT_TRUE(decoded(R"({"before":null,"after":null,"op":"d"})",
                      R"({"schema":{"type":"struct","fields":[{"type":"int64","field":"id"}]},"payload":{"id":5}})"));
  EXPECT_EQ(decoded.cell(0, 0).integer, 3);
  EXPECT_EQ(decoded.cell(1, 0).integer, 4);
  EXPECT_EQ(decoded.cell(2, 0).integer, 5);
  EXPECT_FALSE(decoded(R"({"before":null,"after":null,"op":"d"})"));
}

TEST(Envelope, a_changed_key_is_a_delete_and_an_upsert) {
  Decoded decoded;
  ASSERT_TRUE(decoded(R"({"before":{"id":1,"note":"a"},"after":{"id":2,"note":"a"},"op":"u"})"));
  ASSERT_EQ(decoded.batch.changes.size(), 2u);
  EXPECT_EQ(decoded.batch.changes[0].op, Change::Op::kDelete);
  EXPECT_EQ(decoded.cell(0, 0).integer, 1);
  EXPECT_EQ(decoded.cell(1, 0).integer, 2);
  // The same key: one change.
  ASSERT_TRUE(decoded(R"({"before":{"id":1,"note":"a"},"after":{"id":1,"note":"b"},"op":"u"})"));
  EXPECT_EQ(decoded.batch.changes.size(), 3u);
}

TEST(Envelope, tombstones_and_messages_are_no_changes_and_truncate_is_one) {
  Decoded decoded;
  EXPECT_TRUE(decoded(std::nullopt, R"({"id":4})"));
  EXPECT_TRUE(decoded(R"({"op":"m","message":{"prefix":"x"}})"));
  EXPECT_TRUE(decoded.batch.changes.empty());
  EXPECT_TRUE(decoded(R"({"before":null,"after":null,"op":"t"})"));
  EXPECT_EQ(decoded.batch.changes[0].op, Change::Op::kTruncate);
}

TEST(Envelope, unchanged_large_values_are_marked) {
  Decoded decoded;
  ASSERT_TRUE(
      decoded(R"({"before":null,"after":{"id":1,"note":"__debezium_unavailable_value"},"op":"u"})", {}, R"({"id":9})"));
  EXPECT_TRUE(decoded.batch.changes[0].has_unchanged);
  EXPECT_EQ(decoded.cell(0, 1).tag, Value::Tag::kUnchanged);
  ASSERT_GE(decoded.batch.changes[0].moved_from, 0);
  EXPECT_EQ(decoded.batch.row(decoded.batch.changes[0].moved_from)[0].integer, 9);
}

TEST(Envelope, what_is_wrong_with_a_record_is_said) {
  Decoded decoded;
  const auto message = [&](std::string_view value) { return decoded(value).error().message(); };
  EXPECT_NE(message(R"({"after":{"id":"x"},"op":"c"})").find("column id: the string x does not fit BIGINT"),
            std::string::npos);
  EXPECT_NE(
      message(R"({"after":{"id":1,"colour":"red"},"op":"c"})").find("field colour is not a column of salon.booking"),
      std::string::npos);
  EXPECT_EQ(decoded.decoder.missing_columns().size(), 1u);
  EXPECT_NE(message(R"({"after":{"note":"x"},"op":"c"})").find("no value for key column id"), std::string::npos);
  EXPECT_NE(message(R"({"after":null,"op":"u"})").find("\"after\" is null"), std::string::npos);
  EXPECT_NE(message(R"({"id":1})").find("no \"op\""), std::string::npos);
  EXPECT_NE(message(R"([1])").find("not a JSON object"), std::string::npos);
  EXPECT_NE(message("\xff\xfe").find("broken JSON"), std::string::npos);
  EXPECT_TRUE(decoded.batch.changes.empty());
}

TEST(Envelope, plain_rows_with_operation_and_tombstone) {
  Decoded decoded(bookings(), {Envelope::kPlain, UnknownFields::kIgnore});
  ASSERT_TRUE(
      decoded(R"({"id":1,"note":{"a":[1,2]},"price":12.5,"day":"2024-02-29","made_at":"2024-01-01T00:00:00Z","x":1})"));
  EXPECT_EQ(decoded.cell(0, 1).view(), R"({"a":[1,2]})");
  EXPECT_EQ(static_cast<int>(decoded.cell(0, 2).decimal), 1250);
  EXPECT_EQ(decoded.cell(0, 3).integer, 19782);
  ASSERT_TRUE(decoded(R"({"id":2,"__op":1})"));
  ASSERT_TRUE(decoded(std::nullopt, R"({"id":3})"));
  EXPECT_EQ(decoded.batch.changes[1].op, Change::Op::kDelete);
  EXPECT_EQ(decoded.batch.changes[2].op, Change::Op::kDelete);
  ASSERT_TRUE(decoded(R"({"__op":"0","id":4})"));
  EXPECT_FALSE(decoded(R"({"__op":2,"id":4})"));
}

}  // namespace
}  // namespace millrace::sql::ingest
