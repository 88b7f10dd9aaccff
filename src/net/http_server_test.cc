#include "net/http_server.h"

#include <gtest/gtest.h>

#include "base/event_loop.h"

namespace millrace::net {
namespace {

Task<HttpResponse> echo(HttpRequest request) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + " " + request.query + " " + request.body;
  co_return response;
}

// Sends `bytes` to a fresh server and collects what comes back until it closes or falls silent.
std::string exchange(std::string bytes, bool close_after = true) {
  EventLoop loop;
  std::string got;
  auto body = [](EventLoop& l, std::string sent, bool close, std::string& out) -> Task<void> {
    auto listener = listen(l.executor(), {"127.0.0.1", 0});
    HttpServerOptions options;
    options.idle_timeout = 200ms;
    options.body_bytes_max = 100;
    HttpServer server(l.executor(), l.clock(), std::move(*listener), echo, options);
    server.start();
    auto stream = co_await connect(l.executor(), server.bound());
    SliceChain request;
    request.append_copy(sent);
    (void)co_await (*stream)->write(request);
    char buffer[4096];
    while (true) {
      auto n = co_await (*stream)->read_some(buffer);
      if (!n || *n == 0) break;
      out.append(buffer, *n);
      if (close && out.find("\r\n\r\n") != std::string::npos) break;
    }
    co_await server.stop();
  };
  loop.run_until_done(body(loop, std::move(bytes), close_after, got));
  return got;
}

TEST(HttpServer, answers_a_request_with_decoded_path_and_body) {
  const auto reply = exchange("POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_NE(reply.find("200 OK"), std::string::npos);
  EXPECT_NE(reply.find("POST /a b x=1 hello"), std::string::npos);
}

TEST(HttpServer, garbage_gets_400_and_a_closed_connection) {
  EXPECT_NE(exchange("\x16\x03\x01 nonsense\r\n\r\n", false).find("400"), std::string::npos);
}

TEST(HttpServer, a_body_over_the_limit_is_refused) {
  EXPECT_NE(exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", false).find("413"),
            std::string::npos);
}

TEST(HttpServer, a_silent_client_is_dropped) { EXPECT_EQ(exchange("GET / HT", false), ""); }

}  // namespace
}  // namespace millrace::net
