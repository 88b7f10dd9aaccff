// The Store contract, run over every driver.
#include "object/store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/event_loop.h"
#include "object/faulty_store.h"
#include "object/memory_store.h"
#include "object/open.h"
#include "object/s3_double.h"

namespace millrace::object {
namespace {

enum class Driver { kMemory, kFile, kFileUnsynced, kFaulty, kS3, kS3Prefix };

std::string name_of(const testing::TestParamInfo<Driver>& info) {
  constexpr const char* kNames[] = {"memory", "file", "file_unsynced", "faulty_without_faults", "s3", "s3_prefix"};
  return kNames[static_cast<int>(info.param)];
}

SliceChain chain(std::initializer_list<std::string> pieces) {
  SliceChain out;
  for (const auto& piece : pieces) out.append_copy(piece);
  return out;
}

class StoreContract : public testing::TestWithParam<Driver> {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/object-test-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    if (GetParam() == Driver::kS3 || GetParam() == Driver::kS3Prefix) s3_ = std::make_unique<S3Double>(loop_);
    if (GetParam() == Driver::kS3Prefix) s3_->page_max = 2;
    const std::string url = GetParam() == Driver::kFile           ? "file://" + directory_ + "/bucket"
                            : GetParam() == Driver::kFileUnsynced ? "file://" + directory_ + "/bucket?sync=off"
                            : GetParam() == Driver::kS3           ? s3_->url()
                            : GetParam() == Driver::kS3Prefix     ? s3_->url("some/where")
                                                                  : "mem:";
    auto opened = open_store(url, loop_.executor(), files_, metrics_, &loop_.clock(), double_environment);
    ASSERT_TRUE(opened) << opened.error().to_string();
    inner_ = std::move(*opened);
    if (GetParam() == Driver::kFaulty)
      faulty_ = std::make_unique<FaultyStore>(*inner_, loop_.executor(), loop_.clock(), *random_, FaultOptions());
  }
  void TearDown() override {
    inner_.reset();
    if (s3_) s3_->stop();
    std::filesystem::remove_all(directory_);
  }
  Store& store() { return faulty_ ? static_cast<Store&>(*faulty_) : *inner_; }
  template <class Body>
  void run(Body body) {
    loop_.run_until_done(body(*this, store()));
  }

  EventLoop loop_;
  BlockingPool files_{4};
  Metrics metrics_;
  std::string directory_;
  std::unique_ptr<Random> random_ = make_seeded_random(7);
  std::unique_ptr<S3Double> s3_;
  std::unique_ptr<Store> inner_;
  std::unique_ptr<FaultyStore> faulty_;

 public:
  EventLoop& loop() { return loop_; }
};

using Self = StoreContract;

TEST_P(StoreContract, an_object_is_created_once_and_read_back) {
  run([](Self&, Store& store) -> Task<void> {
    SliceChain body = chain({"one,", "", "two,", std::string(100'000, 'x')});
    auto etag = co_await store.put_if_absent("a/b/c-1", body);
    EXPECT_TRUE(etag) << etag.error().to_string();
    SliceChain other = chain({"other"});
    auto again = co_await store.put_if_absent("a/b/c-1", other);
    EXPECT_EQ(again.error().code(), Code::kExists);
    auto object = co_await store.get("a/b/c-1");
    EXPECT_TRUE(object) << object.error().to_string();
    EXPECT_EQ(object->body, body.flatten());
    EXPECT_EQ(object->etag, *etag);
  });
}

TEST_P(StoreContract, an_empty_object_is_an_object) {
  run([](Self&, Store& store) -> Task<void> {
    SliceChain nothing;
    EXPECT_TRUE(co_await store.put_if_absent("empty", nothing));
    auto object = co_await store.get("empty");
    EXPECT_TRUE(object);
    EXPECT_EQ(object->body.size(), 0u);
    ByteRange all{0, 10};
    auto range = co_await store.get_range("empty", all);
    EXPECT_TRUE(range);
    EXPECT_EQ(range->size(), 0u);
  });
}

TEST_P(StoreContract, absent_objects_are_not_found) {
  run([](Self&, Store& store) -> Task<void> {
    ByteRange range{0, 1};
    SliceChain body = chain({"x"});
    EXPECT_TRUE(co_await store.put_if_absent("dir/file", body));
    for (const char* name : {"nothing", "dir", "dir/file/below", "dir/other"}) {
      const std::string key = name;
      auto object = co_await store.get(key);
      EXPECT_EQ(object.error().code(), Code::kNotFound) << key;
      auto part = co_await store.get_range(key, range);
      EXPECT_EQ(part.error().code(), Code::kNotFound) << key;
      auto changed = co_await store.get_if_changed(key, "etag");
      EXPECT_EQ(changed.error().code(), Code::kNotFound) << key;
    }
    auto swapped = co_await store.put_if_match("nothing", body, "etag");
    EXPECT_EQ(swapped.error().code(), Code::kNotFound);
    EXPECT_FALSE(co_await store.get("nothing"));
  });
}

TEST_P(StoreContract, put_if_match_swaps_only_what_was_read) {
  run([](Self&, Store& store) -> Task<void> {
    SliceChain one = chain({"1"}), two = chain({"2"}), three = chain({"3"});
    auto first = co_await store.put_if_absent("root", one);
    auto second = co_await store.put_if_match("root", two, *first);
    EXPECT_TRUE(second);
    EXPECT_NE(*first, *second);
    auto stale = co_await store.put_if_match("root", three, *first);
    EXPECT_EQ(stale.error().code(), Code::kExists);
    auto same = co_await store.get_if_changed("root", *second);
    EXPECT_TRUE(same);
    EXPECT_FALSE(same->has_value());
    auto changed = co_await store.get_if_changed("root", *first);
    EXPECT_EQ((*changed)->body.view(), "2");
    EXPECT_EQ((*changed)->etag, *second);
  });
}

TEST_P(StoreContract, ranges_are_cut_at_the_end_and_refused_beyond) {
  run([](Self&, Store& store) -> Task<void> {
    SliceChain body = chain({"01234", "56789"});
    EXPECT_TRUE(co_await store.put_if_absent("ten", body));
    struct Case {
      ByteRange range;
      std::string_view bytes;
    };
    for (const auto& [range, bytes] : {Case{{0, 3}, "012"}, {{4, 3}, "456"}, {{8, 100}, "89"}, {{10, 5}, ""}}) {
      for (int repeat = 0; repeat < 2; ++repeat) {
        auto part = co_await store.get_range("ten", range);
        EXPECT_TRUE(part);
        EXPECT_EQ(part->view(), bytes);
      }
    }
    ByteRange beyond{11, 1};
    EXPECT_FALSE(co_await store.get_range("ten", beyond));
  });
}

TEST_P(StoreContract, removed_objects_are_gone_and_absent_ones_no_error) {
  run([](Self&, Store& store) -> Task<void> {
    SliceChain body = chain({"x"});
    for (const char* key : {"d/1", "d/2", "d/3"}) {
      const std::string name = key;
      EXPECT_TRUE(co_await store.put_if_absent(name, body));
    }
    ByteRange all{0, 1};
    EXPECT_TRUE(co_await store.get_range("d/1", all));
    std::vector<std::string> keys{"d/1", "d/9", "d/3"};
    EXPECT_TRUE(co_await store.remove(keys));
    auto gone = co_await store.get_range("d/1", all);
    EXPECT_EQ(gone.error().code(), Code::kNotFound);
    EXPECT_TRUE(co_await store.get("d/2"));
    EXPECT_TRUE(co_await store.put_if_absent("d/1", body));
  });
}

TEST_P(StoreContract, list_is_in_byte_order_with_prefix_start_and_limit) {
  run([](Self&, Store& store) -> Task<void> {
    const std::vector<std::string> keys{"a-1", "a.2", "a/1", "a/b/1", "a/b/2", "a/c", "a0", "ab/1", "b"};
    SliceChain body = chain({"12"});
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
      EXPECT_TRUE(co_await store.put_if_absent(*key, body));
    }
    std::vector<std::string> prefixes{"", "a", "a/", "a/b", "a/b/", "b", "zz", "a/x/y"};
    std::vector<std::string> starts{"", "a", "a-1", "a.2", "a/", "a/b", "a/b/1", "a/zz", "b", "zz"};
    for (const auto& prefix : prefixes) {
      for (const auto& start : starts) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
          std::vector<std::string> expected;
          for (const auto& key : keys) {
            if (key.starts_with(prefix) && key > start && expected.size() < limit) expected.push_back(key);
          }
          auto listed = co_await store.list(prefix, start, limit);
          EXPECT_TRUE(listed);
          std::vector<std::string> found;
          for (const auto& object : *listed) {
            found.push_back(object.key);
            EXPECT_EQ(object.size_bytes, 2u);
          }
          EXPECT_EQ(found, expected) << "prefix '" << prefix << "' after '" << start << "' limit " << limit;
        }
      }
    }
  });
}

TEST_P(StoreContract, odd_keys_are_refused) {
  run([](Self&, Store& store) -> Task<void> {
    for (const char* odd :
         {"", "/a", "a/", "a//b", ".", "..", "a/../b", ".tmp/x", "a/.lock", "a b", "a\\b", "\xc3\xa4"}) {
      const std::string key = odd;
      SliceChain body = chain({"x"});
      auto put = co_await store.put_if_absent(key, body);
      EXPECT_EQ(put.error().code(), Code::kInvalid) << "'" << key << "'";
    }
    const std::string long_key(1001, 'k');
    SliceChain body = chain({"x"});
    auto put = co_await store.put_if_absent(long_key, body);
    EXPECT_EQ(put.error().code(), Code::kInvalid);
  });
}

Task<void> create_one(Store& store, std::string key, std::string body, int& winners) {
  SliceChain bytes;
  bytes.append_copy(body);
  auto put = co_await store.put_if_absent(key, std::move(bytes));
  if (put) ++winners;
  if (!put) {
    EXPECT_EQ(put.error().code(), Code::kExists);
  }
}

TEST_P(StoreContract, of_many_concurrent_creators_exactly_one_wins) {
  run([](Self& self, Store& store) -> Task<void> {
    for (int round = 0; round < 10; ++round) {
      int winners = 0;
      TaskScope scope(self.loop().executor());
      for (int i = 0; i < 32; ++i) {
        scope.spawn(create_one(store, "race/" + std::to_string(round), std::to_string(i), winners));
      }
      co_await scope.stop();
      EXPECT_EQ(winners, 1);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Drivers, StoreContract,
                         testing::Values(Driver::kMemory, Driver::kFile, Driver::kFileUnsynced, Driver::kFaulty,
                                         Driver::kS3, Driver::kS3Prefix),
                         name_of);

}  // namespace
}  // namespace millrace::object
