#include "object/s3_store.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

#include "object/key.h"
#include "object/s3_upload.h"

namespace millrace::object {
namespace {

constexpr std::size_t kS3ObjectBytesMax = std::size_t{8} << 30;
constexpr std::size_t kS3ErrorBytesMax = 64 << 10;
constexpr std::size_t kS3BatchKeys = 1000;  // of DeleteObjects and of a page of ListObjectsV2

using S3Headers = std::vector<std::pair<std::string, std::string>>;

std::string content_md5(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) == 1);
  return base64({reinterpret_cast<const char*>(digest), size});
}

S3Request get_request(std::string key, S3Headers headers) {
  S3Request request;
  request.method = "GET";
  request.key = std::move(key);
  request.headers = std::move(headers);
  request.reply_bytes_max = kS3ObjectBytesMax;
  return request;
}

Result<Object> object_of(const std::string& key, const net::HttpReply& reply) {
  Object object{reply.body, std::string(reply.header("ETag"))};
  if (object.etag.empty()) return fail(Code::kCorrupt, fmt::format("GET {} was answered without an ETag", key));
  return object;
}

Task<Result<std::string>> put_object(std::shared_ptr<S3Client> client, std::string key, SliceChain body,
                                     S3Headers condition) {
  S3Request request;
  request.method = "PUT";
  request.key = std::move(key);
  request.headers = std::move(condition);
  request.body = std::move(body);
  request.effect = S3Effect::kWrites;
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  std::string etag(reply.header("ETag"));
  // It may well be there.
  if (etag.empty()) co_return fail(Code::kTimeout, fmt::format("PUT {} was answered without an ETag", request.key));
  co_return etag;
}

Task<Result<std::string>> create(std::shared_ptr<S3Client> client, S3StoreOptions options, std::string key,
                                 SliceChain body) {
  CO_TRY_VOID(check_key(key));
  if (body.size() > options.multipart_bytes)
    co_return co_await upload_if_absent(std::move(client), options, std::move(key), std::move(body));
  S3Headers condition{{"If-None-Match", "*"}};
  co_return co_await put_object(std::move(client), std::move(key), std::move(body), std::move(condition));
}

Task<Result<std::string>> swap(std::shared_ptr<S3Client> client, std::string key, SliceChain body, std::string etag) {
  CO_TRY_VOID(check_key(key));
  S3Headers condition;
  condition.emplace_back("If-Match", std::move(etag));
  co_return co_await put_object(std::move(client), std::move(key), std::move(body), std::move(condition));
}

Task<Result<Object>> get_whole(std::shared_ptr<S3Client> client, std::string key) {
  CO_TRY_VOID(check_key(key));
  S3Request request = get_request(key, {});
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  co_return object_of(key, reply);
}

Task<Result<std::optional<Object>>> get_changed(std::shared_ptr<S3Client> client, std::string key, std::string etag) {
  CO_TRY_VOID(check_key(key));
  S3Headers condition;
  condition.emplace_back("If-None-Match", std::move(etag));
  S3Request request = get_request(key, std::move(condition));
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status == 304) co_return std::optional<Object>();
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  CO_TRY(Object object, object_of(key, reply));
  std::optional<Object> changed(std::move(object));
  co_return changed;
}

struct ContentRange {
  std::optional<std::uint64_t> first, last, total;
};

// "bytes 3-6/10", "bytes */10", "bytes 3-6/*"
ContentRange parse_content_range(std::string_view text) {
  ContentRange range;
  if (!text.starts_with("bytes ")) return range;
  text.remove_prefix(6);
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) range.total = number(text.substr(slash + 1));
  const std::string_view span = text.substr(0, slash);
  const std::size_t dash = span.find('-');
  if (dash == std::string_view::npos) return range;
  range.first = number(span.substr(0, dash));
  range.last = number(span.substr(dash + 1));
  return range;
}

Task<Result<std::uint64_t>> size_of(std::shared_ptr<S3Client> client, std::string key) {
  S3Request request = get_request(key, {});
  request.method = "HEAD";
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  // An answer to HEAD has no error document.
  if (reply.status == 404) co_return fail(Code::kNotFound, "no object '" + key + "'");
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  const std::string length = "bytes */" + std::string(reply.header("Content-Length"));
  const auto total = parse_content_range(length).total;
  if (!total) co_return fail(Code::kCorrupt, "HEAD " + key + " was answered without a length");
  co_return *total;
}

Result<Slice> beyond_the_end(const std::string& key, ByteRange range, std::uint64_t size) {
  if (range.offset <= size) return Slice();
  return fail(Code::kInvalid, fmt::format("range at {} begins after the {} bytes of '{}'", range.offset, size, key));
}

// The part asked for, of an answer with status 200 or 206.
Result<Slice> part_of(const std::string& key, ByteRange range, const net::HttpReply& reply) {
  if (reply.status == 200) {  // the store ignored the range
    if (range.offset >= reply.body.size()) return beyond_the_end(key, range, reply.body.size());
    return reply.body.sub(range.offset, std::min<std::uint64_t>(range.size, reply.body.size() - range.offset));
  }
  const ContentRange got = parse_content_range(reply.header("Content-Range"));
  if (got.first != range.offset || !got.last || *got.last - range.offset + 1 != reply.body.size())
    return fail(Code::kCorrupt,
                fmt::format("bytes {}+{} of {} were answered with {} bytes and Content-Range '{}'", range.offset,
                            range.size, key, reply.body.size(), reply.header("Content-Range")));
  return reply.body.sub(0, std::min<std::uint64_t>(range.size, reply.body.size()));
}

Task<Result<Slice>> get_part(std::shared_ptr<S3Client> client, std::string key, ByteRange range) {
  CO_TRY_VOID(check_key(key));
  const std::uint64_t last = range.offset + std::max<std::uint64_t>(range.size, 1) - 1;
  S3Headers headers;
  headers.emplace_back("Range", fmt::format("bytes={}-{}", range.offset, last));
  S3Request request = get_request(key, std::move(headers));
  request.reply_bytes_max = range.size + kS3ErrorBytesMax;
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status == 200 || reply.status == 206) co_return part_of(key, range, reply);
  if (reply.status != 416) co_return fail(client->failure(request, reply));
  auto size = parse_content_range(reply.header("Content-Range")).total;
  if (!size) size = parse_s3_error(reply.body.view()).object_size;
  if (!size) {
    CO_TRY(size, co_await size_of(client, key));
  }
  co_return beyond_the_end(key, range, *size);
}

Task<Result<void>> remove_one(std::shared_ptr<S3Client> client, std::string key) {
  S3Request request;
  request.method = "DELETE";
  request.key = std::move(key);
  request.effect = S3Effect::kWrites;
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status / 100 == 2) co_return Result<void>();
  Error error = client->failure(request, reply);
  if (error.code() == Code::kNotFound) co_return Result<void>();
  co_return fail(std::move(error));
}

Task<Result<void>> remove_batch(std::shared_ptr<S3Client> client, std::vector<std::string> keys) {
  S3Request request;
  request.method = "POST";
  request.query = {{"delete", ""}};
  for (auto& key : keys) key.insert(0, client->location().prefix);
  std::string document = delete_document(keys);
  request.headers = {{"Content-MD5", content_md5(document)}};
  request.body.append(Slice::of(std::move(document)));
  request.effect = S3Effect::kWrites;
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  CO_TRY(auto errors, parse_delete_result(reply.body.view()));
  std::erase_if(errors, [](const S3DeleteError& e) { return e.code == "NoSuchKey"; });
  if (errors.empty()) co_return Result<void>();
  const S3DeleteError& first = errors.front();
  co_return fail(s3_delete_code(first.code),
                 fmt::format("{} of {} objects were not removed; the first: {}: {} {}", errors.size(), keys.size(),
                             first.key, first.code, first.message.substr(0, 200)));
}

Task<Result<void>> remove_all(std::shared_ptr<S3Client> client, std::vector<std::string> keys) {
  for (const auto& key : keys) CO_TRY_VOID(check_key(key));
  if (keys.size() == 1) co_return co_await remove_one(client, keys.front());
  for (std::size_t at = 0; at < keys.size(); at += kS3BatchKeys) {
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<std::string> batch(begin,
                                   begin + static_cast<std::ptrdiff_t>(std::min(kS3BatchKeys, keys.size() - at)));
    auto removed = co_await remove_batch(client, batch);
    if (!removed && removed.error().code() == Code::kUnsupported) {
      for (const auto& key : batch) CO_TRY_VOID(co_await remove_one(client, key));
    } else if (!removed) {
      co_return removed;
    }
  }
  co_return Result<void>();
}

Task<Result<std::vector<Listed>>> list_all(std::shared_ptr<S3Client> client, std::string prefix,
                                           std::string start_after, std::size_t limit) {
  const std::string root = client->location().prefix;
  std::vector<Listed> listed;
  std::string continuation;
  while (listed.size() < limit) {
    S3Request request;
    request.method = "GET";
    request.query = {{"list-type", "2"},
                     {"prefix", root + prefix},
                     {"max-keys", fmt::format("{}", std::min(kS3BatchKeys, limit - listed.size()))}};
    if (!continuation.empty()) {
      request.query.emplace_back("continuation-token", continuation);
    } else if (!start_after.empty()) {
      request.query.emplace_back("start-after", root + start_after);
    }
    CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
    if (reply.status != 200) co_return fail(client->failure(request, reply));
    CO_TRY(S3ListPage page, parse_list_page(reply.body.view()));
    for (auto& object : page.objects) {
      if (!object.key.starts_with(root)) continue;
      object.key.erase(0, root.size());
      if (!check_key(object.key)) continue;  // nothing of ours
      if (listed.size() < limit) listed.push_back(std::move(object));
    }
    if (!page.truncated) break;
    continuation = std::move(page.continuation);
  }
  co_return listed;
}

class S3Store final : public Store {
 public:
  S3Store(std::shared_ptr<S3Client> client, S3StoreOptions options) : client_(std::move(client)), options_(options) {}

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    return create(client_, options_, std::move(key), std::move(body));
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    return swap(client_, std::move(key), std::move(body), std::move(etag));
  }
  Task<Result<Object>> get(std::string key) override { return get_whole(client_, std::move(key)); }
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    return get_part(client_, std::move(key), range);
  }
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    return get_changed(client_, std::move(key), std::move(etag));
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override { return remove_all(client_, std::move(keys)); }
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    return list_all(client_, std::move(prefix), std::move(start_after), limit);
  }

 private:
  std::shared_ptr<S3Client> client_;
  S3StoreOptions options_;
};

}  // namespace

std::unique_ptr<Store> make_s3_store(std::shared_ptr<S3Client> client, S3StoreOptions options) {
  return std::make_unique<S3Store>(std::move(client), options);
}

}  // namespace millrace::object
