#include "coord/offsets.h"

#include <gtest/gtest.h>

namespace millrace::coord {
namespace {

TEST(PartitionForGroup, is_what_kafka_computes) {
  EXPECT_EQ(partition_for_group("my-group", 50), 12);
  EXPECT_EQ(partition_for_group("console-consumer-12345", 50), 6);
  EXPECT_EQ(partition_for_group("grüße", 50), 23);
  EXPECT_EQ(partition_for_group("😀", 50), 49);
  EXPECT_EQ(partition_for_group("a", 50), 47);
  EXPECT_EQ(partition_for_group("polygenelubricants", 50), 0);  // its hash is the smallest integer
  EXPECT_GE(partition_for_group("\xf0\x9f", 50), 0);            // broken UTF-8 stays in range
}

TEST(Offsets, an_older_record_never_replaces_a_newer_one) {
  Offsets offsets;
  offsets.put({"t", 0}, {.offset = 10, .log_offset = 5});
  offsets.put({"t", 0}, {.offset = 9, .log_offset = 4});
  EXPECT_EQ(offsets.find({"t", 0})->offset, 10);
  offsets.remove({"t", 0}, 4);
  EXPECT_TRUE(offsets.find({"t", 0}));
  offsets.remove({"t", 0}, 6);
  EXPECT_FALSE(offsets.find({"t", 0}));
}

TEST(Offsets, expiry_counts_from_the_moment_that_the_group_became_empty) {
  struct Case {
    const char* what;
    CommittedOffset offset;
    GroupAge age;
    std::int64_t now;
    bool expired;
  };
  const CommittedOffset plain{.commit_ms = 1000};
  const Case cases[] = {
      {"simple, fresh", plain, {.simple = true}, 1099, false},
      {"simple, old", plain, {.simple = true}, 1100, true},
      {"members", plain, {.simple = false}, 1'000'000, false},
      {"empty since the commit", plain, {.simple = false, .empty_since_ms = 500}, 1099, false},
      {"empty for long", plain, {.simple = false, .empty_since_ms = 1000}, 1100, true},
      {"emptied later", plain, {.simple = false, .empty_since_ms = 5000}, 5099, false},
      {"own time, not yet", {.commit_ms = 1000, .expire_ms = 9000}, {.simple = true}, 8999, false},
      {"own time, over", {.commit_ms = 1000, .expire_ms = 1010}, {.simple = true}, 1010, true},
      {"own time, but members", {.commit_ms = 1000, .expire_ms = 1010}, {.simple = false}, 5000, false},
  };
  for (const auto& c : cases) {
    Offsets offsets;
    offsets.put({"t", 3}, c.offset);
    EXPECT_EQ(offsets.expired(c.now, 100, c.age).size(), c.expired ? 1u : 0u) << c.what;
  }
}

}  // namespace
}  // namespace millrace::coord
