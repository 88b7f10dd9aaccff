// TLS for clients, over any Stream: OpenSSL with memory buffers, so that sockets stay in tcp.cc. The peer's certificate
// is verified against the system's authorities or those of one file, and against the host name (or address) asked for.
//
// Fails: kInvalid for a CA file that cannot be used; kDenied when the certificate is not accepted, with the reason and
// what to do; otherwise as the stream below. One thread; one call at a time (a reader and a writer must take turns).
#pragma once

#include <memory>
#include <string>

#include "net/tcp.h"

namespace millrace::net {

class TlsContext;

// `ca_file`: PEM; empty for the system's authorities.
Result<std::shared_ptr<TlsContext>> make_tls_context(const std::string& ca_file);

// The client's handshake on `stream`; bounded by whoever closes the stream.
Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> stream,
                                                  std::string host);
// The server's, for tests: certificate and key as PEM.
Task<Result<std::unique_ptr<Stream>>> tls_accept(std::string certificate_pem, std::string key_pem,
                                                 std::unique_ptr<Stream> stream);

}  // namespace millrace::net
