// The disk on a real directory: lock, volume, rights, a full file system, and the store over it.
#include "disk/posix_disk.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/event_loop.h"
#include "disk/wal_store.h"
#include "object/memory_store.h"

namespace millrace::disk {
namespace {

namespace fs = std::filesystem;

class PosixDiskTest : public testing::Test {
 public:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "disk-test-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(directory_); }
  Result<std::unique_ptr<WalDisk>> open(const std::string& below = "/wal") {
    return open_posix_disk(directory_ + below, "host", *random_);
  }

  std::string directory_;
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  EventLoop loop_;
};

SliceChain blocks_of(char filler, std::size_t blocks) {
  SliceChain out;
  out.append_copy(std::string(100, filler));
  out.append_copy(std::string(blocks * kBlockBytes - 100, filler));
  return out;
}

TEST_F(PosixDiskTest, a_second_opener_is_told_who_holds_the_directory) {
  auto first = open("/deep/er/");
  ASSERT_TRUE(first) << first.error().to_string();
  auto second = open("/deep/er");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kExists);
  EXPECT_NE(second.error().message().find("process " + std::to_string(::getpid())), std::string::npos);
  first->reset();
  EXPECT_TRUE(open("/deep/er"));
}

TEST_F(PosixDiskTest, a_directory_that_was_held_since_this_host_was_booted_shows_that_its_holder_ended) {
  auto first = open();
  ASSERT_TRUE(first);
  EXPECT_FALSE((*first)->held_here_before());
  first->reset();
  auto again = open();
  ASSERT_TRUE(again);
  EXPECT_TRUE((*again)->held_here_before());
  again->reset();
  std::ofstream(directory_ + "/wal/lock") << "4711\n00000000-0000-0000-0000-000000000000\n";
  auto elsewhere = open();
  ASSERT_TRUE(elsewhere);
  EXPECT_FALSE((*elsewhere)->held_here_before()) << "another host, or this one before it was booted";
}

TEST_F(PosixDiskTest, the_volume_keeps_its_name_and_knows_its_place) {
  auto first = open();
  ASSERT_TRUE(first);
  const Uuid volume = (*first)->volume();
  EXPECT_EQ((*first)->place(), "host:" + fs::canonical(directory_ + "/wal").string());
  first->reset();
  auto again = open();
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->volume(), volume);
  auto other = open("/other");
  ASSERT_TRUE(other);
  EXPECT_NE((*other)->volume(), volume);
}

TEST_F(PosixDiskTest, segments_without_their_volumes_name_are_refused) {
  {
    ASSERT_TRUE(open());
  }
  std::ofstream(directory_ + "/wal/000000000001.wal") << "x";
  fs::remove(directory_ + "/wal/volume");
  auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("volume is missing"), std::string::npos) << opened.error().message();
  std::ofstream(directory_ + "/wal/volume") << "no name\n";
  EXPECT_EQ(open().error().code(), Code::kCorrupt);
}

TEST_F(PosixDiskTest, what_was_written_is_read_back_in_any_part) {
  auto disk = open();
  ASSERT_TRUE(disk);
  const auto body = [](WalDisk& d) -> Task<void> {
    EXPECT_TRUE(co_await d.create("000000000001.wal", 3 << 20));
    auto files = co_await d.list();
    EXPECT_EQ(files->size(), 1u) << "neither lock nor volume";
    EXPECT_EQ(files->front().size, 3u << 20);
    SliceChain small = blocks_of('a', 1), large = blocks_of('b', 400);
    EXPECT_TRUE(co_await d.write("000000000001.wal", kBlockBytes, small));
    EXPECT_TRUE(co_await d.write("000000000001.wal", 2 * kBlockBytes, large));
    EXPECT_TRUE(co_await d.sync("000000000001.wal"));
    auto part = co_await d.read("000000000001.wal", {2 * kBlockBytes - 3, 6});
    EXPECT_TRUE(part);
    EXPECT_EQ(part->view(), "aaabbb");
    auto far = co_await d.read("000000000001.wal", {402 * kBlockBytes - 2, 4});
    EXPECT_EQ(far->view(), std::string("bb\0\0", 4));
    auto beyond = co_await d.read("000000000001.wal", {(3 << 20) - 5, 100});
    EXPECT_EQ(beyond->size(), 5u);
    EXPECT_TRUE(co_await d.remove("000000000001.wal"));
    auto gone = co_await d.read("000000000001.wal", {0, 1});
    EXPECT_EQ(gone.error().code(), Code::kNotFound);
  };
  loop_.run_until_done(body(**disk));
}

TEST_F(PosixDiskTest, a_full_disk_is_exhausted_and_leaves_no_segment_behind) {
  auto disk = open();
  ASSERT_TRUE(disk);
  // A limit on file size stands for the full disk: EFBIG instead of ENOSPC, the same path through the code.
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  struct rlimit limit = old_limit;
  limit.rlim_cur = 1 << 20;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto body = [](WalDisk& d) -> Task<void> {
    auto created = co_await d.create("000000000001.wal", 3 << 20);
    EXPECT_FALSE(created);
    if (created) co_return;
    EXPECT_EQ(created.error().code(), Code::kExhausted) << created.error().to_string();
    auto files = co_await d.list();
    EXPECT_TRUE(files->empty());
  };
  loop_.run_until_done(body(**disk));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
}

TEST_F(PosixDiskTest, a_directory_that_cannot_be_written_to_is_denied) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  ::chmod(directory_.c_str(), 0500);
  EXPECT_EQ(open().error().code(), Code::kDenied);
  ::chmod(directory_.c_str(), 0700);
}

TEST_F(PosixDiskTest, a_file_in_the_way_is_a_clear_error) {
  std::ofstream(directory_ + "/wal") << "x";
  auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find(directory_ + "/wal"), std::string::npos) << opened.error().message();
}

TEST_F(PosixDiskTest, slots_survive_the_process_on_a_real_file_system) {
  Metrics metrics;
  const auto body = [](EventLoop& loop, Random& random, Metrics& m, std::string path) -> Task<void> {
    const std::string key = storage::slot_key({1, cluster::Incarnation(4), cluster::SlotNumber(1)});
    for (int life = 0; life < 2; ++life) {
      auto disk = open_posix_disk(path, "host", random);
      EXPECT_TRUE(disk);
      if (!disk) co_return;
      WalStoreOptions options;
      options.segment_bytes = 1 << 20;
      auto bucket = std::make_unique<object::MemoryStore>();
      auto store = co_await open_wal_store(loop.executor(), loop.clock(), random, m, std::move(bucket),
                                           std::move(*disk), std::move(options));
      EXPECT_TRUE(store);
      if (!store) co_return;
      if (life == 0) {
        SliceChain opening, slot;
        opening.append_copy("open");
        slot.append_copy(std::string(70'000, 's'));
        const std::string first = storage::slot_key({1, cluster::Incarnation(4), cluster::SlotNumber(0)});
        EXPECT_TRUE(co_await (*store)->put_if_absent(first, opening));
        EXPECT_TRUE(co_await (*store)->put_if_absent(key, slot));
      }
      auto got = co_await (*store)->get(key);
      EXPECT_TRUE(got);
      EXPECT_EQ(got ? got->body.view() : "", std::string(70'000, 's'));
      co_await (*store)->stop();
    }
  };
  loop_.run_until_done(body(loop_, *random_, metrics, directory_ + "/wal"));
}

}  // namespace
}  // namespace millrace::disk
