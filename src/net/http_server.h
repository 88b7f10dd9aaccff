// A small HTTP/1.1 server over net::Listener: keep-alive, bounded headers and bodies, one handler for
// every request. Parsing is Boost.Beast's; there is no TLS and no upgrade. A client that sends garbage,
// too much or nothing loses its connection only.
//
// One thread: the executor's. The handler may suspend; requests of one connection are served in turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/task.h"
#include "net/tcp.h"

namespace millrace::net {

struct HttpRequest {
  std::string method;
  std::string path;   // decoded, without the query
  std::string query;  // as sent, after the '?'
  std::string host;   // the Host header
  std::string origin;
  std::string content_type;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string cache_control = "no-store";
};

struct HttpServerOptions {
  std::size_t body_bytes_max = 1 << 20;
  std::size_t connections_max = 256;
  Duration idle_timeout = 60s;
};

class HttpServer {
 public:
  using Handler = std::function<Task<HttpResponse>(HttpRequest)>;
  HttpServer(Executor executor, Clock& clock, std::unique_ptr<Listener> listener, Handler handler,
             HttpServerOptions options = {});
  ~HttpServer();
  void start();
  // Closes the listener and every connection, then waits for their Tasks.
  Task<void> stop();
  const Address& bound() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::net
