#include "object/probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "object/create.h"

namespace millrace::object {
namespace {

SliceChain chain_of(std::string text) {
  SliceChain chain;
  chain.append(Slice::of(std::move(text)));
  return chain;
}

std::string said(const Result<std::string>& answer) { return answer ? "success" : answer.error().to_string(); }

class Probe {
 public:
  Probe(Store& store, Executor executor, Clock& clock, Random& random, ProbeOptions options)
      : store_(store),
        executor_(std::move(executor)),
        clock_(clock),
        random_(random),
        options_(options),
        prefix_(fmt::format("probe/{:016x}/", random.next())) {}

  Task<Result<ProbeReport>> run() {
    Result<void> done = co_await check_create();
    if (done) done = co_await check_swap();
    if (done) done = co_await check_reads();
    for (int round = 0; done && round < options_.rounds; ++round) done = co_await check_race(round);
    Result<void> removed = co_await store_.remove(std::move(written_));
    if (!done) co_return fail(std::move(done).error().with("probing the bucket"));
    if (!removed) co_return fail(std::move(removed).error().with("removing the probe's objects"));
    report_.put_p50 = quantile(puts_, 0.5);
    report_.put_max = quantile(puts_, 1);
    report_.get_p50 = quantile(gets_, 0.5);
    co_return std::move(report_);
  }

 private:
  struct Attempt {
    Result<std::string> answer = fail(Code::kCancelled, "not sent");
    std::string body;
  };

  void check(std::string name, bool passed, std::string detail) {
    for (auto& known : report_.checks) {
      if (known.name != name) continue;
      if (known.passed && !passed) known = {std::move(name), false, std::move(detail)};
      return;
    }
    report_.checks.push_back({std::move(name), passed, passed ? "" : std::move(detail)});
  }
  std::string key(std::string_view name) {
    written_.push_back(prefix_ + std::string(name));
    return written_.back();
  }
  static Duration quantile(std::vector<Duration>& times, double q) {
    if (times.empty()) return {};
    std::sort(times.begin(), times.end());
    return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))];
  }

  Task<Result<std::string>> put(std::string name, std::string body) {
    const SteadyTime begin = clock_.now();
    SliceChain bytes = chain_of(std::move(body));
    Result<std::string> answer = co_await store_.put_if_absent(name, bytes);
    puts_.push_back(clock_.now() - begin);
    if (answer || !answer.error().retriable()) co_return answer;
    // Passing trouble says nothing of promises: once more, until it is known what became of these bytes.
    CreateOptions again;
    again.deadline = clock_.now() + options_.patience;
    CreateResult made = co_await create_object(store_, clock_, random_, name, bytes, again);
    if (made.outcome == CreateOutcome::kCreated) co_return made.etag;
    if (made.outcome == CreateOutcome::kLost) co_return fail(Code::kExists, "object '" + name + "' exists");
    co_return fail(made.error);
  }
  Task<Result<std::string>> swap(std::string name, std::string body, std::string etag) {
    const SteadyTime deadline = clock_.now() + options_.patience;
    for (;;) {
      SliceChain bytes = chain_of(body);
      Result<std::string> answer = co_await store_.put_if_match(name, bytes, etag);
      if (answer || !answer.error().retriable() || clock_.now() >= deadline) co_return answer;
      co_await sleep_for(clock_, 50ms);
      CO_TRY(const Object there, co_await store_.get(name));
      if (there.body.view() == body) co_return there.etag;
    }
  }
  Task<Result<Object>> get(std::string name) {
    const SteadyTime begin = clock_.now();
    Result<Object> answer = co_await store_.get(std::move(name));
    gets_.push_back(clock_.now() - begin);
    co_return answer;
  }

  Task<Result<void>> check_create() {
    const std::string name = key("create");
    CO_TRY(const std::string etag, co_await put(name, "first"));
    CO_TRY(const Object object, co_await get(name));
    check("an object is readable as soon as it was created", object.body.view() == "first", "other bytes came back");
    check("the ETag of a PUT is the ETag of the GET", object.etag == etag, fmt::format("{} / {}", etag, object.etag));
    const Result<std::string> again = co_await put(name, "second");
    check("a second create of a key is refused", !again && again.error().code() == Code::kExists, said(again));
    CO_TRY(const Object after, co_await get(name));
    check("a refused create changes nothing", after.body.view() == "first", "the object was overwritten");
    co_return Result<void>();
  }

  Task<Result<void>> check_swap() {
    const std::string name = key("swap");
    CO_TRY(const std::string first, co_await put(name, "one"));
    const Result<std::string> wrong = co_await swap(name, "three", "\"no-such-etag\"");
    check("a swap with a wrong ETag is refused", !wrong && wrong.error().code() == Code::kExists, said(wrong));
    CO_TRY(const std::string second, co_await swap(name, "two", first));
    const Result<std::string> stale = co_await swap(name, "three", first);
    check("a swap with a stale ETag is refused", !stale && stale.error().code() == Code::kExists, said(stale));
    CO_TRY(const auto unchanged, co_await store_.get_if_changed(name, second));
    check("a conditional GET of an unchanged object is empty", !unchanged, "it came with a body");
    const std::string absent = key("absent");
    const Result<std::string> onto_nothing = co_await swap(absent, "three", first);
    check("a swap of an absent object is refused", !onto_nothing && onto_nothing.error().code() != Code::kTimeout,
          said(onto_nothing));
    co_return Result<void>();
  }

  Task<Result<void>> check_reads() {
    const std::string name = key("range");
    CO_TRY_VOID(co_await put(name, "0123456789"));
    const ByteRange middle{3, 4}, tail{8, 100};
    CO_TRY(const Slice some, co_await store_.get_range(name, middle));
    CO_TRY(const Slice rest, co_await store_.get_range(name, tail));
    check("ranges are exact", some.view() == "3456" && rest.view() == "89", "other bytes came back");
    CO_TRY(const auto listed, co_await store_.list(prefix_, "", 10));
    const bool found = std::any_of(listed.begin(), listed.end(), [&name](const Listed& l) { return l.key == name; });
    check("a list shows what was just created", found, "it does not");
    std::vector<std::string> doomed(1, name);
    CO_TRY_VOID(co_await store_.remove(std::move(doomed)));
    const Result<Object> gone = co_await store_.get(name);
    check("a removed object is gone", !gone && gone.error().code() == Code::kNotFound, "it is still there");
    co_return Result<void>();
  }

  Task<void> attempt(std::string name, Attempt* out) { out->answer = co_await put(std::move(name), out->body); }

  // Creators of one key at the same time: exactly one wins, and its bytes are what is there.
  Task<Result<void>> check_race(int round) {
    const std::string name = key(fmt::format("race-{}", round));
    std::vector<Attempt> attempts(static_cast<std::size_t>(options_.creators));
    TaskScope scope(executor_);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      attempts[i].body = fmt::format("creator {}", i);
      scope.spawn(attempt(name, &attempts[i]));
    }
    co_await scope.stop();
    CO_TRY(const Object object, co_await get(name));
    int winners = 0;
    bool winner_is_there = false;
    for (const auto& a : attempts) {
      if (!a.answer && a.answer.error().retriable()) continue;
      if (!a.answer && a.answer.error().code() != Code::kExists) co_return fail(a.answer.error());
      if (!a.answer) continue;
      ++winners;
      winner_is_there = object.body.view() == a.body;
    }
    check("of many concurrent creators exactly one wins", winners == 1, fmt::format("{} won", winners));
    check("the winner's bytes are what is stored", winner_is_there, "somebody else's are");
    co_return Result<void>();
  }

  Store& store_;
  Executor executor_;
  Clock& clock_;
  Random& random_;
  ProbeOptions options_;
  std::string prefix_;
  std::vector<std::string> written_;
  std::vector<Duration> puts_, gets_;
  ProbeReport report_;
};

}  // namespace

bool ProbeReport::passed() const {
  return !checks.empty() && std::all_of(checks.begin(), checks.end(), [](const auto& c) { return c.passed; });
}

std::string ProbeReport::failures() const {
  std::string out;
  for (const auto& c : checks) {
    if (!c.passed) out += fmt::format("{}: {}\n", c.name, c.detail);
  }
  return out;
}

Task<Result<ProbeReport>> probe_store(Store& store, Executor executor, Clock& clock, Random& random,
                                      ProbeOptions options) {
  Probe probe(store, std::move(executor), clock, random, options);
  co_return co_await probe.run();
}

}  // namespace millrace::object
