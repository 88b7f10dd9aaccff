#include "net/http_server.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <set>

#include "base/log.h"

namespace millrace::net {
namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kHeaderBytesMax = 16 << 10;

std::string percent_decoded(std::string_view text) {
  std::string out;
  const auto hex = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view reason(int status) { return http::obsolete_reason(static_cast<http::status>(status)); }

SliceChain encode(const HttpResponse& response, bool keep_alive, bool head_only) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason(response.status);
  head += "\r\nContent-Type: " + response.content_type;
  head += "\r\nContent-Length: " + std::to_string(response.body.size());
  head += "\r\nCache-Control: " + response.cache_control;
  head += "\r\nX-Content-Type-Options: nosniff\r\n";
  if (!keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  SliceChain chain;
  chain.append(Slice::of(std::move(head)));
  if (!head_only) chain.append(Slice::of(response.body));
  return chain;
}

HttpRequest plain(http::request<http::string_body>&& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  const auto raw = message.target();
  const std::string_view target(raw.data(), raw.size());
  const auto mark = target.find('?');
  request.path = percent_decoded(target.substr(0, mark));
  if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
  request.host = std::string(message[http::field::host]);
  request.origin = std::string(message[http::field::origin]);
  request.content_type = std::string(message[http::field::content_type]);
  request.body = std::move(message.body());
  return request;
}

}  // namespace

struct HttpServer::Impl {
  Executor executor;
  Clock& clock;
  std::unique_ptr<Listener> listener;
  Handler handler;
  HttpServerOptions options;
  TaskScope scope;
  std::set<Stream*> streams;

  Task<void> accept_all() {
    while (true) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      if (streams.size() >= options.connections_max) continue;  // dropped: the client sees a closed connection
      scope.spawn(serve(std::move(*stream)));
    }
  }

  Task<void> serve(std::unique_ptr<Stream> stream) {
    streams.insert(stream.get());
    std::string buffer;
    while (true) {
      auto request = co_await read_request(*stream, buffer);
      if (!request) break;
      const bool keep_alive = request->keep_alive();
      const bool head_only = request->method() == http::verb::head;
      HttpResponse response = co_await handler(plain(std::move(*request)));
      const SliceChain bytes = encode(response, keep_alive, head_only);
      if (!co_await stream->write(bytes) || !keep_alive) break;
    }
    streams.erase(stream.get());
  }

  // Nothing: the connection is over, the client told why where it could be.
  Task<std::optional<http::request<http::string_body>>> read_request(Stream& stream, std::string& buffer) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(options.body_bytes_max);
    parser.eager(true);
    bool late = false;
    const auto timer = clock.call_at(clock.now() + options.idle_timeout, [&] {
      late = true;
      stream.close();
    });
    std::optional<HttpResponse> refusal;
    while (!parser.is_done()) {
      if (!buffer.empty()) {
        boost::system::error_code error;
        const std::size_t used = parser.put(boost::asio::buffer(buffer), error);
        buffer.erase(0, used);
        if (error && error != http::error::need_more) {
          const int status = error == http::error::body_limit ? 413 : error == http::error::header_limit ? 431 : 400;
          refusal = HttpResponse{status, "text/plain", "bad request: " + error.message() + "\n"};
          break;
        }
        if (parser.is_done()) break;
        if (used > 0 && !buffer.empty()) continue;
      }
      char chunk[8192];
      const auto n = co_await stream.read_some(chunk);
      if (!n || *n == 0) break;
      buffer.append(chunk, *n);
    }
    if (!late) clock.cancel(timer);
    if (refusal) {
      const SliceChain bytes = encode(*refusal, false, false);
      (void)co_await stream.write(bytes);
      co_return std::nullopt;
    }
    if (!parser.is_done()) co_return std::nullopt;
    co_return parser.release();
  }
};

HttpServer::HttpServer(Executor executor, Clock& clock, std::unique_ptr<Listener> listener, Handler handler,
                       HttpServerOptions options)
    : impl_(new Impl{executor, clock, std::move(listener), std::move(handler), options, TaskScope(executor), {}}) {}
HttpServer::~HttpServer() = default;

void HttpServer::start() { impl_->scope.spawn(impl_->accept_all()); }

Task<void> HttpServer::stop() {
  impl_->listener->close();
  for (Stream* stream : impl_->streams) stream->close();
  co_await impl_->scope.stop();
}

const Address& HttpServer::bound() const { return impl_->listener->bound(); }

}  // namespace millrace::net
