#include "cluster/topic_config.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::cluster {
namespace {

TEST(TopicConfig, table_is_sorted_and_every_default_passes_its_own_check) {
  const auto defs = topic_config_defs();
  EXPECT_EQ(defs.size(), 33u);  // Kafka 4.3.1 without internal.segment.bytes
  EXPECT_TRUE(std::is_sorted(defs.begin(), defs.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const auto& def : defs) {
    EXPECT_TRUE(check_topic_config(def.name, def.default_value)) << def.name;
    EXPECT_FALSE(def.documentation.empty()) << def.name;
  }
}

TEST(TopicConfig, values_are_checked_by_type_and_range) {
  struct Case {
    const char* name;
    const char* value;
    bool fits;
  };
  const Case cases[] = {
      {"retention.ms", "-1", true},
      {"retention.ms", "-2", false},
      {"retention.ms", "9223372036854775807", true},
      {"retention.ms", "9223372036854775808", false},
      {"retention.ms", "1e3", false},
      {"retention.ms", "", false},
      {"max.message.bytes", "2147483647", true},
      {"max.message.bytes", "2147483648", false},
      {"max.message.bytes", " 12 ", true},
      {"cleanup.policy", "compact", true},
      {"cleanup.policy", "compact, delete", true},
      {"cleanup.policy", "", true},
      {"cleanup.policy", "compact,compact", false},
      {"cleanup.policy", "compress", false},
      {"cleanup.policy", "delete,", false},
      {"compression.type", "zstd", true},
      {"compression.type", "ZSTD", false},
      {"compression.gzip.level", "0", false},
      {"compression.gzip.level", "-1", true},
      {"min.cleanable.dirty.ratio", "1.0", true},
      {"min.cleanable.dirty.ratio", "1.1", false},
      {"min.cleanable.dirty.ratio", "nan", false},
      {"preallocate", "TRUE", true},
      {"preallocate", "yes", false},
      {"segment.bytes", "1048575", false},
      {"leader.replication.throttled.replicas", "*", true},
      {"leader.replication.throttled.replicas", "0:1,1:2", true},
      {"leader.replication.throttled.replicas", "0-1", false},
      {"no.such.config", "1", false},
  };
  for (const auto& c : cases) {
    const auto checked = check_topic_config(c.name, c.value);
    EXPECT_EQ(checked.has_value(), c.fits) << c.name << "=" << c.value;
    if (!checked) {
      EXPECT_EQ(checked.error().code(), Code::kInvalid);
    }
  }
}

TEST(TopicConfig, values_that_contradict_each_other_are_refused) {
  EXPECT_FALSE(check_topic_configs({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "9"}}));
  EXPECT_TRUE(check_topic_configs({{"min.compaction.lag.ms", "9"}, {"max.compaction.lag.ms", "9"}}));
  EXPECT_FALSE(check_topic_configs({{"remote.storage.enable", "true"}}));
}

TEST(TopicConfig, incremental_alterations_set_delete_append_and_subtract) {
  using Now = std::map<std::string, std::string>;
  const std::vector<ConfigAlteration> append{{"cleanup.policy", ConfigOp::kAppend, "compact"}};
  EXPECT_EQ(alter_topic_configs({}, append)->at("cleanup.policy"), "delete,compact");
  const std::vector<ConfigAlteration> subtract{{"cleanup.policy", ConfigOp::kSubtract, "delete"}};
  EXPECT_EQ(alter_topic_configs(Now{{"cleanup.policy", "delete,compact"}}, subtract)->at("cleanup.policy"), "compact");
  const std::vector<ConfigAlteration> remove{{"retention.ms", ConfigOp::kDelete, std::nullopt}};
  EXPECT_EQ(alter_topic_configs(Now{{"retention.ms", "1"}}, remove)->at("retention.ms"), std::nullopt);
  const std::vector<ConfigAlteration> append_number{{"retention.ms", ConfigOp::kAppend, "1"}};
  EXPECT_FALSE(alter_topic_configs({}, append_number));
  const std::vector<ConfigAlteration> twice{{"retention.ms", ConfigOp::kSet, "1"},
                                            {"retention.ms", ConfigOp::kSet, "2"}};
  EXPECT_FALSE(alter_topic_configs({}, twice));
  const std::vector<ConfigAlteration> clash{{"max.compaction.lag.ms", ConfigOp::kSet, "5"}};
  EXPECT_FALSE(alter_topic_configs(Now{{"min.compaction.lag.ms", "6"}}, clash));
}

TEST(TopicConfig, settings_are_parsed_and_default_to_the_table) {
  const TopicSettings defaults = topic_settings({});
  const auto text_of = [](const char* name) { return std::string(find_topic_config(name)->default_value); };
  EXPECT_EQ(std::to_string(defaults.retention_ms), text_of("retention.ms"));
  EXPECT_EQ(std::to_string(defaults.retention_bytes), text_of("retention.bytes"));
  EXPECT_EQ(std::to_string(defaults.max_message_bytes), text_of("max.message.bytes"));
  EXPECT_EQ(std::to_string(defaults.message_timestamp_after_max_ms), text_of("message.timestamp.after.max.ms"));
  EXPECT_EQ(std::to_string(defaults.message_timestamp_before_max_ms), text_of("message.timestamp.before.max.ms"));
  EXPECT_EQ(std::to_string(defaults.delete_retention_ms), text_of("delete.retention.ms"));
  EXPECT_EQ(std::to_string(defaults.max_compaction_lag_ms), text_of("max.compaction.lag.ms"));
  EXPECT_EQ(std::to_string(defaults.segment_bytes), text_of("segment.bytes"));
  EXPECT_EQ(std::to_string(defaults.segment_ms), text_of("segment.ms"));
  EXPECT_EQ(defaults.compression_type, text_of("compression.type"));

  const TopicSettings set = topic_settings(
      {{"cleanup.policy", "compact"}, {"retention.ms", "5"}, {"message.timestamp.type", "LogAppendTime"}});
  EXPECT_TRUE(set.cleanup_compact);
  EXPECT_FALSE(set.cleanup_delete);
  EXPECT_EQ(set.retention_ms, 5);
  EXPECT_EQ(set.message_timestamp_type, TimestampType::kLogAppendTime);
}

}  // namespace
}  // namespace millrace::cluster
