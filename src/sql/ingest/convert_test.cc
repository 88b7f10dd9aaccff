#include "sql/ingest/convert.h"

#include <gtest/gtest.h>

namespace millrace::sql::ingest {
namespace {

Value converted(TypeSpec type, Encoding encoding, JsonKind kind, std::string_view text, int scale = 0) {
  static Arena arena;
  auto value = convert({type, encoding, scale}, {kind, text}, arena);
  EXPECT_TRUE(value) << value.error().to_string();
  return value ? *value : Value{};
}
bool refused(TypeSpec type, Encoding encoding, JsonKind kind, std::string_view text, int scale = 0) {
  Arena arena;
  return !convert({type, encoding, scale}, {kind, text}, arena);
}

TEST(Convert, integers_are_checked_against_the_range_of_the_column) {
  EXPECT_EQ(converted({ColumnType::kInt8}, Encoding::kPlain, JsonKind::kNumber, "-128").integer, -128);
  EXPECT_TRUE(refused({ColumnType::kInt8}, Encoding::kPlain, JsonKind::kNumber, "128"));
  EXPECT_EQ(converted({ColumnType::kInt64}, Encoding::kPlain, JsonKind::kNumber, "9223372036854775807").integer,
            9223372036854775807);
  EXPECT_TRUE(refused({ColumnType::kInt64}, Encoding::kPlain, JsonKind::kNumber, "9223372036854775808"));
  EXPECT_EQ(converted({ColumnType::kInt32}, Encoding::kPlain, JsonKind::kNumber, "3.0").integer, 3);
  EXPECT_EQ(converted({ColumnType::kInt32}, Encoding::kPlain, JsonKind::kNumber, "1e3").integer, 1000);
  EXPECT_TRUE(refused({ColumnType::kInt32}, Encoding::kPlain, JsonKind::kNumber, "3.5"));
  EXPECT_TRUE(refused({ColumnType::kInt32}, Encoding::kPlain, JsonKind::kString, "seven"));
  EXPECT_EQ(static_cast<std::uint64_t>(
                converted({ColumnType::kUInt64}, Encoding::kPlain, JsonKind::kNumber, "18446744073709551615").integer),
            18446744073709551615u);
}

TEST(Convert, connect_decimals_are_unscaled_big_endian_integers) {
  const TypeSpec price{ColumnType::kDecimal, 10, 2};
  // 12345 = 0x3039, "MDk="
  EXPECT_EQ(static_cast<std::int64_t>(converted(price, Encoding::kDecimalBase64, JsonKind::kString, "MDk=", 2).decimal),
            12345);
  // -1 = 0xff
  EXPECT_EQ(static_cast<std::int64_t>(converted(price, Encoding::kDecimalBase64, JsonKind::kString, "/w==", 2).decimal),
            -1);
  EXPECT_EQ(static_cast<std::int64_t>(converted(price, Encoding::kDecimalBase64, JsonKind::kString, "MDk=", 3).decimal),
            1235);
  EXPECT_TRUE(refused(price, Encoding::kDecimalBase64, JsonKind::kString, "not base64", 2));
  EXPECT_TRUE(refused(price, Encoding::kDecimalBase64, JsonKind::kString, "f///////", -2))
      << "2^47 x 10^2 does not fit";
}

TEST(Convert, decimals_in_text_and_numbers_are_exact) {
  EXPECT_EQ(static_cast<std::int64_t>(*parse_decimal("-12.345", 3, 10)), -12345);
  EXPECT_EQ(static_cast<std::int64_t>(*parse_decimal("12.345", 2, 10)), 1235);
  EXPECT_EQ(static_cast<std::int64_t>(*parse_decimal("1.5e3", 0, 10)), 1500);
  EXPECT_EQ(static_cast<std::int64_t>(*parse_decimal("1E-2", 2, 10)), 1);
  EXPECT_FALSE(parse_decimal("100000000", 2, 10));
  EXPECT_FALSE(parse_decimal("", 2, 10));
  EXPECT_FALSE(parse_decimal(".", 2, 10));
  EXPECT_FALSE(parse_decimal("1.2.3", 2, 10));
  EXPECT_FALSE(parse_decimal("12x", 2, 10));
  EXPECT_EQ(decimal_to_string(*parse_decimal("12345678901234567890.123456789", 9, 38), 9),
            "12345678901234567890.123456789");
  EXPECT_EQ(decimal_to_string(-5, 3), "-0.005");
  EXPECT_EQ(decimal_to_string(5, -2), "500");
}

TEST(Convert, integer_from_bytes_refuses_what_needs_over_128_bits) {
  EXPECT_EQ(static_cast<std::int64_t>(*integer_from_bytes(std::string(20, '\0') + "\x01")), 1);
  EXPECT_EQ(static_cast<std::int64_t>(*integer_from_bytes(std::string(20, '\xff'))), -1);
  EXPECT_FALSE(integer_from_bytes("\x01" + std::string(16, '\0')));
  EXPECT_FALSE(integer_from_bytes(""));
}

TEST(Convert, times_come_in_days_millis_micros_nanos_and_text) {
  EXPECT_EQ(converted({ColumnType::kDate}, Encoding::kDays, JsonKind::kNumber, "19782").integer, 19782);
  EXPECT_EQ(converted({ColumnType::kDate}, Encoding::kPlain, JsonKind::kString, "2024-02-29").integer, 19782);
  EXPECT_TRUE(refused({ColumnType::kDate}, Encoding::kPlain, JsonKind::kString, "2023-02-29"));
  EXPECT_EQ(converted({ColumnType::kTime}, Encoding::kMillis, JsonKind::kNumber, "1500").integer, 1'500'000);
  EXPECT_EQ(converted({ColumnType::kTime}, Encoding::kPlain, JsonKind::kString, "12:34:56.789Z").integer,
            45'296'789'000);
  EXPECT_TRUE(refused({ColumnType::kTime}, Encoding::kMicros, JsonKind::kNumber, "-1"));
  const TypeSpec timestamp{ColumnType::kTimestamp};
  EXPECT_EQ(converted(timestamp, Encoding::kMillis, JsonKind::kNumber, "1000").integer, 1'000'000);
  EXPECT_EQ(converted(timestamp, Encoding::kMicros, JsonKind::kNumber, "-7").integer, -7);
  EXPECT_EQ(converted(timestamp, Encoding::kNanos, JsonKind::kNumber, "-1").integer, -1);
  EXPECT_EQ(converted(timestamp, Encoding::kPlain, JsonKind::kString, "1970-01-01T01:00:00.000001+01:00").integer, 1);
  EXPECT_EQ(converted(timestamp, Encoding::kPlain, JsonKind::kString, "1970-01-02 00:00:00").integer, 86'400'000'000);
  EXPECT_TRUE(refused(timestamp, Encoding::kPlain, JsonKind::kString, "yesterday"));
  EXPECT_TRUE(refused(timestamp, Encoding::kPlain, JsonKind::kString, "1970-01-01T00:00:00+1"));
  EXPECT_EQ(converted(timestamp, Encoding::kMicros, JsonKind::kNumber, "9223372036825200000").integer,
            std::numeric_limits<std::int64_t>::max());
}

TEST(Convert, bytes_and_json_keep_their_content) {
  EXPECT_EQ(converted({ColumnType::kBlob}, Encoding::kBase64, JsonKind::kString, "AP8=").view(),
            std::string_view("\0\xff", 2));
  EXPECT_EQ(converted({ColumnType::kJson}, Encoding::kJsonText, JsonKind::kString, "{\"a\": 1}").view(), "{\"a\": 1}");
  EXPECT_EQ(converted({ColumnType::kJson}, Encoding::kPlain, JsonKind::kString, "say \"hi\"\n").view(),
            "\"say \\\"hi\\\"\\u000a\"");
  EXPECT_EQ(converted({ColumnType::kJson}, Encoding::kPlain, JsonKind::kArray, "[1,2]").view(), "[1,2]");
  EXPECT_EQ(converted({ColumnType::kText}, Encoding::kPlain, JsonKind::kNumber, "12.50").view(), "12.50");
  EXPECT_TRUE(converted({ColumnType::kText}, Encoding::kPlain, JsonKind::kNull, "").is_null());
}

TEST(Convert, an_error_names_the_value_and_the_type) {
  Arena arena;
  auto value = convert({{ColumnType::kInt32}, Encoding::kPlain}, {JsonKind::kString, "seven"}, arena);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message(), "the string seven does not fit INTEGER: needs a whole number");
}

TEST(TypeSpec, duckdb_types_are_read_and_written) {
  EXPECT_EQ(TypeSpec::parse("decimal(10, 2)")->to_sql(), "DECIMAL(10,2)");
  EXPECT_EQ(TypeSpec::parse("VARCHAR(30)")->to_sql(), "VARCHAR");
  EXPECT_EQ(TypeSpec::parse("HUGEINT")->to_sql(), "DECIMAL(38,0)");
  EXPECT_EQ(TypeSpec::parse("STRUCT(a INTEGER)").error().code(), Code::kUnsupported);
  EXPECT_EQ(TypeSpec::parse("DECIMAL(40,2)").error().code(), Code::kUnsupported);
  EXPECT_EQ(quote_table({"a\"b", "c"}), "\"a\"\"b\".\"c\"");
}

}  // namespace
}  // namespace millrace::sql::ingest
