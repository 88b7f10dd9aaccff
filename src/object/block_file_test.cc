// The cache's file of blocks on a real file system.
#include "object/block_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/event_loop.h"

namespace millrace::object {
namespace {

constexpr std::size_t kTestBlockBytes = 1 << 20;

class BlockFileTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/blocks-" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  EventLoop loop_;
  BlockingPool pool_{2};
  std::string directory_;
};

Task<void> write_and_read(BlockFile& file) {
  const Slice first = Slice::of(std::string(kTestBlockBytes, 'a')), last = Slice::of("short and not aligned");
  EXPECT_TRUE(co_await file.write(0, first));
  EXPECT_TRUE(co_await file.write(2, last));
  const auto again = co_await file.read(0, first.size());
  EXPECT_TRUE(again && *again == first);
  const auto end = co_await file.read(2, last.size());
  EXPECT_TRUE(end && *end == last);
  EXPECT_TRUE(co_await file.write(0, last));
  const auto over = co_await file.read(0, last.size());
  EXPECT_TRUE(over && *over == last);
}

TEST_F(BlockFileTest, blocks_read_back_and_no_file_is_left) {
  auto file = open_block_file(pool_, directory_ + "/made", kTestBlockBytes, 3 * kTestBlockBytes + 5);
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_EQ((*file)->blocks(), 3U);
  loop_.run_until_done(write_and_read(**file));
  EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/made"));
}

TEST_F(BlockFileTest, a_place_that_is_no_directory_is_named) {
  std::filesystem::create_directories(directory_);
  auto none = open_block_file(pool_, directory_, kTestBlockBytes, 5);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kInvalid);
  auto denied = open_block_file(pool_, "/proc/none/here", kTestBlockBytes, kTestBlockBytes);
  ASSERT_FALSE(denied);
  EXPECT_NE(denied.error().message().find("/proc/none/here"), std::string::npos);
}

}  // namespace
}  // namespace millrace::object
