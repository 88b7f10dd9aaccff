#include "cdc/config.h"

#include <gtest/gtest.h>

namespace millrace::cdc {
namespace {

constexpr std::string_view kLeast =
    R"("database.hostname":"h","database.user":"u","database.password":"p","database.dbname":"d","topic.prefix":"t")";

std::string file(std::string_view more = "") {
  return "{\"name\":\"c\",\"config\":{" + std::string(kLeast) + (more.empty() ? "" : ",") + std::string(more) + "}}";
}
Error error_of(std::string_view json) {
  auto config = parse_connector_config(json);
  return config ? Error(Code::kInternal, "no error") : config.error();
}

TEST(ConnectorConfig, debeziums_file_is_read_with_its_defaults) {
  const auto config = parse_connector_config(file());
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->name, "c");
  EXPECT_EQ(config->port, 5432);
  EXPECT_EQ(config->slot_name, "debezium");
  EXPECT_EQ(config->publication_name, "dbz_publication");
  EXPECT_EQ(config->autocreate, AutocreateMode::kAllTables);
  EXPECT_TRUE(config->tombstones);
  EXPECT_TRUE(config->value_schemas);
}

TEST(ConnectorConfig, flat_form_and_numbers_are_read) {
  const auto config = parse_connector_config(
      "{\"name\":\"n\"," + std::string(kLeast) +
      R"(,"database.port":5433,"tombstones.on.delete":false,"value.converter":"org.apache.kafka.connect.json.JsonConverter",)"
      R"("value.converter.schemas.enable":"false","decimal.handling.mode":"string","snapshot.mode":"no_data","tasks.max":1})");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->port, 5433);
  EXPECT_FALSE(config->tombstones);
  EXPECT_FALSE(config->value_schemas);
  EXPECT_EQ(config->decimal_mode, DecimalMode::kString);
  EXPECT_EQ(config->snapshot_mode, SnapshotMode::kNoData);
}

TEST(ConnectorConfig, debezium_options_that_are_not_built_are_refused_by_name) {
  for (const std::string& name : std::vector<std::string>{
           "heartbeat.interval.ms", "transforms", "transforms.unwrap.type", "column.mask.hash.MD5.with.salt.x",
           "signal.data.collection", "hstore.handling.mode", "skipped.operations", "slot.drop.on.stop",
           "provide.transaction.metadata", "errors.tolerance", "binary.handling.mode"}) {
    const auto error = error_of(file("\"" + name + "\":\"1\""));
    EXPECT_EQ(error.code(), Code::kUnsupported) << name;
    EXPECT_NE(error.message().find("\"" + name + "\" is not supported yet"), std::string::npos) << error.message();
  }
  EXPECT_EQ(error_of(file(R"("time.precision.mode":"connect")")).code(), Code::kUnsupported);
  EXPECT_EQ(error_of(file(R"("snapshot.mode":"always")")).code(), Code::kUnsupported);
  EXPECT_EQ(error_of(file(R"("plugin.name":"wal2json")")).code(), Code::kUnsupported);
  EXPECT_EQ(error_of(file(R"("key.converter":"io.confluent.connect.avro.AvroConverter")")).code(), Code::kUnsupported);
}

TEST(ConnectorConfig, unknown_options_are_refused_as_unknown) {
  const auto error = error_of(file(R"("databse.port":"1")"));
  EXPECT_EQ(error.code(), Code::kInvalid);
  EXPECT_NE(error.message().find("unknown option \"databse.port\""), std::string::npos) << error.message();
}

TEST(ConnectorConfig, broken_files_and_values_are_refused) {
  for (const auto& json :
       {std::string(""), std::string("{"), std::string("[]"), std::string("{}"), file("\"database.port\":\"x\""),
        file(R"("table.include.list":"a","table.exclude.list":"b")"), file(R"("table.include.list":"(")"),
        file(R"("slot.name":"UPPER")"), file(R"("tombstones.on.delete":"maybe")"), file(R"("slot.name":["a"])"),
        file(R"("snapshot.mode":"nonsense")"), std::string(R"({"name":"c","x":1,"config":{}})")}) {
    EXPECT_EQ(error_of(json).code(), Code::kInvalid) << json;
  }
}

}  // namespace
}  // namespace millrace::cdc
