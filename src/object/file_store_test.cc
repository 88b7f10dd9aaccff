// What is peculiar to directories: locks, left-overs, rights, full disks; and the probe and the counting over them.
#include "object/file_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/event_loop.h"
#include "object/memory_store.h"
#include "object/open.h"
#include "object/probe.h"

namespace millrace::object {
namespace {

namespace fs = std::filesystem;

class FileStore : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/object-test-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(directory_); }
  Result<std::unique_ptr<Store>> open(std::string url) {
    return open_store(std::move(url), loop_.executor(), files_, metrics_, &loop_.clock());
  }
  template <class Body>
  void run(Store& store, Body body) {
    loop_.run_until_done(body(store));
  }

  EventLoop loop_;
  BlockingPool files_{4};
  Metrics metrics_;
  std::string directory_;
};

SliceChain one_piece(std::string text) {
  SliceChain out;
  out.append(Slice::of(std::move(text)));
  return out;
}

TEST_F(FileStore, a_second_opener_is_told_who_holds_the_directory) {
  auto first = open(directory_);
  ASSERT_TRUE(first);
  auto second = open("file://" + directory_ + "/");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kExists);
  EXPECT_NE(second.error().message().find("process " + std::to_string(::getpid())), std::string::npos)
      << second.error().message();
  first->reset();
  EXPECT_TRUE(open(directory_));
}

TEST_F(FileStore, objects_survive_and_half_written_files_do_not) {
  {
    auto store = open(directory_ + "/deep/er");
    ASSERT_TRUE(store) << store.error().to_string();
    run(**store, [](Store& s) -> Task<void> {
      SliceChain body = one_piece("kept");
      EXPECT_TRUE(co_await s.put_if_absent("wal/ab/1.1/00000000000000000001", body));
    });
  }
  std::ofstream(directory_ + "/deep/er/.tmp/77") << "half";
  auto store = open(directory_ + "/deep/er");
  ASSERT_TRUE(store);
  EXPECT_TRUE(fs::is_empty(directory_ + "/deep/er/.tmp"));
  run(**store, [](Store& s) -> Task<void> {
    auto object = co_await s.get("wal/ab/1.1/00000000000000000001");
    EXPECT_TRUE(object);
    EXPECT_EQ(object->body.view(), "kept");
    auto listed = co_await s.list("", "", 10);
    EXPECT_EQ(listed->size(), 1u) << "neither lock nor temporary files are objects";
  });
}

TEST_F(FileStore, bad_urls_are_refused_with_the_remedy) {
  for (const char* url :
       {"s3://bucket", "file://", "", "file:///tmp/x?sync=maybe", "file:///tmp/x?color=red", "ftp:x"}) {
    auto opened = open(url);
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().code(), Code::kInvalid) << url;
    EXPECT_NE(opened.error().message().find(url), std::string::npos);
  }
  std::ofstream(directory_ + "/plain") << "x";
  auto onto_file = open(directory_ + "/plain");
  EXPECT_FALSE(onto_file);
}

TEST_F(FileStore, a_directory_without_rights_is_denied) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  ::chmod(directory_.c_str(), 0500);
  auto opened = open(directory_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kDenied);
  ::chmod(directory_.c_str(), 0700);
}

TEST_F(FileStore, a_full_disk_is_exhausted_and_leaves_nothing_behind) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  // A limit on file size stands for the full disk: EFBIG instead of ENOSPC, the same path through the code.
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  struct rlimit limit = old_limit;
  limit.rlim_cur = (1 << 20) + 5000;  // the last write before it is a short one
  ::setrlimit(RLIMIT_FSIZE, &limit);
  run(**store, [](Store& s) -> Task<void> {
    SliceChain large = one_piece(std::string(2 << 20, 'x')), small = one_piece("fits");
    auto put = co_await s.put_if_absent("big", large);
    EXPECT_EQ(put.error().code(), Code::kExhausted) << put.error().to_string();
    EXPECT_NE(put.error().message().find("free space"), std::string::npos);
    auto there = co_await s.get("big");
    EXPECT_EQ(there.error().code(), Code::kNotFound);
    EXPECT_TRUE(co_await s.put_if_absent("small", small));
  });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  EXPECT_TRUE(fs::is_empty(directory_ + "/.tmp"));
}

// Around the sizes at which large bodies leave the page cache, and at the edges of blocks and buffers.
TEST_F(FileStore, bodies_of_any_size_and_any_pieces_come_back_whole) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  run(**store, [](Store& s) -> Task<void> {
    const std::size_t sizes[] = {0,       1,         4096,          (256 << 10) - 1, 256 << 10, (256 << 10) + 1,
                                 1 << 20, 300 << 10, (1 << 20) - 1, (1 << 20) + 1,   3'333'333, (2 << 20) + 4096};
    for (const std::size_t size : sizes) {
      SliceChain body;
      std::string expected;
      for (std::size_t step = 1; expected.size() < size; step = step * 7 + 3) {
        std::string piece(std::min(step % 70'000, size - expected.size()), static_cast<char>('a' + step % 26));
        expected += piece;
        body.append(Slice::of(std::move(piece)));
      }
      const std::string key = fmt::format("size/{}", size);
      auto put = co_await s.put_if_absent(key, body);
      EXPECT_TRUE(put) << put.error().to_string();
      auto there = co_await s.get(key);
      EXPECT_TRUE(there && there->body.view() == expected) << size;
      EXPECT_TRUE(there && put && there->etag == *put) << size;
    }
  });
}

ino_t inode_of(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// Small after large, large after small, whole blocks and parts of them: nothing of the old bytes is left.
TEST_F(FileStore, files_of_removed_objects_are_written_again) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  auto body = [](Store& s, std::string directory) -> Task<void> {
    const std::size_t sizes[] = {5000, 100, 300 << 10, 4096, (1 << 20) + 1, 0, 20'000, (256 << 10) + 7, 8192, 12'000};
    ino_t before = 0;
    for (const std::size_t size : sizes) {
      const std::string key = fmt::format("again/{}", size), expected(size, static_cast<char>('a' + size % 26));
      SliceChain body = one_piece(expected);
      auto put = co_await s.put_if_absent(key, body);
      EXPECT_TRUE(put) << put.error().to_string();
      const ino_t now = inode_of(directory + "/" + key);
      EXPECT_TRUE(before == 0 || now == before) << size;
      before = now;
      auto there = co_await s.get(key);
      EXPECT_TRUE(there && there->body.view() == expected) << size;
      EXPECT_TRUE(there && put && there->etag == *put) << size;
      std::vector<std::string> keys(1, key);
      EXPECT_TRUE(co_await s.remove(keys));
      there = co_await s.get(key);
      EXPECT_EQ(there.error().code(), Code::kNotFound);
    }
  };
  loop_.run_until_done(body(**store, directory_));
}

TEST_F(FileStore, a_file_that_a_backup_links_to_keeps_its_bytes) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  auto body = [](Store& s, std::string directory) -> Task<void> {
    SliceChain old_body = one_piece("old"), new_body = one_piece("new");
    std::vector<std::string> keys(1, "linked");
    EXPECT_TRUE(co_await s.put_if_absent("linked", old_body));
    fs::create_hard_link(directory + "/linked", directory + ".backup");
    EXPECT_TRUE(co_await s.remove(keys));
    EXPECT_TRUE(co_await s.put_if_absent("other", new_body));
    // A link made in the moment between: to the file that waits to be used again.
    keys[0] = "other";
    EXPECT_TRUE(co_await s.remove(keys));
    for (const auto& entry : fs::directory_iterator(directory + "/.tmp")) {
      fs::create_hard_link(entry.path(), directory + ".late");
    }
    SliceChain third = one_piece("third");
    EXPECT_TRUE(co_await s.put_if_absent("third", third));
  };
  loop_.run_until_done(body(**store, directory_));
  for (const auto& [name, text] : {std::pair(".backup", "old"), std::pair(".late", "new")}) {
    std::string kept;
    std::getline(std::ifstream(directory_ + name), kept);
    EXPECT_EQ(kept, text);
    fs::remove(directory_ + name);
  }
}

// A writer that puts an object and removes the one before, whose file the next one gets, and readers of just those.
struct Churn {
  Store& store;
  int newest = 0;
  int read = 0;
  bool over = false;
};
constexpr std::size_t kChurnBytes = 600'000;

char letter_of(int number) { return static_cast<char>('a' + number % 26); }

Task<void> churn(Churn& all) {
  for (; all.newest < 400; ++all.newest) {
    SliceChain body = one_piece(std::string(kChurnBytes, letter_of(all.newest)));
    EXPECT_TRUE(co_await all.store.put_if_absent(fmt::format("churn/{}", all.newest), body));
    std::vector<std::string> keys(1, fmt::format("churn/{}", all.newest - 1));
    EXPECT_TRUE(co_await all.store.remove(keys));
  }
  all.over = true;
}

Task<void> read_what_is_removed(Churn& all) {
  while (!all.over) {
    const int number = std::max(all.newest - 1, 0);
    auto got = co_await all.store.get_range(fmt::format("churn/{}", number), {0, kChurnBytes});
    if (!got) continue;
    ++all.read;
    EXPECT_EQ(got->view().find_first_not_of(letter_of(number)), std::string_view::npos) << number;
  }
}

TEST_F(FileStore, a_read_never_sees_the_bytes_of_another_object) {
  auto store = open(directory_ + "?sync=off");
  ASSERT_TRUE(store);
  Churn all{**store};
  auto body = [](Churn& churning, Executor executor) -> Task<void> {
    TaskScope scope(executor);
    scope.spawn(churn(churning));
    for (int i = 0; i < 3; ++i) scope.spawn(read_what_is_removed(churning));
    co_await scope.stop();
  };
  loop_.run_until_done(body(all, loop_.executor()));
  EXPECT_GT(all.read, 0);
}

Task<void> put_one(Store& store, std::string key, int& done) {
  SliceChain body = one_piece("value of " + key);
  if (co_await store.put_if_absent(key, body)) ++done;
}

TEST_F(FileStore, many_puts_in_flight_all_land) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  int done = 0;
  auto body = [](Store& s, Executor executor, int& count) -> Task<void> {
    TaskScope scope(executor);
    for (int i = 0; i < 200; ++i) scope.spawn(put_one(s, "d" + std::to_string(i % 3) + "/" + std::to_string(i), count));
    co_await scope.stop();
  };
  loop_.run_until_done(body(**store, loop_.executor(), done));
  EXPECT_EQ(done, 200);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_ + "/d0"), fs::directory_iterator()), 67);
}

TEST_F(FileStore, requests_are_counted_by_outcome) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  run(**store, [](Store& s) -> Task<void> {
    SliceChain body = one_piece("12345");
    EXPECT_TRUE(co_await s.put_if_absent("a", body));
    EXPECT_FALSE(co_await s.put_if_absent("a", body));
    EXPECT_TRUE(co_await s.get("a"));
  });
  const std::string text = metrics_.expose();
  for (const char* line :
       {"millrace_object_requests_total{op=\"put_if_absent\",result=\"ok\"} 1",
        "millrace_object_requests_total{op=\"put_if_absent\",result=\"missed\"} 1",
        "millrace_object_bytes_total{op=\"get\"} 5", "millrace_object_request_seconds_count{op=\"put_if_absent\"} 2"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST_F(FileStore, passes_the_probe_and_keeps_nothing_of_it) {
  auto store = open(directory_);
  ASSERT_TRUE(store);
  auto body = [](Store& s, EventLoop& loop) -> Task<void> {
    auto random = make_seeded_random(1);
    const ProbeOptions options;
    auto report = co_await probe_store(s, loop.executor(), loop.clock(), *random, options);
    EXPECT_TRUE(report) << report.error().to_string();
    EXPECT_TRUE(report->passed()) << report->failures();
    EXPECT_GE(report->checks.size(), 12u);
    auto left = co_await s.list("", "", 10);
    EXPECT_TRUE(left->empty());
  };
  loop_.run_until_done(body(**store, loop_));
}

// A store whose create overwrites: what some S3 look-alikes did.
class Overwriting final : public Store {
 public:
  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    for (;;) {
      Result<std::string> put = co_await memory_.put_if_absent(key, body);
      if (put || put.error().code() != Code::kExists) co_return put;
      std::vector<std::string> keys(1, key);
      co_await memory_.remove(std::move(keys));
    }
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    return memory_.put_if_match(std::move(key), std::move(body), std::move(etag));
  }
  Task<Result<Object>> get(std::string key) override { return memory_.get(std::move(key)); }
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    return memory_.get_range(std::move(key), range);
  }
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    return memory_.get_if_changed(std::move(key), std::move(etag));
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override { return memory_.remove(std::move(keys)); }
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    return memory_.list(std::move(prefix), std::move(start_after), limit);
  }

 private:
  MemoryStore memory_;
};

TEST(Probe, finds_a_store_that_lets_two_creators_win) {
  EventLoop loop;
  auto body = [](EventLoop& l) -> Task<void> {
    Overwriting store;
    auto random = make_seeded_random(1);
    const ProbeOptions options;
    auto report = co_await probe_store(store, l.executor(), l.clock(), *random, options);
    EXPECT_TRUE(report);
    EXPECT_FALSE(report->passed());
    EXPECT_NE(report->failures().find("exactly one wins"), std::string::npos) << report->failures();
    EXPECT_NE(report->failures().find("a second create of a key is refused"), std::string::npos);
  };
  loop.run_until_done(body(loop));
}

}  // namespace
}  // namespace millrace::object
