#include <fmt/format.h>

#include <deque>

#include "base/codec.h"
#include "client/client.h"
#include "kafka/codec.h"
#include "net/tcp.h"

namespace millrace::client {
namespace {

// Far above what a Fetch asks for; a broker that says more has lost its place.
constexpr std::int32_t kReplyBytesMax = 256 << 20;

struct Waiting {
  Event done;
  std::optional<Result<Slice>> reply;
};

// Shared by the channel, its reader and its writer.
struct TcpState {
  std::unique_ptr<net::Stream> stream;
  std::deque<std::shared_ptr<Waiting>> waiting;
  SliceChain outgoing;
  Event work;
  std::optional<Error> ended;

  void end(Error why) {
    if (ended) return;
    ended = std::move(why);
    stream->close();
    work.pulse();
    for (auto& each : std::exchange(waiting, {})) {
      each->reply = fail(*ended);
      each->done.set();
    }
  }
};

Error lost(const TcpState& state, const Error& why) {
  return {Code::kUnavailable,
          fmt::format("the connection to {} was lost: {}", state.stream->peer().to_string(), why.message())};
}

Task<void> write_all(std::shared_ptr<TcpState> state) {
  while (!state->ended) {
    if (state->outgoing.empty()) {
      co_await state->work.wait();
      continue;
    }
    const SliceChain piece = std::exchange(state->outgoing, {});
    const auto written = co_await state->stream->write(piece);
    if (!written) state->end(lost(*state, written.error()));
  }
}

Task<Result<Slice>> read_reply(std::shared_ptr<TcpState> state) {
  char length[4];
  CO_TRY_VOID(co_await net::read_exactly(*state->stream, length));
  const auto size = load_be<std::int32_t>(length);
  if (size < 4 || size > kReplyBytesMax) co_return fail(Code::kCorrupt, fmt::format("a reply of {} bytes", size));
  Slice frame = Slice::uninitialized(static_cast<std::size_t>(size));
  CO_TRY_VOID(co_await net::read_exactly(*state->stream, {frame.mutable_data(), frame.size()}));
  co_return frame;
}

Task<void> read_all(std::shared_ptr<TcpState> state) {
  while (!state->ended) {
    auto reply = co_await read_reply(state);
    if (!reply || state->waiting.empty()) {
      state->end(lost(*state, reply ? Error(Code::kCorrupt, "a reply that nobody asked for") : reply.error()));
      co_return;
    }
    const auto first = state->waiting.front();
    state->waiting.pop_front();
    first->reply = std::move(reply);
    first->done.set();
  }
}

Task<Result<Slice>> call_on(std::shared_ptr<TcpState> state, SliceChain frame) {
  if (state->ended) co_return fail(*state->ended);
  const auto waiting = std::make_shared<Waiting>();
  state->waiting.push_back(waiting);
  state->outgoing.append(kafka::with_length(std::move(frame)));
  state->work.pulse();
  co_await waiting->done.wait();
  co_return std::move(*waiting->reply);
}

class TcpChannel : public Channel {
 public:
  TcpChannel(Executor executor, std::unique_ptr<net::Stream> stream) : state_(std::make_shared<TcpState>()) {
    state_->stream = std::move(stream);
    spawn_on(executor, write_all(state_));
    spawn_on(executor, read_all(state_));
  }
  ~TcpChannel() override { TcpChannel::close(); }
  Task<Result<Slice>> call(SliceChain frame) override { return call_on(state_, std::move(frame)); }
  void close() override { state_->end({Code::kCancelled, "the connection was closed"}); }

 private:
  std::shared_ptr<TcpState> state_;
};

class TcpConnector : public Connector {
 public:
  explicit TcpConnector(Executor executor) : executor_(std::move(executor)) {}
  Task<Result<std::unique_ptr<Channel>>> connect(std::string host, std::uint16_t port) override {
    return connect_to(executor_, {std::move(host), port});
  }

 private:
  static Task<Result<std::unique_ptr<Channel>>> connect_to(Executor executor, net::Address address) {
    auto stream = co_await net::connect(executor, address);
    if (!stream) co_return fail(Code::kUnavailable, stream.error().message());
    co_return std::make_unique<TcpChannel>(executor, std::move(*stream));
  }
  Executor executor_;
};

}  // namespace

std::unique_ptr<Connector> make_tcp_connector(Executor executor) {
  return std::make_unique<TcpConnector>(std::move(executor));
}

}  // namespace millrace::client
