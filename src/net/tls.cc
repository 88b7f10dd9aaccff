#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace millrace::net {

class TlsContext {
 public:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  ~TlsContext() { SSL_CTX_free(context_); }
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  SSL_CTX* context_;
};

namespace {

constexpr std::size_t kTlsStepBytes = 256 << 10;

std::string last_tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "error " + std::to_string(code);
}

class TlsStream final : public Stream {
 public:
  TlsStream(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> below)
      : context_(std::move(context)), below_(std::move(below)), ssl_(SSL_new(context_->get())) {
    CHECK(ssl_ != nullptr);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    CHECK(in_ && out_);
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_, in_, out_);  // owns both
  }
  ~TlsStream() override {
    below_->close();
    SSL_free(ssl_);
  }

  SSL* ssl() { return ssl_; }

  Task<Result<void>> handshake() {
    while (true) {
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl_);
      const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, done);
      const std::string reason = why == SSL_ERROR_SSL ? last_tls_error() : "";
      auto flushed = co_await flush();  // an alert too
      if (why == SSL_ERROR_SSL) co_return fail(refused(reason));
      CO_TRY_VOID(std::move(flushed));
      if (done == 1) co_return Result<void>();
      if (why != SSL_ERROR_WANT_READ)
        co_return fail(Code::kUnavailable, "TLS handshake with " + peer().to_string() + " failed");
      CO_TRY(const bool more, co_await fill());
      if (!more) co_return fail(Code::kUnavailable, "TLS handshake with " + peer().to_string() + ": the peer closed");
    }
  }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    while (true) {
      ERR_clear_error();
      std::size_t n = 0;
      const int ok = SSL_read_ex(ssl_, into.data(), into.size(), &n);
      const int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, ok);
      const std::string reason = why == SSL_ERROR_SSL ? last_tls_error() : "";
      if (BIO_pending(out_) > 0) CO_TRY_VOID(co_await flush());
      if (ok == 1) co_return n;
      if (why == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
      if (why != SSL_ERROR_WANT_READ)
        co_return fail(Code::kUnavailable, "TLS from " + peer().to_string() + ": " + reason);
      CO_TRY(const bool more, co_await fill());
      if (!more) co_return std::size_t{0};  // callers know by lengths whether all was said
    }
  }

  Task<Result<void>> write(const SliceChain& bytes) override {
    const std::vector<Slice> pieces = bytes.pieces();
    for (const auto& piece : pieces) {
      for (std::size_t at = 0; at < piece.size();) {
        std::size_t n = 0;
        ERR_clear_error();
        if (SSL_write_ex(ssl_, piece.data() + at, std::min(kTlsStepBytes, piece.size() - at), &n) != 1)
          co_return fail(Code::kUnavailable, "TLS to " + peer().to_string() + ": " + last_tls_error());
        at += n;
        if (BIO_pending(out_) >= static_cast<int>(kTlsStepBytes)) CO_TRY_VOID(co_await flush());
      }
    }
    co_return co_await flush();
  }

  void close() override { below_->close(); }
  const Address& peer() const override { return below_->peer(); }
  bool stale() override { return BIO_pending(in_) > 0 || SSL_pending(ssl_) > 0 || below_->stale(); }

 private:
  Error refused(const std::string& reason) const {
    const long verified = SSL_get_verify_result(ssl_);
    if (verified == X509_V_OK)
      return Error(Code::kUnavailable,
                   "TLS handshake with " + peer().to_string() + ": " + reason + " (is the port one that speaks TLS?)");
    return Error(Code::kDenied, "TLS: the certificate of " + peer().to_string() +
                                    " is not accepted: " + X509_verify_cert_error_string(verified) +
                                    "; check the host name, or name its authority with ca_file=FILE");
  }

  Task<Result<void>> flush() {
    const auto size = static_cast<std::size_t>(BIO_pending(out_));
    if (size == 0) co_return Result<void>();
    Slice bytes = Slice::uninitialized(size);
    CHECK(BIO_read(out_, bytes.mutable_data(), static_cast<int>(size)) == static_cast<int>(size));
    SliceChain chain;
    chain.append(std::move(bytes));
    co_return co_await below_->write(chain);
  }
  // False at the end of the stream.
  Task<Result<bool>> fill() {
    if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kTlsStepBytes);
    const std::span<char> into(buffer_.get(), kTlsStepBytes);
    CO_TRY(const std::size_t n, co_await below_->read_some(into));
    if (n == 0) co_return false;
    CHECK(BIO_write(in_, buffer_.get(), static_cast<int>(n)) == static_cast<int>(n));
    co_return true;
  }

  std::shared_ptr<TlsContext> context_;
  std::unique_ptr<Stream> below_;
  SSL* ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::unique_ptr<char[]> buffer_;
};

bool is_ip_address(const std::string& host) {
  ASN1_OCTET_STRING* ip = a2i_IPADDRESS(host.c_str());
  const bool is = ip != nullptr;
  ASN1_OCTET_STRING_free(ip);
  return is;
}

Result<void> use_pem(SSL_CTX* context, const std::string& certificate_pem, const std::string& key_pem) {
  BIO* certificate_bio = BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
  BIO* key_bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  X509* certificate = PEM_read_bio_X509(certificate_bio, nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
  const bool good = certificate && key && SSL_CTX_use_certificate(context, certificate) == 1 &&
                    SSL_CTX_use_PrivateKey(context, key) == 1;
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(certificate_bio);
  BIO_free(key_bio);
  if (!good) return fail(Code::kInvalid, "certificate or key: " + last_tls_error());
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> make_tls_context(const std::string& ca_file) {
  auto context = std::make_shared<TlsContext>(SSL_CTX_new(TLS_client_method()));
  CHECK(context->get() != nullptr);
  SSL_CTX_set_min_proto_version(context->get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER, nullptr);
  ERR_clear_error();
  if (ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context->get());
  } else if (SSL_CTX_load_verify_locations(context->get(), ca_file.c_str(), nullptr) != 1) {
    return fail(Code::kInvalid, "ca_file '" + ca_file + "' holds no usable PEM certificate: " + last_tls_error());
  }
  return context;
}

Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> stream,
                                                  std::string host) {
  auto tls = std::make_unique<TlsStream>(std::move(context), std::move(stream));
  if (is_ip_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(tls->ssl(), host.c_str());
    SSL_set1_host(tls->ssl(), host.c_str());
  }
  SSL_set_connect_state(tls->ssl());
  CO_TRY_VOID(co_await tls->handshake());
  co_return std::unique_ptr<Stream>(std::move(tls));
}

Task<Result<std::unique_ptr<Stream>>> tls_accept(std::string certificate_pem, std::string key_pem,
                                                 std::unique_ptr<Stream> stream) {
  auto context = std::make_shared<TlsContext>(SSL_CTX_new(TLS_server_method()));
  CHECK(context->get() != nullptr);
  CO_TRY_VOID(use_pem(context->get(), certificate_pem, key_pem));
  auto tls = std::make_unique<TlsStream>(std::move(context), std::move(stream));
  SSL_set_accept_state(tls->ssl());
  CO_TRY_VOID(co_await tls->handshake());
  co_return std::unique_ptr<Stream>(std::move(tls));
}

}  // namespace millrace::net
