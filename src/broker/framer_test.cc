#include "broker/framer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"
#include "base/random.h"

namespace millrace::broker {
namespace {

std::string framed(std::string_view body) {
  std::string out;
  ByteWriter writer(out);
  writer.be(static_cast<std::int32_t>(body.size()));
  writer.bytes(body);
  return out;
}

// Feeds `stream` in pieces of at most `piece` bytes; answers the frames.
std::vector<std::string> cut(Framer& framer, std::string_view stream, std::size_t piece) {
  std::vector<std::string> frames;
  while (!stream.empty()) {
    const auto space = framer.space();
    const std::size_t n = std::min({piece, space.size(), stream.size()});
    std::memcpy(space.data(), stream.data(), n);
    framer.received(n);
    stream.remove_prefix(n);
    while (true) {
      auto frame = framer.next();
      EXPECT_TRUE(frame);
      if (!frame || !*frame) break;
      frames.emplace_back((*frame)->view());
    }
  }
  return frames;
}

TEST(Framer, frames_survive_any_way_of_arriving) {
  BufferPool pool(16 << 20);
  const auto random = make_seeded_random(7);
  std::vector<std::string> bodies;
  std::string stream;
  for (std::size_t size : {0, 1, 7, 8000, 8188, 8189, 8192, 65535, 65536, 70000, 1 << 20, (1 << 20) + 1, 3 << 20, 5}) {
    std::string body(size, '\0');
    random->fill(body.data(), body.size());
    stream += framed(body);
    bodies.push_back(std::move(body));
  }
  for (std::size_t piece : {333, 4096, 100'000, 10'000'000}) {
    Framer framer(pool, 100 << 20);
    EXPECT_EQ(cut(framer, stream, piece), bodies) << piece;
  }
}

TEST(Framer, frames_stay_intact_while_more_is_received_behind_them) {
  BufferPool pool(1 << 20);
  Framer framer(pool, 1 << 20);
  std::vector<Slice> kept;
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = framed(std::string(100, static_cast<char>('a' + i % 26)));
    std::memcpy(framer.space().data(), bytes.data(), 50);
    framer.received(50);
    ASSERT_FALSE(framer.next()->has_value());
    std::memcpy(framer.space().data(), bytes.data() + 50, bytes.size() - 50);
    framer.received(bytes.size() - 50);
    kept.push_back(**framer.next());
  }
  for (int i = 0; i < 500; ++i) EXPECT_EQ(kept[i].view(), std::string(100, static_cast<char>('a' + i % 26)));
}

TEST(Framer, a_negative_or_too_large_length_is_refused_without_taking_memory_for_it) {
  for (const std::int32_t length : {-1, std::numeric_limits<std::int32_t>::min(), 1001, 0x7fffffff}) {
    BufferPool pool(0);
    Framer framer(pool, 1000);
    store_be(framer.space().data(), length);
    framer.received(4);
    const auto frame = framer.next();
    ASSERT_FALSE(frame) << length;
    EXPECT_EQ(frame.error().code(), Code::kInvalid);
    EXPECT_LE(framer.space().size(), 8u << 10);
  }
}

TEST(Framer, buffers_grow_for_a_busy_connection_and_shrink_for_a_quiet_one) {
  BufferPool pool(16 << 20);
  Framer framer(pool, 1 << 20);
  EXPECT_EQ(framer.space().size(), 8u << 10);
  std::string busy;
  for (int i = 0; i < 100; ++i) busy += framed(std::string(100'000, 'x'));
  cut(framer, busy, 10'000'000);
  std::string quiet;
  for (int i = 0; i < 200'000; ++i) quiet += framed("heartbeat");
  cut(framer, quiet, 13);
  EXPECT_LE(framer.space().size(), 8u << 10);
}

TEST(BufferPool, a_buffer_is_used_again_once_its_last_slice_is_gone) {
  BufferPool pool(1 << 20);
  Slice first = pool.get(0);
  const char* where = first.data();
  const Slice part = first.sub(10, 20);
  first = Slice();
  EXPECT_NE(pool.get(0).data(), where);
  EXPECT_EQ(pool.kept_bytes(), 8u << 10);
}

}  // namespace
}  // namespace millrace::broker
