#include "net/http_client.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/event_loop.h"

namespace millrace::net {
namespace {

// A server that reads one request head and body per answer, and answers what it is told, byte for byte.
struct ScriptedServer {
  EventLoop& loop;
  std::unique_ptr<Listener> listener;
  std::vector<std::string> answers;  // "" closes at once; "HANG" says nothing
  std::string seen;
  int connections = 0;
  std::string certificate, key;  // TLS when set
  TaskScope scope;
  std::vector<Stream*> streams;

  explicit ScriptedServer(EventLoop& l)
      : loop(l), listener(std::move(*listen(l.executor(), {"127.0.0.1", 0}))), scope(l.executor()) {}

  static Task<void> accept_all(ScriptedServer* self) {
    while (true) {
      auto stream = co_await self->listener->accept();
      if (!stream) co_return;
      ++self->connections;
      self->scope.spawn(serve(self, std::move(*stream)));
    }
  }
  static Task<void> serve(ScriptedServer* self, std::unique_ptr<Stream> stream) {
    Stream* plain = stream.get();
    self->streams.push_back(plain);
    if (!self->certificate.empty()) {
      auto secured = co_await tls_accept(self->certificate, self->key, std::move(stream));
      if (secured) stream = std::move(*secured);
    }
    char buffer[65536];
    std::string request;
    while (stream && !self->answers.empty()) {
      std::size_t head = std::string::npos;
      while (true) {
        head = request.find("\r\n\r\n");
        const auto length_at = request.find("Content-Length: ");
        const std::size_t length = length_at < head ? std::stoul(request.substr(length_at + 16)) : 0;
        if (head != std::string::npos && request.size() >= head + 4 + length) {
          self->seen += request.substr(0, head + 4 + length);
          request.erase(0, head + 4 + length);
          break;
        }
        auto n = co_await stream->read_some(buffer);
        if (!n || *n == 0) break;
        request.append(buffer, *n);
      }
      if (head == std::string::npos) break;
      const std::string answer = self->answers.front();
      self->answers.erase(self->answers.begin());
      if (answer.empty()) break;
      if (answer == "HANG") {
        (void)co_await stream->read_some(buffer);
        break;
      }
      SliceChain bytes;
      bytes.append_copy(answer);
      if (!co_await stream->write(bytes)) break;
      if (answer.find("Connection: close") != std::string::npos || answer.find("TORN") != std::string::npos) break;
    }
    std::erase(self->streams, plain);
  }
  Task<void> stop() {
    listener->close();
    for (Stream* stream : streams) stream->close();
    co_await scope.stop();
  }
};

HttpCall call_of(std::string method, std::string target, std::string body = "") {
  HttpCall call{std::move(method), std::move(target), {{"X-Test", "1"}}, {}};
  if (!body.empty()) {
    call.body.append_copy(body.substr(0, 2));
    call.body.append_copy(body.substr(2));
  }
  return call;
}

struct Script {
  std::vector<std::string> answers;
  std::vector<HttpCall> calls;
  HttpClientOptions options;
  std::string certificate, key;
};
struct Outcome {
  std::vector<Result<HttpReply>> replies;
  std::string seen;
  int connections = 0;
};

Outcome play(Script script) {
  EventLoop loop;
  Outcome outcome;
  auto body = [](EventLoop& l, Script s, Outcome& out) -> Task<void> {
    ScriptedServer server(l);
    server.answers = s.answers;
    server.certificate = s.certificate;
    server.key = s.key;
    server.scope.spawn(ScriptedServer::accept_all(&server));
    s.options.address = server.listener->bound();
    HttpClient client(l.executor(), l.clock(), s.options);
    for (auto& call : s.calls) {
      auto reply = co_await client.send(call);
      out.replies.push_back(std::move(reply));
    }
    co_await server.stop();
    out.seen = server.seen;
    out.connections = server.connections;
  };
  loop.run_until_done(body(loop, std::move(script), outcome));
  return outcome;
}

TEST(HttpClient, sends_what_it_is_told_and_keeps_the_connection) {
  const auto out = play({{"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\nhello",
                          "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
                         {call_of("GET", "/a?b=c"), call_of("PUT", "/x", "body"), call_of("GET", "/y")},
                         {}});
  ASSERT_TRUE(out.replies[0]);
  EXPECT_EQ(out.replies[0]->status, 200);
  EXPECT_EQ(out.replies[0]->body.view(), "hello");
  EXPECT_EQ(out.replies[0]->header("etag"), "\"a\"");
  EXPECT_EQ(out.replies[1]->status, 204);
  EXPECT_EQ(out.replies[2]->status, 404);
  EXPECT_EQ(out.connections, 1);
  EXPECT_NE(out.seen.find("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:"), std::string::npos);
  EXPECT_NE(out.seen.find("Content-Length: 4\r\n\r\nbody"), std::string::npos);
}

TEST(HttpClient, reads_chunked_endless_and_interim_answers) {
  const auto out = play({{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
                          "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"},
                         {call_of("GET", "/"), call_of("GET", "/")},
                         {}});
  ASSERT_TRUE(out.replies[0]) << out.replies[0].error().to_string();
  EXPECT_EQ(out.replies[0]->body.view(), "abcde");
  ASSERT_TRUE(out.replies[1]) << out.replies[1].error().to_string();
  EXPECT_EQ(out.replies[1]->body.view(), "until the end");
}

TEST(HttpClient, an_answer_that_never_comes_whole_is_unknown) {
  HttpClientOptions options;
  options.reply_timeout = 50ms;
  const auto out = play({{"", "HANG", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nTORN"},
                         {call_of("PUT", "/", "body"), call_of("GET", "/"), call_of("GET", "/")},
                         options});
  for (const auto& reply : out.replies) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Code::kTimeout) << reply.error().to_string();
  }
  EXPECT_NE(out.replies[1].error().message().find("no answer in time"), std::string::npos);
}

TEST(HttpClient, garbage_and_floods_are_refused) {
  const auto out = play({{"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"},
                         {call_of("GET", "/"), call_of("GET", "/")},
                         {}});
  EXPECT_EQ(out.replies[0].error().code(), Code::kCorrupt);
  EXPECT_EQ(out.replies[1].error().code(), Code::kCorrupt);
}

TEST(HttpClient, a_kept_connection_that_the_server_closed_is_not_used) {
  const auto out =
      play({{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nTORN", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
            {call_of("GET", "/"), call_of("GET", "/")},
            {}});
  EXPECT_TRUE(out.replies[0]);
  EXPECT_TRUE(out.replies[1]);
  EXPECT_EQ(out.connections, 2);
}

TEST(HttpClient, a_refused_connection_means_that_nothing_was_sent) {
  EventLoop loop;
  auto body = [](EventLoop& l) -> Task<void> {
    HttpClientOptions options;
    {
      auto gone = listen(l.executor(), {"127.0.0.1", 0});
      options.address = (*gone)->bound();
    }
    HttpClient client(l.executor(), l.clock(), options);
    HttpCall call = call_of("GET", "/");
    auto reply = co_await client.send(call);
    EXPECT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Code::kUnavailable);
    EXPECT_NE(reply.error().message().find("onnect"), std::string::npos) << reply.error().message();
  };
  loop.run_until_done(body(loop));
}

// A certificate for 127.0.0.1 that signs itself: {certificate, key}, PEM.
std::pair<std::string, std::string> self_signed() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key, EVP_sha256());
  const auto text = [](BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  };
  BIO* certificate_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_bio, certificate);
  BIO* key_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::pair<std::string, std::string> pems{text(certificate_bio), text(key_bio)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pems;
}

TEST(HttpClient, speaks_tls_with_a_server_whose_authority_it_was_given) {
  const auto [certificate, key] = self_signed();
  std::string path = testing::TempDir() + "/millrace-ca-XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_EQ(::write(fd, certificate.data(), certificate.size()), static_cast<ssize_t>(certificate.size()));
  ::close(fd);
  HttpClientOptions trusting, strict;
  trusting.tls = *make_tls_context(path);
  strict.tls = *make_tls_context("");
  ::unlink(path.c_str());
  const std::string large(700'000, 'x');
  const std::vector<std::string> answers{"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + large,
                                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
  const auto good = play({answers, {call_of("PUT", "/", large), call_of("GET", "/")}, trusting, certificate, key});
  ASSERT_TRUE(good.replies[0]) << good.replies[0].error().to_string();
  EXPECT_EQ(good.replies[0]->body.view(), large);
  ASSERT_TRUE(good.replies[1]);
  EXPECT_EQ(good.connections, 1);
  const auto refused = play({answers, {call_of("GET", "/")}, strict, certificate, key});
  ASSERT_FALSE(refused.replies[0]);
  EXPECT_EQ(refused.replies[0].error().code(), Code::kDenied);
  EXPECT_NE(refused.replies[0].error().message().find("ca_file"), std::string::npos);
}

TEST(HttpClient, a_ca_file_that_is_none_is_named) {
  const auto context = make_tls_context("/does/not/exist.pem");
  ASSERT_FALSE(context);
  EXPECT_NE(context.error().message().find("/does/not/exist.pem"), std::string::npos);
}

}  // namespace
}  // namespace millrace::net
