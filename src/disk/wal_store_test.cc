// The store over a simulated disk: what it promises, and what is left of it after power was lost at each step.
#include "disk/wal_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "base/event_loop.h"
#include "disk/segment_scan.h"
#include "disk/shared_bucket.h"
#include "disk/sim_disk.h"
#include "disk/wal_places.h"
#include "object/create.h"
#include "object/memory_store.h"

namespace millrace::disk {
namespace {

using cluster::Incarnation;
using cluster::SlotNumber;

constexpr std::uint64_t kSegment = 64 << 10;

SlotAddress slot_at(std::uint64_t incarnation, std::uint64_t slot) {
  return {1, Incarnation(incarnation), SlotNumber(slot)};
}
std::string key_at(std::uint64_t incarnation, std::uint64_t slot) { return slot_key(slot_at(incarnation, slot)); }
std::string text_of(std::uint64_t slot) {
  return fmt::format("slot {} {}", slot, std::string(200 + slot * 37 % 3000, 'x'));
}

SliceChain chain_of(std::string text) {
  SliceChain out;
  out.append(Slice::of(std::move(text)));
  return out;
}

Task<Result<void>> answer(bool held) {
  if (held) co_return Result<void>();
  co_return fail(Code::kFenced, "the lease ended");
}

class WalStoreTest : public testing::Test {
 public:
  WalStoreTest() { options_.segment_bytes = kSegment; }

  // A process' store on the volume, which it holds until `close` or a crash.
  Task<Result<std::unique_ptr<WalStore>>> open(SimVolume* volume) {
    std::unique_ptr<WalDisk> disk;
    if (volume) {
      auto attached = volume->attach(loop_.clock());
      if (!attached) co_return fail(std::move(attached).error());
      disk = std::move(*attached);
    }
    auto bucket = std::make_unique<SharedBucket>(bucket_);
    co_return co_await open_wal_store(loop_.executor(), loop_.clock(), *random_, metrics_, std::move(bucket),
                                      std::move(disk), options_);
  }
  static Task<void> close(std::unique_ptr<WalStore> store) {
    co_await store->stop();
    store.reset();
  }
  static Task<Code> put(object::Store& store, std::string key, std::string text) {
    SliceChain body = chain_of(std::move(text));
    const Result<std::string> done = co_await store.put_if_absent(std::move(key), std::move(body));
    co_return done ? Code::kInvalid : done.error().code();  // kInvalid stands for success: no put answers it
  }
  static constexpr Code kOk = Code::kInvalid;

  static Task<std::string> text_at(object::Store& store, std::string key) {
    const auto got = co_await store.get(std::move(key));
    if (!got) co_return fmt::format("error: {}", got.error().to_string());
    co_return std::string(got->body.view());
  }

  EventLoop loop_;
  std::unique_ptr<Random> random_ = make_seeded_random(7);
  Metrics metrics_;
  object::MemoryStore bucket_;
  SimVolume volume_{*random_};
  WalStoreOptions options_;
};

// ASSERT_* cannot be used in coroutines.
#define CO_ASSERT(condition) \
  EXPECT_TRUE(condition);    \
  if (!(condition)) co_return

TEST_F(WalStoreTest, data_slots_lie_on_the_disk_and_everything_else_in_the_bucket) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 0), "open"), kOk);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    EXPECT_EQ(co_await t.put(**store, "obj/x", "object"), kOk);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "again"), Code::kExists);
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), "one");
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 0)), "open");
    EXPECT_EQ(co_await t.text_at(**store, "obj/x"), "object");
    auto part = co_await (*store)->get_range(key_at(5, 1), {1, 100});
    CO_ASSERT(part);
    EXPECT_EQ(part->view(), "ne");
    auto beyond = co_await (*store)->get_range(key_at(5, 1), {4, 1});
    EXPECT_EQ(beyond.error().code(), Code::kInvalid);
    auto in_bucket = co_await t.bucket_.get(key_at(5, 1));
    EXPECT_EQ(in_bucket.error().code(), Code::kNotFound);
    auto missing = co_await (*store)->get(key_at(5, 2));
    EXPECT_EQ(missing.error().code(), Code::kNotFound);
    auto listed = co_await (*store)->list("wal/", "", 100);
    CO_ASSERT(listed);
    std::vector<std::string> keys;
    for (const auto& each : *listed) keys.push_back(each.key);
    EXPECT_EQ(keys, (std::vector{key_at(5, 0), key_at(5, 1), storage::wal_prefix(1, Incarnation(5)) + "disk"}));
    std::vector<std::string> gone{key_at(5, 1), "obj/x"};
    EXPECT_TRUE(co_await (*store)->remove(gone));
    auto removed = co_await (*store)->get(key_at(5, 1));
    EXPECT_EQ(removed.error().code(), Code::kNotFound);
    auto object = co_await t.bucket_.get("obj/x");
    EXPECT_EQ(object.error().code(), Code::kNotFound);
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, many_slots_share_a_frame_and_survive_a_restart) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    TaskScope scope(t.loop_.executor());
    const auto put = [](object::Store& s, std::uint64_t slot) -> Task<void> {
      EXPECT_EQ(co_await WalStoreTest::put(s, key_at(5, slot), text_of(slot)), kOk);
    };
    for (std::uint64_t slot = 1; slot <= 100; ++slot) scope.spawn(put(**store, slot));
    const std::uint64_t before = t.volume_.steps();
    co_await scope.stop();
    EXPECT_LT(t.volume_.steps() - before, 40u) << "a hundred slots took a hundred writes";
    co_await t.close(std::move(*store));
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    for (std::uint64_t slot = 1; slot <= 100; ++slot) {
      EXPECT_EQ(co_await t.text_at(**store, key_at(5, slot)), text_of(slot));
    }
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, segments_are_used_again_once_their_slots_are_removed) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    for (std::uint64_t slot = 1; slot <= 400; ++slot) {
      EXPECT_EQ(co_await t.put(**store, key_at(5, slot), text_of(slot)), kOk);
      std::vector<std::string> old{key_at(5, slot - std::min<std::uint64_t>(slot - 1, 20))};
      if (slot <= 20) continue;
      EXPECT_TRUE(co_await (*store)->remove(old));
    }
    EXPECT_LE(t.volume_.names().size(), 7u) << "400 blocks of slots need 27 segments when none is used again";
    co_await t.close(std::move(*store));
    // What was removed may come back, what was not is there.
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    for (std::uint64_t slot = 381; slot <= 400; ++slot) {
      EXPECT_EQ(co_await t.text_at(**store, key_at(5, slot)), text_of(slot));
    }
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, segments_that_are_too_many_are_dropped_one_at_a_time) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    t.options_.spares_max = 1;
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    std::vector<std::string> all;
    for (std::uint64_t slot = 1; slot <= 100; ++slot) {
      EXPECT_EQ(co_await t.put(**store, key_at(5, slot), text_of(slot)), kOk);
      all.push_back(key_at(5, slot));
    }
    const std::size_t before = t.volume_.names().size();
    EXPECT_GT(before, 5u);
    EXPECT_TRUE(co_await (*store)->remove(all));
    const SteadyTime enough = t.loop_.clock().now() + 20ms;
    co_await sleep_until(t.loop_.clock(), enough);
    EXPECT_EQ(t.volume_.names().size(), before - 1);
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_slot_larger_than_a_segment_gets_one_of_its_size) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), std::string(3 * kSegment, 'l')), kOk);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "small"), kOk);
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), std::string(3 * kSegment, 'l'));
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_failed_sync_ends_the_store_for_good) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    t.volume_.fail_next_sync();
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "two"), Code::kTimeout);
    // The disk would say yes now, as Linux does.
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "two"), Code::kDenied);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 3), "three"), Code::kDenied);
    object::CreateOptions options;
    SliceChain four = chain_of("four");
    auto created =
        co_await object::create_object(**store, t.loop_.clock(), *t.random_, key_at(5, 4), std::move(four), options);
    EXPECT_EQ(created.outcome, object::CreateOutcome::kRefused) << "ends the incarnation at once";
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), "one");
    co_await t.close(std::move(*store));
    t.volume_.crash();
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), "one");
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_full_disk_is_waited_out) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    t.volume_.options().capacity = 2 * kSegment;
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    std::uint64_t slot = 1;
    Code code = kOk;
    while (code == kOk) code = co_await t.put(**store, key_at(5, slot++), text_of(2));
    EXPECT_EQ(code, Code::kExhausted);
    EXPECT_GT(slot, 20u);
    std::vector<std::string> first_half;
    for (std::uint64_t each = 1; each <= slot / 2 + 1; ++each) first_half.push_back(key_at(5, each));
    EXPECT_TRUE(co_await (*store)->remove(first_half));
    EXPECT_EQ(co_await t.put(**store, key_at(5, slot - 1), text_of(2)), kOk) << "once there is room it goes on";
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, nothing_is_acknowledged_after_the_lease_ended) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    bool held = true;
    t.options_.still_held = [&held] { return answer(held); };
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    held = false;
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "two"), Code::kTimeout);
    held = true;
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "two"), Code::kDenied) << "not again under this incarnation";
    EXPECT_EQ(co_await t.put(**store, key_at(5, 3), "three"), Code::kDenied);
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_successor_reads_and_drains_but_never_writes_to_its_predecessors_wal) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    co_await t.close(std::move(*store));
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    // Recovery: reads up to the first missing slot and seals it; the Seal lies in the bucket.
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), "one");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "seal"), Code::kExists);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "seal"), kOk);
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 2)), "seal");
    auto in_bucket = co_await t.bucket_.get(key_at(5, 2));
    EXPECT_TRUE(in_bucket);
    (void)co_await t.put(**store, key_at(9, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(9, 1), "mine"), kOk);
    const auto names = t.volume_.names();
    EXPECT_EQ(names.size(), 2u) << "files of its own";
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, what_another_host_acknowledged_until_its_lease_ended_is_read_and_its_segments_are_left_alone) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto holder = co_await t.open(&t.volume_);
    CO_ASSERT(holder);
    (void)co_await t.put(**holder, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**holder, key_at(5, 1), "one"), kOk);
    auto bucket = std::make_unique<SharedBucket>(t.bucket_);
    auto disk = t.volume_.attach_elsewhere(t.loop_.clock(), "elsewhere:/wal");
    auto taker = co_await open_wal_store(t.loop_.executor(), t.loop_.clock(), *t.random_, t.metrics_, std::move(bucket),
                                         std::move(disk), t.options_);
    CO_ASSERT(taker);
    EXPECT_FALSE(co_await (*taker)->ended_here({1, Incarnation(5)}));
    // While the taker waits for the lease.
    EXPECT_EQ(co_await t.put(**holder, key_at(5, 2), "two"), kOk);
    EXPECT_EQ(co_await t.text_at(**taker, key_at(5, 1)), "one");
    EXPECT_EQ(co_await t.text_at(**taker, key_at(5, 2)), "two");
    // All of it is drained: the segment is free, and a late write of the holder may still land there.
    std::vector<std::string> drained{key_at(5, 1), key_at(5, 2)};
    EXPECT_TRUE(co_await (*taker)->remove(drained));
    (void)co_await t.put(**taker, key_at(9, 0), "open");
    EXPECT_EQ(co_await t.put(**taker, key_at(9, 1), "mine"), kOk);
    (void)co_await t.put(**holder, key_at(5, 3), "late");
    EXPECT_EQ(co_await t.text_at(**taker, key_at(9, 1)), "mine");
    co_await t.close(std::move(*holder));
    co_await t.close(std::move(*taker));
    auto again = co_await t.open(&t.volume_);
    CO_ASSERT(again);
    EXPECT_EQ(co_await t.text_at(**again, key_at(9, 1)), "mine");
    co_await t.close(std::move(*again));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_predecessor_ended_when_its_volume_was_held_on_this_host_before) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_FALSE(co_await (*store)->ended_here({1, Incarnation(5)})) << "nobody held it before";
    (void)co_await t.put(**store, key_at(5, 0), "open");
    co_await t.close(std::move(*store));
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_TRUE(co_await (*store)->ended_here({1, Incarnation(5)}));
    EXPECT_FALSE(co_await (*store)->ended_here({1, Incarnation(4)})) << "that one's WAL is not here";
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_wal_on_another_disk_is_neither_missing_nor_sealed) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    co_await t.close(std::move(*store));
    // 1. On another disk, and without one.
    SimVolume other(*t.random_);
    for (SimVolume* volume : {&other, static_cast<SimVolume*>(nullptr)}) {
      store = co_await t.open(volume);
      CO_ASSERT(store);
      auto got = co_await (*store)->get(key_at(5, 1));
      EXPECT_EQ(got.error().code(), Code::kDenied);
      EXPECT_NE(got.error().message().find("sim:/wal"), std::string::npos) << got.error().message();
      EXPECT_NE(got.error().message().find("--set wal.lost=1.5 "), std::string::npos);
      EXPECT_EQ(co_await t.put(**store, key_at(5, 2), "seal"), Code::kDenied);
      // What never was on a disk is there as ever.
      const std::string elsewhere = key_at(4, volume ? 2 : 3);
      EXPECT_EQ(co_await t.put(**store, elsewhere, "seal"), kOk);
      EXPECT_EQ(co_await t.text_at(**store, elsewhere), "seal");
      co_await t.close(std::move(*store));
    }
    // 2. The disk is gone for good.
    t.options_.lost = {{1, Incarnation(5)}};
    store = co_await t.open(&other);
    CO_ASSERT(store);
    auto got = co_await (*store)->get(key_at(5, 1));
    EXPECT_EQ(got.error().code(), Code::kNotFound);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "seal"), kOk);
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_disk_of_another_bucket_is_refused) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    EXPECT_EQ(co_await t.put(t.bucket_, "format", "cluster one"), kOk);
    for (int life = 0; life < 2; ++life) {
      auto store = co_await t.open(&t.volume_);
      CO_ASSERT(store);
      (void)co_await t.put(**store, key_at(5 + life, 0), "open");
      EXPECT_EQ(co_await t.put(**store, key_at(5 + life, 1), "one"), kOk);
      co_await t.close(std::move(*store));
    }
    for (const char* other : {"", "cluster two"}) {
      t.bucket_ = object::MemoryStore();
      if (*other) (void)co_await t.put(t.bucket_, "format", other);
      auto store = co_await t.open(&t.volume_);
      CO_ASSERT(!store);
      EXPECT_EQ(store.error().code(), Code::kDenied);
      EXPECT_NE(store.error().message().find("another bucket"), std::string::npos) << store.error().message();
      t.volume_.detach();
    }
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_disk_that_is_left_is_read_and_drained_while_new_slots_go_to_the_bucket) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(5, 1), "one"), kOk);
    co_await t.close(std::move(*store));
    t.options_.new_wals_on_disk = false;
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(9, 0), "open");
    EXPECT_EQ(co_await t.put(**store, key_at(9, 1), "mine"), kOk);
    EXPECT_TRUE(co_await t.bucket_.get(key_at(9, 1)));
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 1)), "one");
    std::vector<std::string> drained{key_at(5, 1)};
    EXPECT_TRUE(co_await (*store)->remove(drained));
    EXPECT_EQ(t.volume_.names().size(), 1u);
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, an_incarnation_is_opened_on_one_volume_only) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 0), "open"), kOk);
    EXPECT_EQ(co_await t.put(**store, key_at(5, 0), "open"), Code::kExists) << "a repeat, of which the bucket knows";
    SimVolume other(*t.random_);
    auto second = co_await t.open(&other);
    CO_ASSERT(second);
    EXPECT_EQ(co_await t.put(**second, key_at(5, 0), "open"), Code::kFenced);
    co_await t.close(std::move(*second));
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, damage_below_what_was_acknowledged_is_an_error_and_not_an_end) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    auto store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    (void)co_await t.put(**store, key_at(5, 0), "open");
    for (std::uint64_t slot = 1; slot <= 3; ++slot) (void)co_await t.put(**store, key_at(5, slot), text_of(slot));
    co_await t.close(std::move(*store));
    t.volume_.contents(segment_name(1))[2 * kBlockBytes + 100] ^= 1;
    store = co_await t.open(&t.volume_);
    CO_ASSERT(!store);
    EXPECT_EQ(store.error().code(), Code::kCorrupt);
    EXPECT_NE(store.error().message().find(segment_name(1)), std::string::npos) << store.error().message();
    t.volume_.detach();
    // The last frame, damaged, cannot be told from one that was never written whole.
    t.volume_.contents(segment_name(1))[2 * kBlockBytes + 100] ^= 1;
    t.volume_.contents(segment_name(1))[3 * kBlockBytes + 100] ^= 1;
    store = co_await t.open(&t.volume_);
    CO_ASSERT(store);
    EXPECT_EQ(co_await t.text_at(**store, key_at(5, 2)), text_of(2));
    co_await t.close(std::move(*store));
  };
  loop_.run_until_done(body(*this));
}

// A process that puts slots, up to four at once, and removes old ones, until it is done or its disk dies. Answers the
// last slot that was acknowledged together with all before it.
struct Life {
  std::uint64_t incarnation = 0;
  std::set<std::uint64_t> acked;
  std::uint64_t removed_below = 1;
};

Task<void> put_and_note(object::Store& store, Life& life, std::uint64_t slot) {
  SliceChain body = chain_of(text_of(slot));
  const auto done = co_await store.put_if_absent(key_at(life.incarnation, slot), std::move(body));
  if (done) life.acked.insert(slot);
}

Task<void> live(WalStore& store, Executor executor, Life& life) {
  SliceChain opening = chain_of("open");
  (void)co_await store.put_if_absent(key_at(life.incarnation, 0), std::move(opening));
  for (std::uint64_t slot = 1; slot <= 60; slot += 4) {
    TaskScope scope(executor);
    for (std::uint64_t i = 0; i < 4; ++i) scope.spawn(put_and_note(store, life, slot + i));
    co_await scope.stop();
    if (life.acked.size() < slot + 3) co_return;
    if (slot > 24) {
      std::vector<std::string> old;
      while (life.removed_below < slot - 20) old.push_back(key_at(life.incarnation, life.removed_below++));
      (void)co_await store.remove(std::move(old));
    }
  }
}

// Everything acknowledged and not removed is there, byte by byte; slots without gaps; nothing that was never put.
Task<void> check(WalStore& store, const Life& life, std::string what) {
  for (const auto slot : life.acked) {
    if (slot < life.removed_below) continue;
    const auto got = co_await store.get(key_at(life.incarnation, slot));
    EXPECT_TRUE(got) << what << ", slot " << slot << ": " << (got ? "" : got.error().to_string());
    EXPECT_EQ(got ? got->body.view() : "", text_of(slot)) << what;
  }
  const std::uint64_t last = life.acked.empty() ? 0 : *life.acked.rbegin();
  for (std::uint64_t slot = last + 1; slot <= last + 8; ++slot) {
    const auto got = co_await store.get(key_at(life.incarnation, slot));
    if (!got) continue;
    EXPECT_EQ(got->body.view(), text_of(slot)) << what << ": bytes that nobody wrote, as slot " << slot;
  }
}

TEST_F(WalStoreTest, power_lost_at_any_step_costs_nothing_that_was_acknowledged) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    t.options_.segment_bytes = 24 << 10;  // so that segments are used again
    t.options_.spares_max = 1;
    int died = 0;
    for (std::uint64_t step = 1;; ++step) {
      SimVolume volume(*t.random_);
      t.bucket_ = object::MemoryStore();
      // 1. A first life, so that there is something old on the disk; then one that dies; then one that reads.
      Life first{.incarnation = 3, .acked = {}}, second{.incarnation = 5, .acked = {}};
      for (Life* life : {&first, &second}) {
        auto store = co_await t.open(&volume);
        CO_ASSERT(store);
        if (life == &second) volume.die_at_step(step);
        co_await live(**store, t.loop_.executor(), *life);
        co_await t.close(std::move(*store));
      }
      const bool was_cut = volume.died();
      died += was_cut ? 1 : 0;
      if (!was_cut) volume.crash();  // after the last answer
      for (int time = 0; time < 2; ++time) {
        auto store = co_await t.open(&volume);
        EXPECT_TRUE(store) << "after step " << step << ": " << (store ? "" : store.error().to_string());
        if (!store) co_return;
        co_await check(**store, first, fmt::format("step {}, first life", step));
        co_await check(**store, second, fmt::format("step {}, second life", step));
        co_await t.close(std::move(*store));
        volume.crash();  // what was read once stays (rule 30)
      }
      if (!was_cut) break;
    }
    EXPECT_GT(died, 30);
  };
  loop_.run_until_done(body(*this));
}

TEST_F(WalStoreTest, a_sync_that_lies_after_it_failed_costs_nothing_that_was_acknowledged) {
  const auto body = [](WalStoreTest& t) -> Task<void> {
    for (int round = 0; round < 20; ++round) {
      SimVolume volume(*t.random_);
      t.bucket_ = object::MemoryStore();
      Life life{.incarnation = 3, .acked = {}};
      auto store = co_await t.open(&volume);
      CO_ASSERT(store);
      SliceChain opening = chain_of("open");
      (void)co_await (*store)->put_if_absent(key_at(3, 0), std::move(opening));
      for (std::uint64_t slot = 1; slot <= 8; ++slot) {
        if (slot == 5) volume.fail_next_sync();
        co_await put_and_note(**store, life, slot);
      }
      EXPECT_EQ(life.acked, (std::set<std::uint64_t>{1, 2, 3, 4}));
      co_await t.close(std::move(*store));
      volume.crash();
      store = co_await t.open(&volume);
      CO_ASSERT(store);
      co_await check(**store, life, "after a failed sync");
      co_await t.close(std::move(*store));
    }
  };
  loop_.run_until_done(body(*this));
}

TEST(WalPlace, comes_back_and_is_refused_when_it_is_cut_short_or_something_else) {
  const auto random = make_seeded_random(3);
  const WalPlace place{Uuid::random(*random), "host:/a path/with spaces"};
  const std::string text = encode_wal_place(place);
  EXPECT_TRUE(text.starts_with("millrace-disk-wal 1\nvolume "));
  auto back = decode_wal_place(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, place);
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_wal_place(text.substr(0, size))) << size;
  EXPECT_FALSE(decode_wal_place(text + "more\n"));
  EXPECT_FALSE(decode_wal_place("millrace-disk-wal 2\n" + text.substr(20)));
}

}  // namespace
}  // namespace millrace::disk
