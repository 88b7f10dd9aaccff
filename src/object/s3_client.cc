#include "object/s3_client.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/codec.h"
#include "base/crc32c.h"
#include "object/digest.h"
#include "object/s3_sign.h"

namespace millrace::object {
namespace {

constexpr std::size_t kInlineHashBytes = 256 << 10;
constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kListMethod = "LIST";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";

std::string chain_sha256(const SliceChain& body) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  for (const auto& piece : body.pieces()) CHECK(EVP_DigestUpdate(context, piece.data(), piece.size()) == 1);
  Digest digest;
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(context, digest.data(), &size) == 1 && size == digest.size());
  EVP_MD_CTX_free(context);
  return to_hex(view_of(digest));
}

std::string chain_crc32c(const SliceChain& body) {
  std::uint32_t crc = 0;
  for (const auto& piece : body.pieces()) crc = crc32c(piece.view(), crc);
  char bytes[4];
  store_be(bytes, crc);
  return base64({bytes, sizeof bytes});
}

net::HttpClientOptions http_options(const S3Location& location, std::shared_ptr<net::TlsContext> tls) {
  net::HttpClientOptions options;
  options.address = {location.connect_host, location.port};
  options.host = location.host;
  options.tls = std::move(tls);
  options.connections_max = location.connections_max;
  options.reply_timeout = location.timeout;
  options.connect_timeout = std::min<Duration>(options.connect_timeout, location.timeout);
  return options;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

Result<std::shared_ptr<S3Client>> S3Client::make(S3Location location, std::string profile, Executor executor,
                                                 Clock& clock, BlockingPool& files, Environment environment,
                                                 Metrics& metrics) {
  std::shared_ptr<net::TlsContext> tls;
  if (location.tls) {
    TRY(tls, net::make_tls_context(location.ca_file));
  }
  auto http = http_options(location, std::move(tls));
  return std::shared_ptr<S3Client>(new S3Client(std::move(location), std::move(profile), std::move(executor), clock,
                                                files, std::move(environment), std::move(http), metrics));
}

S3Client::S3Client(S3Location location, std::string profile, Executor executor, Clock& clock, BlockingPool& files,
                   Environment environment, net::HttpClientOptions http, Metrics& metrics)
    : location_(std::move(location)),
      executor_(std::move(executor)),
      clock_(clock),
      files_(files),
      provider_(executor_, clock, files, std::move(environment), {std::move(profile), location_.region}),
      http_(executor_, clock, std::move(http)) {
  for (const char* method : {"PUT", "POST", "GET", "HEAD", "DELETE", kListMethod}) {
    requests_[method] = &metrics.counter("millrace_object_s3_requests_total", "Requests sent to S3, attempts included",
                                         {{"method", method}});
  }
}

void S3Client::count(const S3Request& request) {
  std::string charged = request.method;
  if (request.key.empty()) charged = request.method == "POST" ? "DELETE" : kListMethod;
  requests_.at(charged)->Increment();
}

std::string S3Client::endpoint() const {
  return fmt::format("{}://{}", location_.tls ? "https" : "http", http_.host_header());
}

Task<Result<std::string>> S3Client::payload_hash(SliceChain body, bool sign_body) {
  if (body.empty()) co_return std::string(kEmptySha256);
  if (!sign_body && !location_.sign_payload) co_return std::string(kUnsigned);
  if (body.size() <= kInlineHashBytes) co_return chain_sha256(body);
  co_return co_await files_.run([&body] { return chain_sha256(body); });
}

net::HttpCall S3Client::sign(S3Request request, const S3Credentials& credentials, std::string payload_hash) {
  const std::string date = amz_date(clock_.wall_ms());
  SignedRequest to_sign;
  to_sign.method = request.method;
  to_sign.path = request.key.empty() ? location_.bucket_target() : location_.target_of(request.key);
  to_sign.query = std::move(request.query);
  to_sign.headers = std::move(request.headers);
  to_sign.headers.emplace_back("Host", http_.host_header());
  to_sign.headers.emplace_back("x-amz-content-sha256", payload_hash);
  to_sign.headers.emplace_back("x-amz-date", date);
  if (!credentials.session_token.empty())
    to_sign.headers.emplace_back("x-amz-security-token", credentials.session_token);
  if (payload_hash == kUnsigned && request.method == "PUT")
    to_sign.headers.emplace_back("x-amz-checksum-crc32c", chain_crc32c(request.body));
  to_sign.payload_hash = std::move(payload_hash);
  const SigningKey key{credentials.access_key, credentials.secret_key, location_.region};

  net::HttpCall call;
  call.method = request.method;
  call.target = to_sign.path;
  if (!to_sign.query.empty()) call.target += "?" + canonical_query(to_sign);
  call.headers.push_back({"Authorization", authorization(to_sign, key, date)});
  for (auto& [name, value] : to_sign.headers) {
    if (name != "Host") call.headers.push_back({std::move(name), std::move(value)});
  }
  call.body = std::move(request.body);
  call.reply_bytes_max = request.reply_bytes_max;
  return call;
}

Task<Result<net::HttpReply>> S3Client::send(std::shared_ptr<S3Client> self, S3Request request) {
  const S3Effect effect = request.effect;
  CO_TRY(const S3Credentials credentials, co_await self->provider_.get());
  CO_TRY(std::string hash, co_await self->payload_hash(request.body, request.sign_body));
  self->used_ = credentials;
  self->count(request);
  net::HttpCall call = self->sign(std::move(request), credentials, std::move(hash));
  auto reply = co_await self->http_.send(std::move(call));
  if (!reply && reply.error().code() == Code::kCorrupt && effect == S3Effect::kWrites)
    co_return fail(Code::kTimeout, reply.error().message());
  co_return reply;
}

Error S3Client::failure(const S3Request& request, const net::HttpReply& reply) {
  S3Answer answer;
  answer.status = reply.status;
  answer.error = parse_s3_error(reply.body.view());
  answer.bucket_region = reply.header("x-amz-bucket-region");
  answer.date = reply.header("Date");
  if (names_stale_credentials(answer.error.code)) provider_.reject(used_.access_key, used_.session_token);
  const std::string name = request.key.empty() ? "the bucket " + location_.bucket : location_.prefix + request.key;
  const S3Context context{request.method + " " + name, location_.bucket, endpoint(), location_.region,
                          provider_.renewable()};
  return s3_failure(answer, context);
}

}  // namespace millrace::object
