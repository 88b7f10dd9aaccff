#include "object/memory_store.h"

#include <fmt/format.h>

#include "object/digest.h"
#include "object/key.h"

namespace millrace::object {
namespace {

Slice owned_copy(const SliceChain& body) {
  Slice copy = Slice::uninitialized(body.size());
  char* out = copy.mutable_data();
  for (const auto& piece : body.pieces()) {
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  return copy;
}

std::unexpected<Error> absent(std::string_view key) {
  return fail(Code::kNotFound, fmt::format("no object '{}'", key));
}

}  // namespace

Task<Result<std::string>> MemoryStore::put_if_absent(std::string key, SliceChain body) {
  co_await yield_now();
  CO_TRY_VOID(check_key(key));
  if (objects_.contains(key)) co_return fail(Code::kExists, fmt::format("object '{}' exists", key));
  Object object{owned_copy(body), content_etag(body)};
  bytes_ += object.body.size();
  std::string etag = object.etag;
  objects_.emplace(std::move(key), std::move(object));
  co_return etag;
}

Task<Result<std::string>> MemoryStore::put_if_match(std::string key, SliceChain body, std::string etag) {
  co_await yield_now();
  CO_TRY_VOID(check_key(key));
  const auto found = objects_.find(key);
  if (found == objects_.end()) co_return absent(key);
  if (found->second.etag != etag) co_return fail(Code::kExists, fmt::format("object '{}' changed", key));
  bytes_ -= found->second.body.size();
  found->second = Object{owned_copy(body), content_etag(body)};
  bytes_ += found->second.body.size();
  co_return found->second.etag;
}

Task<Result<Object>> MemoryStore::get(std::string key) {
  co_await yield_now();
  const auto found = objects_.find(key);
  if (found == objects_.end()) co_return absent(key);
  co_return found->second;
}

Task<Result<Slice>> MemoryStore::get_range(std::string key, ByteRange range) {
  co_await yield_now();
  const auto found = objects_.find(key);
  if (found == objects_.end()) co_return absent(key);
  const Slice& body = found->second.body;
  if (range.offset > body.size()) {
    co_return fail(Code::kInvalid,
                   fmt::format("range at {} begins after the {} bytes of '{}'", range.offset, body.size(), key));
  }
  co_return body.sub(range.offset, std::min<std::uint64_t>(range.size, body.size() - range.offset));
}

Task<Result<std::optional<Object>>> MemoryStore::get_if_changed(std::string key, std::string etag) {
  co_await yield_now();
  const auto found = objects_.find(key);
  if (found == objects_.end()) co_return absent(key);
  if (found->second.etag == etag) co_return std::optional<Object>();
  co_return std::optional<Object>(found->second);
}

Task<Result<void>> MemoryStore::remove(std::vector<std::string> keys) {
  co_await yield_now();
  for (const auto& key : keys) {
    const auto found = objects_.find(key);
    if (found == objects_.end()) continue;
    bytes_ -= found->second.body.size();
    objects_.erase(found);
  }
  co_return Result<void>();
}

Task<Result<std::vector<Listed>>> MemoryStore::list(std::string prefix, std::string start_after, std::size_t limit) {
  co_await yield_now();
  std::vector<Listed> listed;
  auto at = start_after > prefix ? objects_.upper_bound(start_after) : objects_.lower_bound(prefix);
  if (at != objects_.end() && at->first == start_after) ++at;
  for (; at != objects_.end() && listed.size() < limit && at->first.starts_with(prefix); ++at) {
    listed.push_back({at->first, at->second.body.size()});
  }
  co_return listed;
}

}  // namespace millrace::object
