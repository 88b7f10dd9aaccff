#include "object/create.h"

#include <algorithm>

namespace millrace::object {
namespace {

bool same_bytes(const SliceChain& chain, std::string_view bytes) {
  if (chain.size() != bytes.size()) return false;
  for (const auto& piece : chain.pieces()) {
    if (bytes.substr(0, piece.size()) != piece.view()) return false;
    bytes.remove_prefix(piece.size());
  }
  return true;
}

class BackOff {
 public:
  BackOff(Clock& clock, Random& random, const CreateOptions& options)
      : clock_(clock),
        random_(random),
        deadline_(options.deadline),
        max_(options.backoff_max),
        next_(options.backoff_min) {}

  // False when the deadline came; sleeps at most until then.
  Task<bool> wait() {
    const SteadyTime now = clock_.now();
    if (now >= deadline_) co_return false;
    const Duration half = next_ / 2;
    const Duration jitter(random_.below(static_cast<std::uint64_t>(half.count()) + 1));
    const Duration pause = std::min<Duration>(half + jitter, deadline_ - now);
    next_ = std::min(next_ * 2, max_);
    co_await sleep_for(clock_, pause);
    co_return true;
  }

 private:
  Clock& clock_;
  Random& random_;
  SteadyTime deadline_;
  Duration max_;
  Duration next_;
};

}  // namespace

Task<CreateResult> create_object(Store& store, Clock& clock, Random& random, std::string key, SliceChain body,
                                 CreateOptions options) {
  CreateResult result;
  BackOff back_off(clock, random, options);
  bool may_have_landed = false;
  bool occupied = false;  // a 412 was seen, and not yet read back
  for (;;) {
    if (!occupied) {
      ++result.attempts;
      Result<std::string> put = co_await store.put_if_absent(key, body);
      if (put) {
        result.outcome = CreateOutcome::kCreated;
        result.etag = std::move(*put);
        co_return result;
      }
      result.error = std::move(put).error();
      occupied = result.error.code() == Code::kExists;
      if (result.error.code() == Code::kTimeout) may_have_landed = true;
    }
    if (occupied) {
      Result<Object> there = co_await store.get(key);
      if (there) {
        const bool mine = same_bytes(body, there->body.view());
        result.outcome = mine ? CreateOutcome::kCreated : CreateOutcome::kLost;
        result.etag = there->etag;
        if (!mine) result.occupant = std::move(*there);
        co_return result;
      }
      if (there.error().code() == Code::kNotFound) {
        result.outcome = CreateOutcome::kDeleted;
        co_return result;
      }
      result.error = std::move(there).error();
      if (!result.error.retriable()) break;
    } else if (!result.error.retriable()) {
      break;
    }
    if (options.on_retry) options.on_retry(result.error);
    if (!co_await back_off.wait()) break;
  }
  // Occupied, but by whom was never learnt: it may be us.
  result.outcome = may_have_landed || occupied ? CreateOutcome::kUnknown : CreateOutcome::kRefused;
  co_return result;
}

}  // namespace millrace::object
