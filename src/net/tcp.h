// TCP as a port: listeners, connections, and the addresses that they are bound to. Production is
// Asio (tcp.cc); tests use `make_pipe`. Everything belongs to the executor it was made with.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace millrace::net {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  std::string to_string() const;
  // "HOST:PORT", "[V6]:PORT", ":PORT" (loopback). Port 0 asks for a free one.
  static Result<Address> parse(std::string_view text);
};

// A connected byte stream. One reader and one writer at a time. `close` may be called at any time from
// the stream's thread and makes pending and later calls fail with kCancelled; the destructor closes.
class Stream {
 public:
  virtual ~Stream() = default;
  // At least one byte, or 0 at the peer's end of stream.
  virtual Task<Result<std::size_t>> read_some(std::span<char> into) = 0;
  // All of it, gathered without copying.
  virtual Task<Result<void>> write(const SliceChain& bytes) = 0;
  virtual void close() = 0;
  virtual const Address& peer() const = 0;
  // Of a connection on which nothing is expected: true when the peer ended it or sent something all the same, so that
  // it is of no more use. Never waits.
  virtual bool stale() { return false; }
};

// Fills `into` whole; kUnavailable "end of stream" when the peer closed before.
Task<Result<void>> read_exactly(Stream& stream, std::span<char> into);

class Listener {
 public:
  virtual ~Listener() = default;
  // kCancelled after close(). Passing trouble (too many files) is waited out inside.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual void close() = 0;
  virtual const Address& bound() const = 0;
};

// Fails at once with the address in the message when the port is in use or the host is not ours.
Result<std::unique_ptr<Listener>> listen(Executor executor, const Address& address);
// Numeric or resolvable host; tries each resolved address.
Task<Result<std::unique_ptr<Stream>>> connect(Executor executor, Address address);

// The same, but kUnavailable when `limit` passes first (a hanging resolver included).
Task<Result<std::unique_ptr<Stream>>> connect_within(Executor executor, Address address, Clock& clock, Duration limit);

// Two ends of an in-memory connection on one executor, for tests.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe();

}  // namespace millrace::net
