#include "object/metered_store.h"

#include <array>

namespace millrace::object {
namespace {

enum Operation { kPutIfAbsent, kPutIfMatch, kGet, kGetRange, kGetIfChanged, kRemove, kList, kOperations };
constexpr std::array<const char*, kOperations> kNames = {"put_if_absent",  "put_if_match", "get", "get_range",
                                                         "get_if_changed", "remove",       "list"};

struct OperationMetrics {
  Counter* ok;
  Counter* missed;   // precondition failed, or no such object
  Counter* retried;  // unavailable: not applied
  Counter* unknown;  // timeout: may be applied
  Counter* failed;
  Counter* bytes;
  Histogram* seconds;

  Counter& of(const Error& error) const {
    switch (error.code()) {
      case Code::kExists:
      case Code::kNotFound: return *missed;
      case Code::kUnavailable: return *retried;
      case Code::kTimeout: return *unknown;
      default: return *failed;
    }
  }
};

class MeteredStore final : public Store {
 public:
  MeteredStore(std::unique_ptr<Store> store, Clock* clock, Metrics& metrics) : store_(std::move(store)), clock_(clock) {
    for (int op = 0; op < kOperations; ++op) {
      const auto requests = [&metrics, op](const char* result) {
        return &metrics.counter("millrace_object_requests_total", "Requests to the object store by outcome",
                                {{"op", kNames[op]}, {"result", result}});
      };
      operations_[op] = {
          requests("ok"),
          requests("missed"),
          requests("unavailable"),
          requests("unknown"),
          requests("failed"),
          &metrics.counter("millrace_object_bytes_total", "Bytes of object bodies sent and received",
                           {{"op", kNames[op]}}),
          &metrics.histogram("millrace_object_request_seconds", "Time of one request to the object store",
                             Metrics::latency_bounds(), {{"op", kNames[op]}}),
      };
    }
  }

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    const std::size_t size = body.size();
    const SteadyTime begin = now();
    Result<std::string> answer = co_await store_->put_if_absent(std::move(key), std::move(body));
    co_return count(kPutIfAbsent, begin, size, std::move(answer));
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    const std::size_t size = body.size();
    const SteadyTime begin = now();
    Result<std::string> answer = co_await store_->put_if_match(std::move(key), std::move(body), std::move(etag));
    co_return count(kPutIfMatch, begin, size, std::move(answer));
  }
  Task<Result<Object>> get(std::string key) override {
    const SteadyTime begin = now();
    Result<Object> answer = co_await store_->get(std::move(key));
    const std::size_t size = answer ? answer->body.size() : 0;
    co_return count(kGet, begin, size, std::move(answer));
  }
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override {
    const SteadyTime begin = now();
    Result<Slice> answer = co_await store_->get_range(std::move(key), range);
    const std::size_t size = answer ? answer->size() : 0;
    co_return count(kGetRange, begin, size, std::move(answer));
  }
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override {
    const SteadyTime begin = now();
    Result<std::optional<Object>> answer = co_await store_->get_if_changed(std::move(key), std::move(etag));
    const std::size_t size = answer && *answer ? (*answer)->body.size() : 0;
    co_return count(kGetIfChanged, begin, size, std::move(answer));
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override {
    const SteadyTime begin = now();
    Result<void> answer = co_await store_->remove(std::move(keys));
    co_return count(kRemove, begin, 0, std::move(answer));
  }
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override {
    const SteadyTime begin = now();
    Result<std::vector<Listed>> answer = co_await store_->list(std::move(prefix), std::move(start_after), limit);
    co_return count(kList, begin, 0, std::move(answer));
  }

 private:
  SteadyTime now() const { return clock_ ? clock_->now() : SteadyTime(); }

  template <class T>
  Result<T> count(Operation op, SteadyTime begin, std::size_t bytes, Result<T> answer) {
    const OperationMetrics& metrics = operations_[op];
    (answer ? *metrics.ok : metrics.of(answer.error())).Increment();
    if (answer && bytes > 0) metrics.bytes->Increment(static_cast<double>(bytes));
    if (clock_) metrics.seconds->Observe(std::chrono::duration<double>(clock_->now() - begin).count());
    return answer;
  }

  std::unique_ptr<Store> store_;
  Clock* clock_;
  std::array<OperationMetrics, kOperations> operations_{};
};

}  // namespace

std::unique_ptr<Store> make_metered_store(std::unique_ptr<Store> store, Clock* clock, Metrics& metrics) {
  return std::make_unique<MeteredStore>(std::move(store), clock, metrics);
}

}  // namespace millrace::object
