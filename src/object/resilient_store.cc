#include "object/resilient_store.h"

#include <algorithm>
#include <array>

namespace millrace::object {
namespace {

// Grows by a share of each call, up to what is given in advance.
class Budget {
 public:
  Budget(double share, double most) : share_(share), most_(most), left_(most) {}
  void earn() { left_ = std::min(most_, left_ + share_); }
  bool spend() {
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  double share_, most_, left_;
};

// A quantile of the latest latencies, reckoned anew every few of them.
class LatencyWindow {
 public:
  explicit LatencyWindow(double quantile) : quantile_(quantile) {}
  void add(Duration latency) {
    ring_[added_++ % ring_.size()] = latency;
    if (added_ % 16 != 0 && added_ > ring_.size()) return;
    const std::size_t size = std::min(added_, ring_.size());
    auto sorted = ring_;
    const auto at = static_cast<std::ptrdiff_t>(quantile_ * static_cast<double>(size - 1));
    std::nth_element(sorted.begin(), sorted.begin() + at, sorted.begin() + static_cast<std::ptrdiff_t>(size));
    value_ = sorted[static_cast<std::size_t>(at)];
  }
  std::size_t added() const { return added_; }
  Duration value() const { return value_; }

 private:
  double quantile_;
  std::array<Duration, 128> ring_{};
  std::size_t added_ = 0;
  Duration value_{};
};

enum class Timed { kGet, kRangeSmall, kRangeLarge, kPutSmall, kPutMedium, kPutLarge, kCount };
constexpr std::size_t kSmallBytes = 64 << 10, kMediumBytes = 1 << 20;
constexpr std::size_t kHedgedPutBytesMax = 16 << 20;  // beyond, it is the network that is slow

struct RaceMetrics {
  Counter* hedges;
  Counter* won;
};

struct ResilientState {
  ResilientState(std::unique_ptr<Store> store_in, Executor executor_in, Clock& clock_in,
                 std::unique_ptr<Random> random_in, Metrics& metrics, ResilientOptions options_in)
      : store(std::move(store_in)),
        executor(std::move(executor_in)),
        clock(clock_in),
        random(std::move(random_in)),
        options(options_in) {
    for (std::size_t i = 0; i < windows.size(); ++i) {
      windows[i] = std::make_unique<LatencyWindow>(is_put(static_cast<Timed>(i)) ? 0.99 : 0.95);
    }
    const auto counter = [&metrics](const char* name, const char* help, const char* op) {
      return &metrics.counter(name, help, {{"op", op}});
    };
    for (const auto& [op, slot] : {std::pair{"read", &read_race}, std::pair{"put_if_absent", &put_race}}) {
      slot->hedges = counter("millrace_object_hedges_total", "Requests that were slow and were sent a second time", op);
      slot->won = counter("millrace_object_hedges_won_total", "Second requests that answered first", op);
    }
    read_retries = counter("millrace_object_retries_total", "Failed requests that were repeated", "read");
    sweep_retries = counter("millrace_object_retries_total", "Failed requests that were repeated", "sweep");
  }
  static bool is_put(Timed kind) { return kind >= Timed::kPutSmall; }
  LatencyWindow& window(Timed kind) { return *windows[static_cast<std::size_t>(kind)]; }

  std::unique_ptr<Store> store;
  Executor executor;
  Clock& clock;
  std::unique_ptr<Random> random;
  ResilientOptions options;
  Budget retry_reads{options.retry_share, options.in_advance}, retry_sweeps{options.retry_share, options.in_advance};
  Budget hedge_reads{options.hedge_read_share, options.in_advance},
      hedge_puts{options.hedge_put_share, options.in_advance};
  std::array<std::unique_ptr<LatencyWindow>, static_cast<std::size_t>(Timed::kCount)> windows;
  RaceMetrics read_race{}, put_race{};
  Counter* read_retries = nullptr;
  Counter* sweep_retries = nullptr;
};

template <class T>
using Attempt = std::function<Task<Result<T>>()>;

template <class T>
struct Race {
  std::array<std::optional<Result<T>>, 2> answers;
  int sent = 0;
  Event changed;
};

template <class T>
Task<void> run_in_race(std::shared_ptr<Race<T>> race, Attempt<T> attempt, std::size_t who) {
  auto answer = co_await attempt();
  race->answers[who].emplace(std::move(answer));
  race->changed.set();
}

// How much an answer decides while another is under way: see the header.
int weight(bool put, const std::optional<Error>& error) {
  if (!error) return 4;
  if (!put) return error->retriable() ? 1 : 3;
  return error->code() == Code::kExists ? 3 : error->code() == Code::kTimeout ? 2 : 1;
}

// The answer that counts once it is certain: at once when nothing can outweigh it, else when both are there.
template <class T>
std::optional<std::size_t> winner(const Race<T>& race, bool put) {
  std::optional<std::size_t> best;
  int most = 0, answered = 0;
  for (std::size_t who = 0; who < race.answers.size(); ++who) {
    const auto& answer = race.answers[who];
    if (!answer) continue;
    ++answered;
    const int weighs = weight(put, *answer ? std::nullopt : std::optional<Error>(answer->error()));
    if (weighs > most) best = who;
    most = std::max(most, weighs);
  }
  const int certain = put ? 4 : 3;
  return answered == race.sent || most >= certain ? best : std::nullopt;
}

// One request, and a second one when the first is slow.
template <class T>
Task<Result<T>> hedged(std::shared_ptr<ResilientState> self, Timed kind, Attempt<T> attempt) {
  const bool put = ResilientState::is_put(kind);
  LatencyWindow& window = self->window(kind);
  Budget& budget = put ? self->hedge_puts : self->hedge_reads;
  RaceMetrics& metrics = put ? self->put_race : self->read_race;
  budget.earn();
  const SteadyTime begin = self->clock.now();
  if (!self->options.hedge || window.added() < self->options.samples_min) {
    auto answer = co_await attempt();
    if (answer) window.add(self->clock.now() - begin);
    co_return answer;
  }
  auto race = std::make_shared<Race<T>>();
  race->sent = 1;
  spawn_on(self->executor, run_in_race<T>(race, attempt, 0));
  const SteadyTime late =
      begin + std::max(window.value(), put ? self->options.hedge_put_min : self->options.hedge_read_min);
  const bool in_time = co_await race->changed.wait_until(self->clock, late);
  if (!in_time && budget.spend()) {
    race->sent = 2;
    metrics.hedges->Increment();
    spawn_on(self->executor, run_in_race<T>(race, attempt, 1));
  }
  std::optional<std::size_t> decided = winner(*race, put);
  while (!decided) {
    race->changed.reset();
    co_await race->changed.wait();
    decided = winner(*race, put);
  }
  Result<T> answer = std::move(*race->answers[*decided]);
  if (*decided == 1) metrics.won->Increment();
  if (answer) window.add(self->clock.now() - begin);
  co_return answer;
}

// Repeats what may be repeated.
template <class T>
Task<Result<T>> repeated(std::shared_ptr<ResilientState> self, Budget* budget, Counter* retries, Attempt<T> attempt) {
  budget->earn();
  Duration pause = self->options.backoff_min;
  for (int tried = 1;; ++tried) {
    auto answer = co_await attempt();
    if (answer || !answer.error().retriable() || tried >= self->options.attempts || !budget->spend()) co_return answer;
    retries->Increment();
    const Duration half = pause / 2;
    const Duration jitter(self->random->below(static_cast<std::uint64_t>(half.count()) + 1));
    co_await sleep_for(self->clock, half + jitter);
    pause *= 2;
  }
}

template <class T>
Task<Result<T>> guarded_read(std::shared_ptr<ResilientState> self, Timed kind, Attempt<T> attempt) {
  Attempt<T> once = [self, kind, attempt] { return hedged<T>(self, kind, attempt); };
  Budget* budget = &self->retry_reads;
  Counter* retries = self->read_retries;
  return repeated<T>(std::move(self), budget, retries, std::move(once));
}

template <class T>
Task<Result<T>> guarded_sweep(std::shared_ptr<ResilientState> self, Attempt<T> attempt) {
  Budget* budget = &self->retry_sweeps;
  Counter* retries = self->sweep_retries;
  return repeated<T>(std::move(self), budget, retries, std::move(attempt));
}

class ResilientStore final : public Store {
 public:
  explicit ResilientStore(std::shared_ptr<ResilientState> shared) : shared_(std::move(shared)) {}

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    if (body.size() > kHedgedPutBytesMax) return shared_->store->put_if_absent(std::move(key), std::move(body));
    const Timed kind = body.size() <= kSmallBytes    ? Timed::kPutSmall
                       : body.size() <= kMediumBytes ? Timed::kPutMedium
                                                     : Timed::kPutLarge;
    return hedged<std::string>(shared_, kind, [shared = shared_, key = std::move(key), body = std::move(body)] {
      return shared->store->put_if_absent(key, body);
    });
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    return shared_->store->put_if_match(std::move(key), std::move(body), std::move(etag));
  }
  Task<Result<Object>> get(std::string key) override {
    return guarded_read<Object>(shared_, Timed::kGet,
                                [shared = shared_, key = std::move(key)] { return shared->store->get(key); });
  }
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    return guarded_read<Slice>(
        shared_, range.size <= kSmallBytes ? Timed::kRangeSmall : Timed::kRangeLarge,
        [shared = shared_, key = std::move(key), range] { return shared->store->get_range(key, range); });
  }
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    return guarded_sweep<std::optional<Object>>(shared_,
                                                [shared = shared_, key = std::move(key), etag = std::move(etag)] {
                                                  return shared->store->get_if_changed(key, etag);
                                                });
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override {
    return guarded_sweep<void>(shared_,
                               [shared = shared_, keys = std::move(keys)] { return shared->store->remove(keys); });
  }
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    return guarded_sweep<std::vector<Listed>>(
        shared_, [shared = shared_, prefix = std::move(prefix), start_after = std::move(start_after), limit] {
          return shared->store->list(prefix, start_after, limit);
        });
  }

 private:
  std::shared_ptr<ResilientState> shared_;
};

}  // namespace

std::unique_ptr<Store> make_resilient_store(std::unique_ptr<Store> store, Executor executor, Clock& clock,
                                            std::unique_ptr<Random> random, Metrics& metrics,
                                            ResilientOptions options) {
  return std::make_unique<ResilientStore>(std::make_shared<ResilientState>(std::move(store), std::move(executor), clock,
                                                                           std::move(random), metrics, options));
}

}  // namespace millrace::object
