#include "net/tcp.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <deque>

namespace millrace::net {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Error socket_error(std::string_view what, const boost::system::error_code& error) {
  const bool ours = error == asio::error::operation_aborted || error == asio::error::bad_descriptor;
  return Error(ours ? Code::kCancelled : Code::kUnavailable, std::string(what) + ": " + error.message());
}

Address address_of(const tcp::endpoint& endpoint) { return {endpoint.address().to_string(), endpoint.port()}; }

class TcpStream final : public Stream {
 public:
  explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    const auto endpoint = socket_.remote_endpoint(ignored);
    if (!ignored) peer_ = address_of(endpoint);
  }
  ~TcpStream() override { close(); }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    auto [error, n] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), kAwait);
    if (error == asio::error::eof) co_return std::size_t{0};
    if (error) co_return fail(socket_error("reading from " + peer_.to_string(), error));
    co_return n;
  }

  Task<Result<void>> write(const SliceChain& bytes) override {
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(bytes.pieces().size());
    for (const auto& piece : bytes.pieces()) buffers.emplace_back(piece.data(), piece.size());
    auto [error, n] = co_await asio::async_write(socket_, buffers, kAwait);
    if (error) co_return fail(socket_error("writing to " + peer_.to_string(), error));
    co_return Result<void>();
  }

  void close() override {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }
  const Address& peer() const override { return peer_; }
  bool stale() override {
    if (!socket_.is_open()) return true;
    char byte = 0;
    const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  tcp::socket socket_;
  Address peer_;
};

class TcpListener final : public Listener {
 public:
  TcpListener(Executor executor, tcp::acceptor acceptor)
      : acceptor_(std::move(acceptor)), retry_(executor), bound_(address_of(acceptor_.local_endpoint())) {}

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (!error) co_return std::make_unique<TcpStream>(std::move(socket));
      if (!acceptor_.is_open()) co_return fail(Code::kCancelled, "the listener was closed");
      // Out of descriptors or memory: connections that end will make room.
      retry_.expires_after(std::chrono::milliseconds(50));
      co_await retry_.async_wait(kAwait);
    }
  }
  void close() override {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }
  const Address& bound() const override { return bound_; }

 private:
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  Address bound_;
};

// One direction of a pipe.
struct PipeBuffer {
  std::string bytes;
  bool closed = false;
  Event changed;
};

class PipeStream final : public Stream {
 public:
  PipeStream(std::shared_ptr<PipeBuffer> in, std::shared_ptr<PipeBuffer> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeStream() override { close(); }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    auto in = in_;
    while (in->bytes.empty() && !in->closed) co_await in->changed.wait();
    const std::size_t n = std::min(into.size(), in->bytes.size());
    std::memcpy(into.data(), in->bytes.data(), n);
    in->bytes.erase(0, n);
    co_return n;
  }
  Task<Result<void>> write(const SliceChain& bytes) override {
    if (out_->closed) co_return fail(Code::kUnavailable, "writing to a closed pipe");
    for (const auto& piece : bytes.pieces()) out_->bytes.append(piece.view());
    out_->changed.pulse();
    co_return Result<void>();
  }
  void close() override {
    for (auto& side : {in_, out_}) {
      side->closed = true;
      side->changed.pulse();
    }
  }
  const Address& peer() const override { return peer_; }

 private:
  std::shared_ptr<PipeBuffer> in_, out_;
  Address peer_{"pipe", 0};
};

}  // namespace

std::string Address::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto bad = [&] { return fail(Code::kInvalid, "'" + std::string(text) + "' is not HOST:PORT"); };
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon), digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return bad();
  return Address{host.empty() ? "127.0.0.1" : std::string(host), port};
}

Task<Result<void>> read_exactly(Stream& stream, std::span<char> into) {
  while (!into.empty()) {
    CO_TRY(const std::size_t n, co_await stream.read_some(into));
    if (n == 0) co_return fail(Code::kUnavailable, "end of stream");
    into = into.subspan(n);
  }
  co_return Result<void>();
}

Result<std::unique_ptr<Listener>> listen(Executor executor, const Address& address) {
  boost::system::error_code error;
  const auto failed = [&](std::string_view what) {
    const auto code = error == asio::error::address_in_use ? Code::kExists : Code::kInvalid;
    return fail(code, std::string(what) + " " + address.to_string() + ": " + error.message());
  };
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  const auto ip = asio::ip::make_address(host, error);
  if (error) return failed("not a numeric listen address:");
  const tcp::endpoint endpoint(ip, address.port);
  tcp::acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed("cannot open");
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed("cannot listen on");
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("cannot listen on");
  return std::make_unique<TcpListener>(executor, std::move(acceptor));
}

Task<Result<std::unique_ptr<Stream>>> connect(Executor executor, Address address) {
  tcp::resolver resolver(executor);
  auto [resolve_error, found] = co_await resolver.async_resolve(address.host, std::to_string(address.port), kAwait);
  if (resolve_error) co_return fail(socket_error("resolving " + address.to_string(), resolve_error));
  tcp::socket socket(executor);
  auto [error, endpoint] = co_await asio::async_connect(socket, found, kAwait);
  if (error) co_return fail(socket_error("connecting to " + address.to_string(), error));
  co_return std::make_unique<TcpStream>(std::move(socket));
}

namespace {

// Outlives a caller that gave up: the connection that comes too late is closed with it.
struct PendingConnect {
  Event done;
  Result<std::unique_ptr<Stream>> answer = fail(Code::kUnavailable, "not connected");
};

Task<void> connect_into(Executor executor, Address address, std::shared_ptr<PendingConnect> pending) {
  auto answer = co_await connect(std::move(executor), std::move(address));
  pending->answer = std::move(answer);
  pending->done.set();
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> connect_within(Executor executor, Address address, Clock& clock, Duration limit) {
  auto pending = std::make_shared<PendingConnect>();
  spawn_on(executor, connect_into(executor, address, pending));
  const SteadyTime deadline = clock.now() + limit;
  if (!co_await pending->done.wait_until(clock, deadline)) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    co_return fail(Code::kUnavailable,
                   "connecting to " + address.to_string() + ": no answer within " + std::to_string(ms) + " ms");
  }
  co_return std::move(pending->answer);
}

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe() {
  auto a = std::make_shared<PipeBuffer>(), b = std::make_shared<PipeBuffer>();
  return {std::make_unique<PipeStream>(a, b), std::make_unique<PipeStream>(b, a)};
}

}  // namespace millrace::net
