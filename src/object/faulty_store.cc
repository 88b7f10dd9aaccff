#include "object/faulty_store.h"

#include <fmt/format.h>

namespace millrace::object {

FaultyStore::FaultyStore(Store& store, Executor executor, Clock& clock, Random& random, FaultOptions options)
    : store_(store), clock_(clock), random_(random), options_(options), late_(std::move(executor)) {}

bool FaultyStore::chance(double probability) {
  if (probability <= 0) return false;  // A healed store draws nothing, so it does not move the seed.
  return static_cast<double>(random_.next() >> 11) * 0x1p-53 < probability;
}

Duration FaultyStore::up_to(Duration most) {
  return Duration(most.count() <= 0 ? 0 : random_.below(static_cast<std::uint64_t>(most.count()) + 1));
}

FaultyStore::Fate FaultyStore::draw(bool write) {
  if (chance(options_.conflict)) return Fate::kConflict;
  if (chance(options_.lost_request)) return Fate::kLostRequest;
  if (write && chance(options_.lost_reply)) return Fate::kLostReply;
  if (write && chance(options_.late_apply)) return Fate::kLateApply;
  if (write && chance(options_.duplicate)) return Fate::kDuplicate;
  return Fate::kNormal;
}

Error FaultyStore::lost(std::string_view key) const {
  return {Code::kTimeout, fmt::format("no answer from the store about '{}'", key)};
}

Task<Result<void>> FaultyStore::arrive(Fate fate, std::string operation, std::string key) {
  ++counts_.calls;
  Duration delay = options_.latency_min + up_to(options_.latency_max - options_.latency_min);
  if (chance(options_.slow)) {
    ++counts_.slow;
    delay += up_to(options_.slow_max);
  }
  if (delay > Duration::zero()) co_await sleep_for(clock_, delay);
  if (hook_) hook_(Step::kBefore, operation, key);
  if (cut_ || fate == Fate::kConflict) {
    ++counts_.conflicts;
    co_return fail(Code::kUnavailable, fmt::format("the store is busy ('{}')", key));
  }
  if (fate == Fate::kLostRequest) {
    ++counts_.lost_requests;
    co_await sleep_for(clock_, options_.timeout);
    co_return fail(lost(key));
  }
  co_return Result<void>();
}

void FaultyStore::left(std::string_view operation, std::string_view key) {
  if (hook_) hook_(Step::kAfter, operation, key);
}

// ---- writes ----

Task<Result<std::string>> FaultyStore::put_if_absent(std::string key, SliceChain body) {
  Put request{std::move(key), std::move(body), {}, true};
  co_return co_await put(std::move(request));
}

Task<Result<std::string>> FaultyStore::put_if_match(std::string key, SliceChain body, std::string etag) {
  Put request{std::move(key), std::move(body), std::move(etag), false};
  co_return co_await put(std::move(request));
}

Task<Result<std::string>> FaultyStore::put(Put request) {
  const Fate fate = draw(true);
  std::string key = request.key;
  std::string operation = request.create ? "put_if_absent" : "put_if_match";
  CO_TRY_VOID(co_await arrive(fate, operation, key));
  if (fate == Fate::kLateApply) {
    ++counts_.late_applies;
    late_.spawn(send_late(std::move(request), options_.timeout + up_to(options_.late_max)));
    co_await sleep_for(clock_, options_.timeout);
    co_return fail(lost(key));
  }
  if (fate == Fate::kDuplicate) {
    ++counts_.duplicates;
    Put copy = request;
    late_.spawn(send_late(std::move(copy), up_to(options_.late_max)));
  }
  Result<std::string> answer = co_await send(std::move(request));
  left(operation, key);
  if (fate == Fate::kLostReply) {
    ++counts_.lost_replies;
    co_await sleep_for(clock_, options_.timeout);
    co_return fail(lost(key));
  }
  co_return answer;
}

Task<Result<std::string>> FaultyStore::send(Put request) {
  if (request.create) co_return co_await store_.put_if_absent(std::move(request.key), std::move(request.body));
  co_return co_await store_.put_if_match(std::move(request.key), std::move(request.body), std::move(request.etag));
}

Task<void> FaultyStore::send_late(Put request, Duration delay) {
  co_await sleep_for(clock_, delay);
  const Result<std::string> unseen = co_await send(std::move(request));
  (void)unseen;
}

Task<Result<void>> FaultyStore::remove(std::vector<std::string> keys) {
  const Fate fate = draw(true);
  std::string key = keys.empty() ? "" : keys.front();
  CO_TRY_VOID(co_await arrive(fate, "remove", key));
  Result<void> answer = co_await store_.remove(std::move(keys));
  left("remove", key);
  if (fate == Fate::kLostReply || fate == Fate::kLateApply) {
    ++counts_.lost_replies;
    co_await sleep_for(clock_, options_.timeout);
    co_return fail(lost(key));
  }
  co_return answer;
}

// ---- reads ----

Task<Result<Object>> FaultyStore::get(std::string key) {
  CO_TRY_VOID(co_await arrive(draw(false), "get", key));
  Result<Object> answer = co_await store_.get(key);
  left("get", key);
  co_return answer;
}

Task<Result<Slice>> FaultyStore::get_range(std::string key, ByteRange range) {
  CO_TRY_VOID(co_await arrive(draw(false), "get_range", key));
  Result<Slice> answer = co_await store_.get_range(key, range);
  left("get_range", key);
  co_return answer;
}

Task<Result<std::optional<Object>>> FaultyStore::get_if_changed(std::string key, std::string etag) {
  CO_TRY_VOID(co_await arrive(draw(false), "get_if_changed", key));
  Result<std::optional<Object>> answer = co_await store_.get_if_changed(key, std::move(etag));
  left("get_if_changed", key);
  co_return answer;
}

Task<Result<std::vector<Listed>>> FaultyStore::list(std::string prefix, std::string start_after, std::size_t limit) {
  CO_TRY_VOID(co_await arrive(draw(false), "list", prefix));
  Result<std::vector<Listed>> answer = co_await store_.list(prefix, std::move(start_after), limit);
  left("list", prefix);
  co_return answer;
}

}  // namespace millrace::object
