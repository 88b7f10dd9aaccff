#include "net/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>

namespace millrace::net {
namespace {

namespace beast_http = boost::beast::http;
using ReplyParser = beast_http::response_parser<beast_http::string_body>;

constexpr std::uint32_t kReplyHeadBytesMax = 64 << 10;
constexpr std::size_t kReplyChunkBytes = 64 << 10;
constexpr Duration kEarlyReplyWait = 1s;

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return lower(x) == lower(y);
  });
}

// Closes the stream when its time is up. Calls that wait on the stream then fail.
class StreamTimer {
 public:
  StreamTimer(Clock& clock, Stream& stream) : clock_(clock), state_(std::make_shared<Watched>(Watched{&stream})) {}

  void arm(Duration limit) {
    disarm();
    id_ = clock_.call_at(clock_.now() + limit, [state = state_] {
      state->expired = true;
      state->stream->close();
    });
    armed_ = true;
  }
  // Before the stream ends.
  void disarm() {
    if (std::exchange(armed_, false)) clock_.cancel(id_);
  }
  bool expired() const { return state_->expired; }

 private:
  struct Watched {
    Stream* stream;
    bool expired = false;
  };
  Clock& clock_;
  std::shared_ptr<Watched> state_;
  Clock::TimerId id_ = 0;
  bool armed_ = false;
};

SliceChain encode_call(const HttpCall& call, const std::string& host) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", call.method, call.target, host);
  for (const auto& header : call.headers) head += fmt::format("{}: {}\r\n", header.name, header.value);
  if (!call.body.empty() || call.method == "PUT" || call.method == "POST")
    head += fmt::format("Content-Length: {}\r\n", call.body.size());
  head += "\r\n";
  SliceChain bytes;
  bytes.append(Slice::of(std::move(head)));
  bytes.append(call.body);
  return bytes;
}

struct Received {
  HttpReply reply;
  bool reusable = false;
};

// One answer, read from a stream under a timer that is armed anew for each piece.
class ReplyReader {
 public:
  ReplyReader(Stream& stream, StreamTimer& timer, Duration silence_max, std::size_t bytes_max, bool head_only)
      : stream_(stream), timer_(timer), silence_max_(silence_max), bytes_max_(bytes_max), head_only_(head_only) {}

  Task<Result<Received>> read() {
    do {
      parser_.emplace();
      parser_->header_limit(kReplyHeadBytesMax);
      parser_->body_limit(bytes_max_);
      parser_->eager(false);
      parser_->skip(head_only_);
      CO_TRY_VOID(co_await until([](const ReplyParser& p) { return p.is_header_done(); }));
    } while (parser_->get().result_int() / 100 == 1);  // "100 Continue" and its like
    Received received;
    const auto length = parser_->content_length();
    if (!parser_->is_done() && !parser_->chunked() && length) {
      CO_TRY(received.reply.body, co_await known_length(static_cast<std::size_t>(*length)));
    } else if (!parser_->is_done()) {
      parser_->eager(true);
      CO_TRY_VOID(co_await until([](const ReplyParser& p) { return p.is_done(); }));
      received.reply.body = Slice::of(std::move(parser_->get().body()));
    }
    received.reply.status = static_cast<int>(parser_->get().result_int());
    for (const auto& field : parser_->get()) {
      received.reply.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    received.reusable = parser_->get().keep_alive() && buffer_.empty() && !ended_;
    co_return received;
  }

 private:
  // Feeds the parser until `done`.
  Task<Result<void>> until(bool (*done)(const ReplyParser&)) {
    while (!done(*parser_)) {
      if (!buffer_.empty()) {
        boost::system::error_code error;
        const std::size_t used = parser_->put(boost::asio::buffer(buffer_), error);
        buffer_.erase(0, used);
        if (error && error != beast_http::error::need_more) co_return fail(Code::kCorrupt, odd(error));
        if (used > 0) continue;
      }
      CO_TRY(const std::size_t n, co_await more());
      if (n > 0) continue;
      boost::system::error_code error;
      if (parser_->got_some()) parser_->put_eof(error);
      if (!parser_->got_some() || error || !done(*parser_))
        co_return fail(Code::kUnavailable, "the server closed the connection before the end of its answer");
    }
    co_return Result<void>();
  }

  std::string odd(const boost::system::error_code& error) const {
    if (error == beast_http::error::body_limit)
      return fmt::format("the answer is larger than the {} bytes asked for", bytes_max_);
    return "the answer is not HTTP (" + error.message() + ")";
  }

  // 0 at the end of the stream.
  Task<Result<std::size_t>> more() {
    if (ended_) co_return std::size_t{0};
    if (!chunk_) chunk_ = std::make_unique_for_overwrite<char[]>(kReplyChunkBytes);
    const std::span<char> into(chunk_.get(), kReplyChunkBytes);
    timer_.arm(silence_max_);
    auto got = co_await stream_.read_some(into);
    timer_.disarm();
    CO_TRY(const std::size_t n, std::move(got));
    ended_ = n == 0;
    buffer_.append(chunk_.get(), n);
    co_return n;
  }

  Task<Result<Slice>> known_length(std::size_t length) {
    if (length > bytes_max_) co_return fail(Code::kCorrupt, odd(beast_http::error::body_limit));
    Slice body = Slice::uninitialized(length);
    std::size_t at = std::min(length, buffer_.size());
    std::memcpy(body.mutable_data(), buffer_.data(), at);
    buffer_.erase(0, at);
    while (at < length) {
      const std::span<char> into(body.mutable_data() + at, length - at);
      timer_.arm(silence_max_);
      auto got = co_await stream_.read_some(into);
      timer_.disarm();
      CO_TRY(const std::size_t n, std::move(got));
      if (n == 0)
        co_return fail(Code::kUnavailable,
                       fmt::format("the server closed the connection after {} of {} bytes", at, length));
      at += n;
    }
    co_return body;
  }

  Stream& stream_;
  StreamTimer& timer_;
  Duration silence_max_;
  std::size_t bytes_max_;
  bool head_only_;
  std::optional<ReplyParser> parser_;
  std::string buffer_;
  std::unique_ptr<char[]> chunk_;
  bool ended_ = false;
};

}  // namespace

std::string_view HttpReply::header(std::string_view name) const {
  for (const auto& header : headers) {
    if (same_name(header.name, name)) return header.value;
  }
  return {};
}

struct HttpClient::State {
  struct Kept {
    std::unique_ptr<Stream> stream;
    SteadyTime since;
  };

  State(Executor executor_in, Clock& clock_in, HttpClientOptions options_in)
      : executor(std::move(executor_in)), clock(clock_in), options(std::move(options_in)) {
    if (options.host.empty()) options.host = options.address.host;
    const bool usual = options.address.port == (options.tls ? 443 : 80);
    host_header = Address{options.host, options.address.port}.to_string();
    if (usual) host_header.resize(host_header.rfind(':'));
  }

  Executor executor;
  Clock& clock;
  HttpClientOptions options;
  std::string host_header;
  std::vector<Kept> kept;  // the one used last is last
  std::size_t busy = 0;
  std::deque<std::shared_ptr<Event>> waiting;  // each is owed a place when set

  // A place among connections_max; given back by leave().
  static Task<bool> enter(std::shared_ptr<State> self) {
    if (self->busy < self->options.connections_max) {
      ++self->busy;
      co_return true;
    }
    auto turn = std::make_shared<Event>();
    self->waiting.push_back(turn);
    const SteadyTime deadline = self->clock.now() + self->options.reply_timeout;
    if (co_await turn->wait_until(self->clock, deadline)) co_return true;
    std::erase(self->waiting, turn);
    co_return false;
  }
  void leave() {
    if (waiting.empty()) {
      --busy;
      return;
    }
    auto next = std::move(waiting.front());
    waiting.pop_front();
    next->set();
  }

  std::unique_ptr<Stream> take_kept() {
    const SteadyTime oldest = clock.now() - options.keep_timeout;
    std::erase_if(kept, [oldest](const Kept& k) { return k.since < oldest; });
    while (!kept.empty()) {
      auto stream = std::move(kept.back().stream);
      kept.pop_back();
      if (!stream->stale()) return stream;
    }
    return nullptr;
  }

  static Task<Result<std::unique_ptr<Stream>>> open(std::shared_ptr<State> self) {
    const SteadyTime begin = self->clock.now();
    CO_TRY(auto stream,
           co_await connect_within(self->executor, self->options.address, self->clock, self->options.connect_timeout));
    if (!self->options.tls) co_return stream;
    Stream& plain = *stream;
    StreamTimer timer(self->clock, plain);
    timer.arm(std::max<Duration>(self->options.connect_timeout - (self->clock.now() - begin), 1ms));
    auto secured = co_await tls_connect(self->options.tls, std::move(stream), self->options.host);
    timer.disarm();
    if (!secured && timer.expired())
      co_return fail(Code::kUnavailable, "TLS handshake with " + self->options.host + ": no answer in time");
    co_return secured;
  }

  // With a place held.
  static Task<Result<HttpReply>> exchange(std::shared_ptr<State> self, HttpCall call) {
    auto stream = self->take_kept();
    if (!stream) {
      auto opened = co_await open(self);
      if (!opened) {
        const Code code = opened.error().code() == Code::kDenied ? Code::kDenied : Code::kUnavailable;
        co_return fail(code, opened.error().message());
      }
      stream = std::move(*opened);
    }
    const Duration silence_max = self->options.reply_timeout;
    StreamTimer timer(self->clock, *stream);
    const SliceChain bytes = encode_call(call, self->host_header);
    timer.arm(silence_max + std::chrono::seconds(bytes.size() >> 20));
    auto written = co_await stream->write(bytes);
    timer.disarm();
    // A server that refuses may answer and close before it has read everything.
    ReplyReader reader(*stream, timer, written ? silence_max : kEarlyReplyWait, call.reply_bytes_max,
                       call.method == "HEAD");
    auto received = co_await reader.read();
    if (received && (written || received->reply.status >= 300)) {
      if (received->reusable && written) self->kept.push_back({std::move(stream), self->clock.now()});
      co_return std::move(received->reply);
    }
    if (received) co_return fail(Code::kTimeout, written.error().message());
    const auto what = [&](std::string_view why) {
      return fmt::format("{} {} at {}: {}", call.method, call.target.substr(0, call.target.find('?')),
                         self->host_header, why);
    };
    if (timer.expired()) co_return fail(Code::kTimeout, what("no answer in time"));
    if (received.error().code() == Code::kCorrupt) co_return fail(Code::kCorrupt, what(received.error().message()));
    co_return fail(Code::kTimeout, what(written ? received.error().message() : written.error().message()));
  }

  static Task<Result<HttpReply>> send(std::shared_ptr<State> self, HttpCall call) {
    if (!co_await enter(self)) {
      co_return fail(Code::kUnavailable, fmt::format("all {} connections to {} are busy", self->options.connections_max,
                                                     self->host_header));
    }
    auto reply = co_await exchange(self, std::move(call));
    self->leave();
    co_return reply;
  }
};

HttpClient::HttpClient(Executor executor, Clock& clock, HttpClientOptions options)
    : state_(std::make_shared<State>(std::move(executor), clock, std::move(options))) {}
HttpClient::~HttpClient() = default;

Task<Result<HttpReply>> HttpClient::send(HttpCall call) { return State::send(state_, std::move(call)); }
const std::string& HttpClient::host_header() const { return state_->host_header; }

}  // namespace millrace::net
