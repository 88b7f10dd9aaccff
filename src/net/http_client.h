// An HTTP/1.1 client for one server: a bounded pool of kept connections, plain or TLS, and one attempt per call.
//
// A body goes out gathered from its pieces, never flattened; an answer's body of known length is received into the one
// buffer that is handed out. Nothing is retried and no redirect is followed. What a failure means for the server:
//   kUnavailable   the request never left: no connection (refused, timeout, resolver, TLS, all connections busy)
//   kDenied        the server's certificate is not accepted; the request never left
//   kTimeout       the request left, wholly or in part, and no whole answer came: the outcome is unknown
//   kCorrupt       the answer is not HTTP, or larger than asked for: the outcome is unknown
// A kept connection that the peer has closed meanwhile is dropped before use; one that is closed while the request is
// on its way gives kTimeout.
//
// One thread: the executor's. Any number of calls at once; those beyond `connections_max` wait. The client may be
// destroyed while calls run: they end by themselves. The Clock must outlive them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace millrace::net {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpCall {
  std::string method;
  std::string target;               // path and query, encoded
  std::vector<HttpHeader> headers;  // without Host and Content-Length
  SliceChain body;
  std::size_t reply_bytes_max = 16 << 20;
};

struct HttpReply {
  int status = 0;
  std::vector<HttpHeader> headers;
  Slice body;
  // Empty when there is none; names in any case.
  std::string_view header(std::string_view name) const;
};

struct HttpClientOptions {
  Address address;                  // where to connect
  std::string host;                 // what the Host header and the certificate say; empty: address.host
  std::shared_ptr<TlsContext> tls;  // none: plain
  std::size_t connections_max = 64;
  Duration connect_timeout = 3s;  // with the TLS handshake
  // To the first byte of the answer, plus a second per MiB sent; and the longest silence after that.
  Duration reply_timeout = 15s;
  Duration keep_timeout = 8s;  // an idle connection is closed after this; servers close theirs after 5 s to minutes
};

class HttpClient {
 public:
  HttpClient(Executor executor, Clock& clock, HttpClientOptions options);
  ~HttpClient();
  Task<Result<HttpReply>> send(HttpCall call);
  // As it is sent, with the port where it is not the scheme's own; signatures cover it.
  const std::string& host_header() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace::net
