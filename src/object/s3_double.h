// For tests only: an S3 server of one bucket in memory, on a real socket of the test's own loop, that misbehaves when
// told to. It knows what Millrace sends (path style) and answers as S3 does; it checks access key and region, not the
// signature (versitygw does, in test/object). A fault is used once, by the next request of its method.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <set>

#include "base/event_loop.h"
#include "net/tcp.h"
#include "object/digest.h"
#include "object/s3_xml.h"

namespace millrace::object {

class S3Double {
 public:
  enum class Fault {
    kBusy,             // 503 SlowDown; nothing is done
    kBusyAfterApply,   // 503 although it was done
    kResetBefore,      // the connection ends, nothing is done
    kResetAfterApply,  // done, but the connection ends
    kSilent,           // done, but never answered
    kTornBody,         // half of the answer
    kConflict,         // 409 ConditionalRequestConflict; nothing is done
    kExistsFalsely,    // 412; nothing is done
    kAbsentFalsely,    // 404 NoSuchKey
    kPage404,          // 404 with a page of HTML: no S3 server
    kSkewed,           // 403 RequestTimeTooSkewed
    kExpired,          // 400 ExpiredToken
    kNoBucket,         // 404 NoSuchBucket
    kLateError,        // 200 with an <Error> as its body
    kOlderEtag,        // the ETag before the body's, as versitygw answers beside an overwrite
  };
  struct Stored {
    std::string body, etag, older_etag;
  };

  explicit S3Double(EventLoop& loop)
      : loop_(loop), listener_(std::move(*net::listen(loop.executor(), {"127.0.0.1", 0}))), scope_(loop.executor()) {
    scope_.spawn(accept_all());
  }
  std::string url(const std::string& prefix = "") const {
    return fmt::format("s3://bucket/{}?endpoint=http://{}&timeout_ms=2000", prefix, listener_->bound().to_string());
  }
  void stop() { loop_.run_until_done(end()); }
  void inject(std::string method, Fault fault) { faults_.emplace_back(std::move(method), fault); }
  bool faults_left() const { return !faults_.empty(); }

  std::map<std::string, Stored> objects;
  std::map<std::string, std::map<std::size_t, std::string>> uploads;
  std::set<std::string> locked;  // keys that a batch delete refuses
  std::size_t page_max = 1000;
  std::vector<std::string> seen;  // "PUT /bucket/key?query"

 private:
  struct Request {
    std::string method, target, path, body;
    std::map<std::string, std::string> query, headers;
    bool has(const std::string& name) const { return query.contains(name); }
  };
  struct Reply {
    int status = 200;
    std::string body;
    std::vector<std::string> headers;
  };

  Task<void> accept_all() {
    while (true) {
      auto stream = co_await listener_->accept();
      if (!stream) co_return;
      scope_.spawn(serve(std::move(*stream)));
    }
  }
  Task<void> end() {
    listener_->close();
    for (net::Stream* stream : streams_) stream->close();
    co_await scope_.stop();
  }

  Task<void> serve(std::unique_ptr<net::Stream> stream) {
    streams_.insert(stream.get());
    std::string buffer;
    while (true) {
      auto request = co_await read_request(*stream, buffer);
      if (!request) break;
      std::optional<Fault> fault;
      for (auto at = faults_.begin(); at != faults_.end(); ++at) {
        if (at->first != request->method) continue;
        fault = at->second;
        faults_.erase(at);
        break;
      }
      if (fault == Fault::kResetBefore) break;
      std::optional<Reply> refused = refusal(fault);
      Reply reply = refused ? std::move(*refused) : answer(*request, fault);
      if (fault == Fault::kResetAfterApply) break;
      if (fault == Fault::kBusyAfterApply) reply = error(503, "SlowDown");
      if (fault == Fault::kSilent) {
        char ignored[16];
        (void)co_await stream->read_some(ignored);
        break;
      }
      std::string text = encode(reply, request->method == "HEAD");
      if (fault == Fault::kTornBody) text.resize(text.size() - reply.body.size() / 2 - 1);
      SliceChain bytes;
      bytes.append(Slice::of(std::move(text)));
      if (!co_await stream->write(bytes) || fault == Fault::kTornBody) break;
    }
    streams_.erase(stream.get());
  }

  Task<std::optional<Request>> read_request(net::Stream& stream, std::string& buffer) {
    std::vector<char> chunk(1 << 16);
    const std::span<char> into(chunk);
    while (true) {
      const std::size_t head = buffer.find("\r\n\r\n");
      if (head != std::string::npos) {
        Request request = parse_head(buffer.substr(0, head));
        const auto length = request.headers.find("content-length");
        const std::size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
        if (buffer.size() >= head + 4 + size) {
          request.body = buffer.substr(head + 4, size);
          buffer.erase(0, head + 4 + size);
          seen.push_back(request.method + " " + request.target);
          co_return request;
        }
      }
      auto n = co_await stream.read_some(into);
      if (!n || *n == 0) co_return std::nullopt;
      buffer.append(chunk.data(), *n);
    }
  }

  static std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%') {
        out += static_cast<char>(std::stoul(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  }
  static Request parse_head(std::string_view head) {
    Request request;
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t space = line.find(' '), last = line.rfind(' ');
    request.method = line.substr(0, space);
    request.target = line.substr(space + 1, last - space - 1);
    const std::size_t question = request.target.find('?');
    request.path = decoded(std::string_view(request.target).substr(0, question));
    std::string_view query = question == std::string::npos ? "" : std::string_view(request.target).substr(question + 1);
    while (!query.empty()) {
      const std::string_view part = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(query.size(), part.size() + 1));
      const std::size_t equals = std::min(part.find('='), part.size() - 1);
      request.query[decoded(part.substr(0, equals))] = decoded(part.substr(equals + 1));
    }
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
      const std::string_view field = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      const std::size_t colon = field.find(':');
      std::string name(field.substr(0, colon));
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      request.headers[name] = field.substr(colon + 2);
    }
    return request;
  }
  static std::string encode(const Reply& reply, bool head_only) {
    std::string text = fmt::format("HTTP/1.1 {} Told\r\nDate: Sat, 21 Nov 2026 18:00:00 GMT\r\n", reply.status);
    for (const auto& header : reply.headers) text += header + "\r\n";
    if (reply.status != 304 && reply.status != 204) text += fmt::format("Content-Length: {}\r\n", reply.body.size());
    return text + "\r\n" + (head_only ? "" : reply.body);
  }
  static Reply error(int status, std::string_view code) {
    return {status,
            fmt::format("<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>told to</Message></Error>", code),
            {}};
  }

  static std::optional<Reply> refusal(std::optional<Fault> fault) {
    if (!fault) return std::nullopt;
    switch (*fault) {
      case Fault::kBusy: return error(503, "SlowDown");
      case Fault::kConflict: return error(409, "ConditionalRequestConflict");
      case Fault::kExistsFalsely: return error(412, "PreconditionFailed");
      case Fault::kAbsentFalsely: return error(404, "NoSuchKey");
      case Fault::kPage404: return Reply{404, "<html><body>Not here<br></body></html>", {}};
      case Fault::kSkewed: return error(403, "RequestTimeTooSkewed");
      case Fault::kExpired: return error(400, "ExpiredToken");
      case Fault::kNoBucket: return error(404, "NoSuchBucket");
      case Fault::kLateError: return Reply{200, "\n <Error><Code>InternalError</Code></Error>", {}};
      default: return std::nullopt;
    }
  }

  Reply answer(const Request& request, std::optional<Fault> fault) {
    const auto auth = request.headers.find("authorization");
    if (auth == request.headers.end()) return error(403, "AccessDenied");
    if (auth->second.find("Credential=testkey/") == std::string::npos) return error(403, "InvalidAccessKeyId");
    if (auth->second.find("/us-east-1/s3/") == std::string::npos) return error(400, "AuthorizationHeaderMalformed");
    if (request.path == "/bucket") return of_bucket(request);
    if (!request.path.starts_with("/bucket/")) return error(404, "NoSuchBucket");
    const std::string key = request.path.substr(8);
    if (request.method == "GET" || request.method == "HEAD") return get(request, key, fault);
    if (request.method == "PUT" && request.has("partNumber")) return part(request);
    if (request.method == "PUT") return put(request, key, request.body);
    if (request.method == "POST") return request.has("uploads") ? begin() : complete(request, key);
    if (request.has("uploadId")) uploads.erase(request.query.at("uploadId"));
    if (!request.has("uploadId")) objects.erase(key);
    return {204, "", {}};
  }

  Reply put(const Request& request, const std::string& key, const std::string& body) {
    const auto there = objects.find(key);
    if (request.headers.contains("if-none-match") && there != objects.end()) return error(412, "PreconditionFailed");
    if (const auto match = request.headers.find("if-match"); match != request.headers.end()) {
      if (there == objects.end()) return error(404, "NoSuchKey");
      if (there->second.etag != match->second) return error(412, "PreconditionFailed");
    }
    const std::string older = there == objects.end() ? "" : there->second.etag;
    const std::string etag = "\"" + content_etag(body) + "\"";
    objects[key] = {body, etag, older};
    return {200, "", {"ETag: " + etag}};
  }
  Reply get(const Request& request, const std::string& key, std::optional<Fault> fault) {
    const auto there = objects.find(key);
    if (there == objects.end()) return error(404, "NoSuchKey");
    const Stored& object = there->second;
    const std::string etag = "ETag: " + (fault == Fault::kOlderEtag ? object.older_etag : object.etag);
    const auto none_match = request.headers.find("if-none-match");
    if (none_match != request.headers.end() && none_match->second == object.etag) return {304, "", {etag}};
    const auto range = request.headers.find("range");
    if (range == request.headers.end()) return {200, object.body, {etag}};
    const std::size_t dash = range->second.find('-');
    const std::size_t first = std::stoul(range->second.substr(6, dash - 6));
    if (first >= object.body.size()) return error(416, "InvalidRange");
    const std::size_t last = std::min(std::stoul(range->second.substr(dash + 1)), object.body.size() - 1);
    return {206,
            object.body.substr(first, last - first + 1),
            {etag, fmt::format("Content-Range: bytes {}-{}/{}", first, last, object.body.size())}};
  }

  Reply begin() {
    const std::string id = fmt::format("upload/{}+", ++last_upload_);
    uploads[id];
    return {200,
            fmt::format("<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>", id),
            {}};
  }
  Reply part(const Request& request) {
    const auto upload = uploads.find(request.query.at("uploadId"));
    if (upload == uploads.end()) return error(404, "NoSuchUpload");
    upload->second[std::stoul(request.query.at("partNumber"))] = request.body;
    return {200, "", {"ETag: \"" + content_etag(request.body) + "\""}};
  }
  Reply complete(const Request& request, const std::string& key) {
    const auto upload = uploads.find(request.query.at("uploadId"));
    if (upload == uploads.end()) return error(404, "NoSuchUpload");
    std::string body;
    for (const auto& [number, bytes] : upload->second) body += bytes;
    const Reply reply = put(request, key, body);
    if (reply.status != 200) return reply;
    uploads.erase(upload);
    return {200,
            fmt::format("<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
                        objects[key].etag),
            {}};
  }

  Reply of_bucket(const Request& request) {
    if (request.method == "POST") return remove_batch(request);
    const auto value = [&request](const char* name) {
      const auto found = request.query.find(name);
      return found == request.query.end() ? std::string() : found->second;
    };
    const std::string prefix = value("prefix"), continuation = value("continuation-token");
    const std::string after = continuation.empty() ? value("start-after") : continuation;
    const std::size_t most = std::min(page_max, static_cast<std::size_t>(std::stoul(value("max-keys"))));
    std::string contents, last;
    std::size_t count = 0;
    bool truncated = false;
    for (const auto& [key, object] : objects) {
      if (!key.starts_with(prefix) || key <= after) continue;
      truncated = count == most;
      if (truncated) break;
      contents += fmt::format("<Contents><Key>{}</Key><Size>{}</Size></Contents>", key, object.body.size());
      last = key;
      ++count;
    }
    if (truncated) contents += "<NextContinuationToken>" + last + "</NextContinuationToken>";
    return {200,
            fmt::format("<ListBucketResult><IsTruncated>{}</IsTruncated>{}</ListBucketResult>", truncated, contents),
            {}};
  }
  Reply remove_batch(const Request& request) {
    if (!request.headers.contains("content-md5")) return error(400, "InvalidRequest");
    std::string errors;
    (void)read_xml(request.body, [&](std::string_view path, std::string_view text) {
      if (path != "Delete/Object/Key") return;
      const std::string key(text);
      if (locked.contains(key)) {
        errors += fmt::format("<Error><Key>{}</Key><Code>AccessDenied</Code></Error>", key);
      } else {
        objects.erase(key);
      }
    });
    return {200, "<DeleteResult>" + errors + "</DeleteResult>", {}};
  }

  EventLoop& loop_;
  std::unique_ptr<net::Listener> listener_;
  TaskScope scope_;
  std::set<net::Stream*> streams_;
  std::deque<std::pair<std::string, Fault>> faults_;
  int last_upload_ = 0;
};

// What the double takes, as an environment.
inline std::optional<std::string> double_environment(std::string_view name) {
  if (name == "AWS_ACCESS_KEY_ID") return "testkey";
  if (name == "AWS_SECRET_ACCESS_KEY") return "testsecret";
  return std::nullopt;
}

}  // namespace millrace::object
