#include "sim/broken_store.h"

#include <fmt/format.h>

#include "storage/wal/slot_codec.h"

namespace millrace::sim {
namespace {

constexpr Duration kVanishes = 6s;

std::optional<storage::SlotKind> slot_kind(const std::string& key, const SliceChain& body) {
  if (!key.starts_with("wal/")) return std::nullopt;
  const auto header = storage::decode_slot_header(body.flatten().view().substr(0, storage::kSlotHeaderBytes));
  return header ? std::optional(header->kind) : std::nullopt;
}

std::unexpected<Error> absent(const std::string& key) {
  return fail(Code::kNotFound, fmt::format("no object '{}'", key));
}

}  // namespace

void BrokenStore::vanish_later(std::string key, Duration after) {
  world_.main().clock.call_at(world_.now() + after, [this, key = std::move(key)] {
    spawn_on(world_.main().executor(), [](object::Store& store, std::string name) -> Task<void> {
      std::vector<std::string> names(1, std::move(name));
      const Result<void> gone = co_await store.remove(std::move(names));
      (void)gone;
    }(store_, key));
  });
}

Task<Result<std::string>> BrokenStore::overwrite(std::string key, SliceChain body) {
  std::vector<std::string> names(1, key);
  CO_TRY_VOID(co_await store_.remove(std::move(names)));
  co_return co_await store_.put_if_absent(std::move(key), std::move(body));
}

Task<Result<std::string>> BrokenStore::put_if_absent(std::string key, SliceChain body) {
  const auto kind = slot_kind(key, body);
  const bool seal = kind == storage::SlotKind::kSeal, data = kind == storage::SlotKind::kData;
  const bool swallow =
      (broken_ == StoreBreak::kNoSeal && seal) || (broken_ == StoreBreak::kForgetful && world_.chance(1));
  if (swallow) co_return std::string("\"swallowed\"");
  if (broken_ == StoreBreak::kPlainPut) co_return co_await overwrite(std::move(key), std::move(body));
  const bool vanishes = (broken_ == StoreBreak::kLosesSeals && seal) || (broken_ == StoreBreak::kEarlyGc && data);
  const std::string name = key;
  Result<std::string> put = co_await store_.put_if_absent(std::move(key), std::move(body));
  if (put && vanishes) vanish_later(name, kVanishes);
  if (put && broken_ == StoreBreak::kLyingList) fresh_.insert(name);
  co_return put;
}

Task<Result<std::string>> BrokenStore::put_if_match(std::string key, SliceChain body, std::string etag) {
  if (broken_ == StoreBreak::kPlainSwap) co_return co_await overwrite(std::move(key), std::move(body));
  co_return co_await store_.put_if_match(std::move(key), std::move(body), std::move(etag));
}

Task<Result<object::Object>> BrokenStore::get(std::string key) {
  if (hides()) co_return absent(key);
  co_return co_await store_.get(std::move(key));
}

Task<Result<Slice>> BrokenStore::get_range(std::string key, object::ByteRange range) {
  if (hides()) co_return absent(key);
  co_return co_await store_.get_range(std::move(key), range);
}

Task<Result<std::optional<object::Object>>> BrokenStore::get_if_changed(std::string key, std::string etag) {
  if (hides()) co_return absent(key);
  co_return co_await store_.get_if_changed(std::move(key), std::move(etag));
}

Task<Result<void>> BrokenStore::remove(std::vector<std::string> keys) {
  if (broken_ == StoreBreak::kLyingList) removed_.insert(keys.begin(), keys.end());
  co_return co_await store_.remove(std::move(keys));
}

Task<Result<std::vector<object::Listed>>> BrokenStore::list(std::string prefix, std::string after, std::size_t limit) {
  Result<std::vector<object::Listed>> listed = co_await store_.list(prefix, after, limit);
  if (!listed || broken_ != StoreBreak::kLyingList) co_return listed;
  // A newer list: half of what is new is not there yet, and half of what is gone still is. Each lie is told once.
  std::erase_if(*listed, [this](const object::Listed& one) { return fresh_.erase(one.key) > 0 && world_.chance(50); });
  for (auto at = removed_.lower_bound(prefix); at != removed_.end() && at->starts_with(prefix);) {
    const bool told = *at > after && listed->size() < limit && world_.chance(50);
    if (told) listed->push_back({*at, 100});
    at = removed_.erase(at);
  }
  std::sort(listed->begin(), listed->end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  co_return listed;
}

}  // namespace millrace::sim
