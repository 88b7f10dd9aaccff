#include "object/s3_upload.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::object {
namespace {

constexpr int kPartAttempts = 3;

struct Upload {
  std::shared_ptr<S3Client> client;
  std::string key, id;
  std::vector<SliceChain> parts;
  std::vector<std::string> etags;
  std::size_t next = 0;
  std::size_t workers = 0;
  std::optional<Error> failure;
  Event done;
};

// Nothing is copied.
std::vector<SliceChain> cut_into_parts(const SliceChain& body, std::size_t part_bytes) {
  std::vector<SliceChain> parts(1);
  for (const auto& piece : body.pieces()) {
    for (std::size_t at = 0; at < piece.size();) {
      if (parts.back().size() == part_bytes) parts.emplace_back();
      const std::size_t size = std::min(piece.size() - at, part_bytes - parts.back().size());
      parts.back().append(piece.sub(at, size));
      at += size;
    }
  }
  return parts;
}

Task<Result<std::string>> begin_upload(std::shared_ptr<S3Client> client, std::string key) {
  S3Request request;
  request.method = "POST";
  request.key = std::move(key);
  request.query = {{"uploads", ""}};
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(client, request));
  if (reply.status != 200) co_return fail(client->failure(request, reply));
  co_return parse_upload_id(reply.body.view());
}

Task<Result<std::string>> send_part(std::shared_ptr<Upload> upload, std::size_t index) {
  S3Request request;
  request.method = "PUT";
  request.key = upload->key;
  request.query = {{"partNumber", fmt::format("{}", index + 1)}, {"uploadId", upload->id}};
  request.body = upload->parts[index];
  request.sign_body = true;  // a part may carry a checksum only if the upload was begun with one, and then all over
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(upload->client, request));
  if (reply.status != 200) co_return fail(upload->client->failure(request, reply));
  const std::string etag(reply.header("ETag"));
  if (etag.empty())
    co_return fail(Code::kCorrupt, fmt::format("a part of {} was answered without an ETag", request.key));
  co_return etag;
}

Task<void> send_parts(std::shared_ptr<Upload> upload) {
  while (upload->next < upload->parts.size() && !upload->failure) {
    const std::size_t index = upload->next++;
    for (int attempt = 1;; ++attempt) {
      auto etag = co_await send_part(upload, index);
      if (etag) {
        upload->etags[index] = std::move(*etag);
        break;
      }
      if (attempt < kPartAttempts && etag.error().retriable() && !upload->failure) continue;
      upload->failure = std::move(etag).error();
      break;
    }
  }
  if (--upload->workers == 0) upload->done.set();
}

Task<void> abort_upload(std::shared_ptr<Upload> upload) {
  S3Request request;
  request.method = "DELETE";
  request.key = upload->key;
  request.query = {{"uploadId", upload->id}};
  (void)co_await S3Client::send(upload->client, std::move(request));
}

Task<Result<std::string>> complete_upload(std::shared_ptr<Upload> upload) {
  S3Request request;
  request.method = "POST";
  request.key = upload->key;
  request.query = {{"uploadId", upload->id}};
  request.headers = {{"If-None-Match", "*"}};
  request.body.append(Slice::of(complete_document(upload->etags)));
  request.effect = S3Effect::kWrites;
  CO_TRY(const net::HttpReply reply, co_await S3Client::send(upload->client, request));
  if (reply.status != 200) co_return fail(upload->client->failure(request, reply));
  // S3 sends its status before it is done: the body decides.
  const auto completed = parse_completed(reply.body.view());
  if (!completed) co_return fail(Code::kTimeout, "completing " + request.key + ": " + completed.error().message());
  if (!completed->etag.empty()) co_return completed->etag;
  net::HttpReply told = reply;
  told.status = completed->error.code == "PreconditionFailed"           ? 412
                : completed->error.code == "ConditionalRequestConflict" ? 409
                                                                        : 500;
  co_return fail(upload->client->failure(request, told));
}

}  // namespace

Task<Result<std::string>> upload_if_absent(std::shared_ptr<S3Client> client, S3StoreOptions options, std::string key,
                                           SliceChain body) {
  // Not applied, whatever it was: nothing was completed.
  const auto before_completion = [](Error error) {
    const Code code = error.retriable() ? Code::kUnavailable : error.code();
    return fail(code, error.message());
  };
  auto upload = std::make_shared<Upload>();
  upload->client = client;
  upload->key = std::move(key);
  upload->parts = cut_into_parts(body, options.part_bytes);
  upload->etags.resize(upload->parts.size());
  auto id = co_await begin_upload(client, upload->key);
  if (!id) co_return before_completion(std::move(id).error());
  upload->id = std::move(*id);
  upload->workers = std::min(options.parts_in_flight, upload->parts.size());
  for (std::size_t i = upload->workers; i > 0; --i) spawn_on(client->executor(), send_parts(upload));
  co_await upload->done.wait();
  if (upload->failure) {
    co_await abort_upload(upload);
    co_return before_completion(*upload->failure);
  }
  auto completed = co_await complete_upload(upload);
  if (!completed && completed.error().code() != Code::kTimeout) co_await abort_upload(upload);
  co_return completed;
}

}  // namespace millrace::object
