#include "broker/reply_memory.h"

#include <gtest/gtest.h>

namespace millrace::broker {
namespace {

TEST(ReplyMemory, bytes_count_until_the_last_slice_of_them_is_gone) {
  ReplyMemory memory(100);
  SliceChain records;
  records.append_copy("first");
  records.append_copy("second");
  Slice kept;
  {
    const SliceChain held = memory.hold(records);
    EXPECT_EQ(held.flatten().view(), "firstsecond");
    EXPECT_EQ(memory.bytes(), 11U);
    EXPECT_EQ(memory.left(), 89U);
    kept = held.pieces().back().sub(1);
  }
  EXPECT_EQ(memory.bytes(), 11U);
  EXPECT_EQ(kept.view(), "econd");
  kept = Slice();
  EXPECT_EQ(memory.bytes(), 0U);
}

TEST(ReplyMemory, more_than_there_is_leaves_nothing_and_comes_back) {
  ReplyMemory memory(10);
  auto lease = memory.take(25);
  EXPECT_EQ(memory.left(), 0U);
  lease.reset();
  EXPECT_EQ(memory.left(), 10U);
}

TEST(ReplyMemory, a_reply_may_outlive_the_broker) {
  std::shared_ptr<void> lease;
  {
    ReplyMemory memory(10);
    lease = memory.take(5);
  }
  lease.reset();
}

}  // namespace
}  // namespace millrace::broker
