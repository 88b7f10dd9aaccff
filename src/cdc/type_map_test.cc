#include "cdc/type_map.h"

#include <gtest/gtest.h>

#include "cdc/pg_text.h"

namespace millrace::cdc {
namespace {

TypeRegistry types() {
  TypeRegistry out;
  std::uint32_t oid = 1;
  for (const auto* name : {"bool",  "int4",   "int8", "float4", "float8", "text",      "numeric",     "money",
                           "bit",   "varbit", "date", "time",   "timetz", "timestamp", "timestamptz", "interval",
                           "bytea", "json",   "uuid", "point",  "box",    "pg_lsn",    "path"}) {
    out[oid] = PgType{oid, name, 'b', 0, 0, -1, {}};
    ++oid;
  }
  out[100] = PgType{100, "mood", 'e', 0, 0, -1, {"sad", "ok"}};
  out[101] = PgType{101, "_int4", 'b', 2, 0, -1, {}};
  out[102] = PgType{102, "_mood", 'b', 100, 0, -1, {}};
  out[103] = PgType{103, "_time", 'b', 12, 0, -1, {}};
  out[104] = PgType{104, "price", 'd', 0, 7, ((8 << 16) | 2) + 4, {}};
  out[105] = PgType{105, "_money", 'b', 8, 0, -1, {}};
  return out;
}

std::uint32_t oid_of(std::string_view name) {
  for (const auto& [oid, type] : types()) {
    if (type.name == name) return oid;
  }
  return 0;
}

std::string written(std::string_view type, std::string_view text, std::int32_t typmod = -1,
                    DecimalMode mode = DecimalMode::kPrecise) {
  const auto registry = types();
  const auto encoder = make_encoder(registry, oid_of(type), typmod, mode);
  if (!encoder) return "left out";
  std::string out;
  encoder->append(out, text);
  return out;
}

// Each row was written by Debezium 3.7 for the same value.
TEST(TypeMap, values_are_what_debezium_writes) {
  struct Case {
    const char *type, *text;
    std::int32_t typmod;
    const char* json;
  };
  const std::int32_t n10_2 = ((10 << 16) | 2) + 4, n5_minus2 = ((5 << 16) | (-2 & 0x7ff)) + 4;
  const Case cases[] = {
      {"bool", "t", -1, "true"},
      {"int4", "-5", -1, "-5"},
      {"float8", "0", -1, "0.0"},
      {"float8", "NaN", -1, "\"NaN\""},
      {"float4", "1e+10", -1, "1e+10"},
      {"text", "a\"\\\n\x01", -1, "\"a\\\"\\\\\\n\\u0001\""},
      {"numeric", "-1234.50", n10_2, "\"/h3G\""},
      {"numeric", "12345678.91", n10_2, "\"SZYC0w==\""},
      {"numeric", "NaN", n10_2, "null"},
      {"numeric", "0", n5_minus2, "\"AA==\""},
      {"numeric", "123.4560", -1, "{\"scale\":3,\"value\":\"AeJA\"}"},
      {"numeric", "12345678901234567890123456789.5", -1, "{\"scale\":1,\"value\":\"AY7pD/bDc+DuTj8K1w==\"}"},
      {"numeric", "-0.00001", -1, "{\"scale\":5,\"value\":\"/w==\"}"},
      {"price", "9.99", -1, "\"A+c=\""},
      {"money", "-$12.34", -1, "\"+y4=\""},
      {"money", "$92,233,720,368,547,758.07", -1, "\"f/////////8=\""},
      {"bit", "1", 1, "true"},
      {"bit", "10110", 5, "\"Fg==\""},
      {"bit", "10000000000000000001", 20, "\"AQAI\""},
      {"varbit", "", 12, "\"\""},
      {"varbit", "1111000011", -1, "\"wwM=\""},
      {"date", "2024-02-29", -1, "19782"},
      {"date", "0044-03-15 BC", -1, "-735160"},
      {"date", "infinity", -1, "2147483647"},
      {"date", "-infinity", -1, "-2147483648"},
      {"time", "12:34:56.789", 3, "45296789"},
      {"time", "24:00:00", -1, "86400000000"},
      {"timetz", "12:34:56.789012+02", -1, "\"10:34:56.789012Z\""},
      {"timetz", "01:02:03-05:30", 0, "\"06:32:03Z\""},
      {"timetz", "24:00:00+00", -1, "\"24:00:00Z\""},
      {"timestamp", "1969-12-31 23:59:59.999", 3, "-1"},
      {"timestamp", "2024-02-29 12:34:56.789012", -1, "1709210096789012"},
      {"timestamp", "infinity", -1, "9223372036854775807"},
      {"timestamptz", "2024-02-29 12:34:56.789012+03", -1, "\"2024-02-29T09:34:56.789012Z\""},
      {"timestamptz", "2024-02-29 12:34:56.5+00", 3, "\"2024-02-29T12:34:56.500Z\""},
      {"timestamptz", "0001-01-01 00:00:00+00", 0, "\"0001-01-01T00:00:00Z\""},
      {"interval", "1 year 2 mons 3 days 04:05:06.789", -1, "37091106789000"},
      {"interval", "-1 mons +2 days -03:00:00", -1, "-2467800000000"},
      {"bytea", "\\x00ff10", -1, "\"AP8Q\""},
      {"point", "(1.5,-2)", -1, "{\"x\":1.5,\"y\":-2.0,\"wkb\":\"AQEAAAAAAAAAAAD4PwAAAAAAAADA\",\"srid\":null}"},
      {"path", "[(0,0),(1,1)]", -1,
       "{\"wkb\":\"AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/"
       "AAAAAAAA8D8=\",\"srid\":null,\"extensions\":{\"type\":\"path\","
       "\"closed\":\"false\"}}"},
      {"_int4", "{1,NULL,3}", -1, "[1,null,3]"},
      {"_int4", "{{1,2},{3,4}}", -1, "[null,null]"},
      {"_mood", "{sad,NULL}", -1, "null"},
      {"_time", "{01:02:03.456789}", -1, "[3723456000]"},
      {"pg_lsn", "0/1", -1, "left out"},
      {"_money", "{$1.00}", -1, "left out"},
  };
  for (const auto& c : cases) EXPECT_EQ(written(c.type, c.text, c.typmod), c.json) << c.type << " " << c.text;
}

TEST(TypeMap, decimals_as_text_and_as_double) {
  EXPECT_EQ(written("numeric", "1.50", -1, DecimalMode::kString), "\"1.50\"");
  EXPECT_EQ(written("numeric", "3.5", ((6 << 16) | 2) + 4, DecimalMode::kString), "\"3.50\"");
  EXPECT_EQ(written("numeric", "-0.05", ((6 << 16) | 2) + 4, DecimalMode::kString), "\"-0.05\"");
  EXPECT_EQ(written("numeric", "NaN", -1, DecimalMode::kString), "\"NAN\"");
  EXPECT_EQ(written("numeric", "NaN", -1, DecimalMode::kDouble), "\"NaN\"");
  EXPECT_EQ(written("numeric", "12", -1, DecimalMode::kDouble), "12.0");
}

TEST(TypeMap, text_that_is_not_of_the_type_becomes_null) {
  for (const auto* type : {"int4", "numeric", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "bytea",
                           "point", "_int4"}) {
    EXPECT_EQ(written(type, "garbage"), "null") << type;
    EXPECT_EQ(written(type, ""), "null") << type;
  }
}

TEST(TypeMap, defaults_are_literals_or_placeholders) {
  const auto registry = types();
  const auto made = [&](std::string_view type, std::string_view expression) {
    const auto encoder = make_encoder(registry, oid_of(type), -1, DecimalMode::kPrecise);
    return default_json(registry.at(oid_of(type)), *encoder, expression).value_or("none");
  };
  EXPECT_EQ(made("text", "'it''s'::text"), "\"it's\"");
  EXPECT_EQ(made("text", "upper('x'::text)"), "\"\"");
  EXPECT_EQ(made("int4", "nextval('public.t_id_seq'::regclass)"), "0");
  EXPECT_EQ(made("int4", "7"), "7");
  EXPECT_EQ(made("int4", "'-1'::integer"), "-1");
  EXPECT_EQ(made("int4", "(a * 2)"), "none");
  EXPECT_EQ(made("timestamptz", "now()"), "\"1970-01-01T00:00:00.000000Z\"");
  EXPECT_EQ(made("date", "CURRENT_DATE"), "0");
  EXPECT_EQ(made("mood", "'ok'::public.mood"), "\"ok\"");
  EXPECT_EQ(made("bytea", "'\\x01'::bytea"), "none");
  EXPECT_EQ(made("numeric", "2.25"), "none");
  EXPECT_EQ(made("text", "NULL::text"), "none");
}

TEST(PgText, iso_timestamps_go_beyond_four_digit_years) {
  std::string out;
  append_iso_timestamp(out, *parse_timestamptz("12345-06-07 08:09:10+00"), 0);
  EXPECT_EQ(out, "+12345-06-07T08:09:10Z");
}

TEST(PgText, arrays_break_in_every_way_without_harm) {
  for (const auto* text : {"", "{", "}", "{\"", "{\"a", "{a,}", "{{1}", "{a\\", "[1:2]", "{\"a\"b}"}) {
    EXPECT_FALSE(parse_array(text)) << text;
  }
  const auto elements = parse_array(R"({"a b",NULL,"NULL","q\"u",x})");
  ASSERT_TRUE(elements);
  ASSERT_EQ(elements->size(), 5u);
  EXPECT_TRUE((*elements)[1].null);
  EXPECT_FALSE((*elements)[2].null);
  EXPECT_EQ((*elements)[3].text, "q\"u");
}

}  // namespace
}  // namespace millrace::cdc
