#include "console/console.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <map>

#include "console/page.h"

namespace millrace::console {
namespace {

net::HttpResponse text(int status, std::string body) { return {status, "text/plain; charset=utf-8", std::move(body)}; }

net::HttpResponse json(int status, std::string body) { return {status, "application/json", std::move(body)}; }

std::string error_json(std::string_view message) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer writer(buffer);
  writer.StartObject();
  writer.Key("error");
  writer.String(message.data(), static_cast<rapidjson::SizeType>(message.size()));
  writer.EndObject();
  return buffer.GetString();
}

// The host without its port: "[::1]:80" -> "::1".
std::string_view host_name(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

struct Console::Impl {
  Metrics& metrics;
  StatusSource& status;
  SqlPort* sql;
  std::unique_ptr<net::HttpServer> server;

  net::HttpResponse exposition() const { return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.expose()}; }
  static net::HttpResponse page(const PageFile& file) {
    return {200, std::string(file.content_type), std::string(file.content)};
  }

  bool host_is_ours(const net::HttpRequest& request) const {
    const auto name = host_name(request.host);
    return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == server->bound().host;
  }

  Task<net::HttpResponse> handle(net::HttpRequest request) {
    if (!host_is_ours(request)) {
      co_return text(403, "refused: the Host header names neither this address nor a loopback name\n");
    }
    if (request.path == "/api/v1/sql") co_return co_await run_sql(std::move(request));
    if (request.method != "GET" && request.method != "HEAD") co_return text(405, "only GET is answered here\n");
    if (request.path == "/healthz") co_return text(200, "ok\n");
    if (request.path == "/readyz") {
      const Readiness readiness = status.readiness();
      co_return readiness.ready ? text(200, "ready\n") : text(503, "not ready: " + readiness.reason + "\n");
    }
    if (request.path == "/metrics") {
      co_return exposition();
    }
    if (request.path == "/api/v1/status") co_return json(200, co_await status.status_json());
    if (const PageFile* file = find_page_file(request.path)) {
      co_return page(*file);
    }
    co_return text(404, "nothing here; try / , /metrics or /api/v1/status\n");
  }

  Task<net::HttpResponse> run_sql(net::HttpRequest request) {
    if (request.method != "POST") co_return text(405, "send POST with {\"sql\": \"...\"}\n");
    // A page of another origin may post text/plain without asking; JSON it may not.
    if (!request.content_type.starts_with("application/json") ||
        (!request.origin.empty() && request.origin != "http://" + request.host)) {
      co_return text(403, "refused: send application/json from this very page or a program\n");
    }
    if (!sql) co_return json(404, error_json("this process has no sql role"));
    rapidjson::Document body;
    body.Parse(request.body.data(), request.body.size());
    if (body.HasParseError() || !body.IsObject() || !body.HasMember("sql") || !body["sql"].IsString()) {
      co_return json(400, error_json("the body must be {\"sql\": \"...\"}"));
    }
    auto answer = co_await sql->run_json(body["sql"].GetString());
    if (!answer) co_return json(400, error_json(answer.error().message()));
    co_return json(200, std::move(*answer));
  }
};

Console::Console(Executor executor, Clock& clock, Metrics& metrics, std::unique_ptr<net::Listener> listener,
                 StatusSource& status, SqlPort* sql)
    : impl_(new Impl{metrics, status, sql, nullptr}) {
  impl_->server = std::make_unique<net::HttpServer>(
      executor, clock, std::move(listener),
      [impl = impl_.get()](net::HttpRequest request) { return impl->handle(std::move(request)); });
}
Console::~Console() = default;
void Console::start() { impl_->server->start(); }
Task<void> Console::stop() { return impl_->server->stop(); }
const net::Address& Console::bound() const { return impl_->server->bound(); }

}  // namespace millrace::console
