#include "console/console.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"

namespace millrace::console {
namespace {

struct FakeStatus final : StatusSource {
  bool ready = true;
  Readiness readiness() override { return {ready, "the log is recovering"}; }
  Task<std::string> status_json() override { co_return R"({"version":"x"})"; }
};
struct FakeSql final : SqlPort {
  Task<Result<std::string>> run_json(std::string sql) override {
    if (sql == "bad") co_return fail(Code::kInvalid, "no such thing");
    co_return R"({"rows":[]})";
  }
};

std::string ask(std::string request, bool ready = true) {
  EventLoop loop;
  std::string got;
  auto body = [](EventLoop& l, std::string sent, bool is_ready, std::string& out) -> Task<void> {
    Metrics metrics;
    metrics.counter("millrace_test_total", "a test").Increment();
    FakeStatus status;
    status.ready = is_ready;
    FakeSql sql;
    auto listener = net::listen(l.executor(), {"127.0.0.1", 0});
    Console console(l.executor(), l.clock(), metrics, std::move(*listener), status, &sql);
    console.start();
    auto stream = co_await net::connect(l.executor(), console.bound());
    SliceChain bytes;
    bytes.append_copy(sent);
    (void)co_await (*stream)->write(bytes);
    char buffer[65536];
    while (true) {
      auto n = co_await (*stream)->read_some(buffer);
      if (!n || *n == 0) break;
      out.append(buffer, *n);
    }
    co_await console.stop();
  };
  loop.run_until_done(body(loop, std::move(request), ready, got));
  return got;
}

std::string get(std::string path, std::string host = "localhost:8080") {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}
std::string post(std::string body, std::string type = "application/json") {
  return "POST /api/v1/sql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(Console, serves_health_metrics_status_and_the_page) {
  EXPECT_NE(ask(get("/healthz")).find("200 OK"), std::string::npos);
  EXPECT_NE(ask(get("/metrics")).find("millrace_test_total 1"), std::string::npos);
  EXPECT_NE(ask(get("/api/v1/status")).find("\"version\""), std::string::npos);
  EXPECT_NE(ask(get("/")).find("<title>Millrace</title>"), std::string::npos);
  EXPECT_NE(ask(get("/page.js")).find("text/javascript"), std::string::npos);
  EXPECT_NE(ask(get("/nothing")).find("404"), std::string::npos);
}

TEST(Console, says_why_it_is_not_ready) {
  EXPECT_NE(ask(get("/readyz")).find("200 OK"), std::string::npos);
  const auto reply = ask(get("/readyz"), false);
  EXPECT_NE(reply.find("503"), std::string::npos);
  EXPECT_NE(reply.find("the log is recovering"), std::string::npos);
}

TEST(Console, refuses_foreign_hosts_and_form_posts) {
  EXPECT_NE(ask(get("/api/v1/status", "evil.example")).find("403"), std::string::npos);
  EXPECT_NE(ask(post(R"({"sql":"x"})", "text/plain")).find("403"), std::string::npos);
}

TEST(Console, runs_sql_and_tells_what_is_wrong_with_it) {
  EXPECT_NE(ask(post(R"({"sql":"select 1"})")).find("\"rows\""), std::string::npos);
  EXPECT_NE(ask(post(R"({"sql":"bad"})")).find("no such thing"), std::string::npos);
  EXPECT_NE(ask(post("{")).find("400"), std::string::npos);
}

}  // namespace
}  // namespace millrace::console
