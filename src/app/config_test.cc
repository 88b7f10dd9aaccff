#include "app/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace millrace::app {
namespace {

struct TemporaryFile {
  explicit TemporaryFile(std::string_view text) : path(testing::TempDir() + "/millrace_config_test.yaml") {
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  std::string path;
};

TEST(Config, flags_beat_environment_beats_file_beats_default) {
  TemporaryFile file("kafka:\n  listen: 127.0.0.1:1\nroles: [broker, sql]\nnode.id: 7\n");
  Config config;
  ASSERT_TRUE(config.load_file(file.path).has_value());
  ASSERT_TRUE(config.load_environment({"PATH=/bin", "MILLRACE_KAFKA_LISTEN=127.0.0.1:2"}).has_value());
  EXPECT_EQ(config.get("kafka.listen"), "127.0.0.1:2");
  ASSERT_TRUE(config.set("kafka.listen", "127.0.0.1:3", Source::kFlag, "--kafka-listen").has_value());
  EXPECT_EQ(config.get("kafka.listen"), "127.0.0.1:3");
  EXPECT_EQ(config.get_list("roles"), (std::vector<std::string>{"broker", "sql"}));
  EXPECT_EQ(config.get_int("node.id", 0, 100).value(), 7);
  EXPECT_EQ(config.get("log.format"), "text");
}

TEST(Config, a_file_cut_short_anywhere_is_read_or_refused) {
  const std::string text = "kafka:\n  listen: \"127.0.0.1:1\"\nroles: [broker, sql]\nnode.id: 7\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    Config config;
    const auto loaded = config.load_text(text.substr(0, size), "cut.yaml");
    EXPECT_TRUE(loaded || loaded.error().message().starts_with("cut.yaml")) << loaded.error().message();
  }
}

TEST(Config, anchors_that_have_no_end_are_refused) {
  std::string bomb = "a: &a0 {x: 1, y: 2}\n";
  for (int i = 1; i < 40; ++i) bomb += fmt::format("b{}: &a{} {{x: *a{}, y: *a{}}}\n", i, i, i - 1, i - 1);
  Config config;
  EXPECT_FALSE(config.load_text("\"\": &a {\"\": *a}", "cycle.yaml"));
  EXPECT_FALSE(config.load_text("a: &a {b: *a}", "cycle.yaml"));
  const auto loaded = config.load_text(bomb, "bomb.yaml");
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message().find("bomb.yaml"), std::string::npos);
}

TEST(Config, an_unknown_name_is_refused_with_the_nearest_one) {
  TemporaryFile file("kafka.lisen: 127.0.0.1:1\n");
  Config config;
  const auto result = config.load_file(file.path);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message().find("kafka.listen"), std::string::npos);
  EXPECT_FALSE(config.load_environment({"MILLRACE_NOPE=1"}).has_value());
}

TEST(Config, broken_files_and_values_name_their_origin) {
  TemporaryFile file("a: [1, {b: 2}]\n");
  Config config;
  EXPECT_NE(config.load_file(file.path).error().message().find(file.path), std::string::npos);
  EXPECT_FALSE(config.load_file("/nonexistent/x.yaml").has_value());
  ASSERT_TRUE(config.set("node.id", "many", Source::kFlag, "--node-id").has_value());
  EXPECT_NE(config.get_int("node.id", 0, 10).error().message().find("--node-id"), std::string::npos);
}

TEST(Config, broker_settings_keep_kafkas_names_and_checks) {
  Config config;
  ASSERT_TRUE(config.set("num.partitions", "4", Source::kFile, "x.yaml").has_value());
  EXPECT_EQ(config.broker_config()->num_partitions, 4);
  ASSERT_TRUE(config.set("num.partitions", "-4", Source::kFile, "x.yaml").has_value());
  EXPECT_FALSE(config.broker_config().has_value());
}

}  // namespace
}  // namespace millrace::app
