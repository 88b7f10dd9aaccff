#include "net/tcp.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"

namespace millrace::net {
namespace {

Task<void> echo_once(Listener& listener) {
  auto stream = co_await listener.accept();
  char buffer[64];
  auto n = co_await (*stream)->read_some(buffer);
  SliceChain reply;
  reply.append_copy("echo:");
  reply.append_copy({buffer, *n});
  EXPECT_TRUE((co_await (*stream)->write(reply)).has_value());
}

TEST(Tcp, a_gathered_write_arrives_whole) {
  EventLoop loop;
  std::string got(9, ' ');
  auto body = [](EventLoop& l, std::string& out) -> Task<void> {
    auto listener = listen(l.executor(), {"127.0.0.1", 0});
    EXPECT_TRUE(listener.has_value());
    TaskScope scope(l.executor());
    scope.spawn(echo_once(**listener));
    auto stream = co_await connect(l.executor(), (*listener)->bound());
    SliceChain hello;
    hello.append_copy("ping");
    EXPECT_TRUE((co_await (*stream)->write(hello)).has_value());
    EXPECT_TRUE((co_await read_exactly(**stream, out)).has_value());
    co_await scope.stop();
  };
  loop.run_until_done(body(loop, got));
  EXPECT_EQ(got, "echo:ping");
}

TEST(Tcp, a_port_in_use_is_named) {
  EventLoop loop;
  auto first = listen(loop.executor(), {"127.0.0.1", 0});
  ASSERT_TRUE(first.has_value());
  auto second = listen(loop.executor(), (*first)->bound());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kExists);
  EXPECT_NE(second.error().message().find((*first)->bound().to_string()), std::string::npos);
}

TEST(Address, parses_what_users_write) {
  EXPECT_EQ(Address::parse("127.0.0.1:9092")->port, 9092);
  EXPECT_EQ(Address::parse("[::1]:80")->host, "::1");
  EXPECT_EQ(Address::parse(":0")->host, "127.0.0.1");
  for (auto bad : {"", "host", "host:", "host:70000", "host:1x", "a:b:1"}) EXPECT_FALSE(Address::parse(bad)) << bad;
}

}  // namespace
}  // namespace millrace::net
