#include "app/bucket_probe.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "object/open.h"
#include "object/probe.h"

namespace millrace::app {
namespace {

std::optional<std::string> process_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (!value || *value == '\0') return std::nullopt;
  return value;
}

double in_ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

Task<void> probe_and_print(EventLoop& loop, std::unique_ptr<object::Store>& store, int rounds, int& exit_code) {
  const auto random = make_system_random();
  object::ProbeOptions options;
  options.rounds = rounds;
  auto report = co_await object::probe_store(*store, loop.executor(), loop.clock(), *random, options);
  if (!report) {
    std::fprintf(stderr, "millrace: %s\n", report.error().message().c_str());
    exit_code = 1;
    co_return;
  }
  for (const auto& check : report->checks)
    fmt::print("{}  {}{}\n", check.passed ? " ok " : "FAIL", check.name, check.passed ? "" : ": " + check.detail);
  fmt::print("PUT {:.1f} ms (p50), {:.1f} ms (slowest); GET {:.1f} ms (p50)\n", in_ms(report->put_p50),
             in_ms(report->put_max), in_ms(report->get_p50));
  exit_code = report->passed() ? 0 : 1;
}

}  // namespace

bool charges_for_requests(const std::string& url) { return url.starts_with("s3:"); }

Result<std::unique_ptr<object::Store>> open_bucket(const std::string& url, EventLoop& loop, BlockingPool& files,
                                                   Metrics& metrics) {
  return object::open_store(url, loop.executor(), files, metrics, &loop.clock(), process_variable);
}

Task<Result<void>> probe_at_start(object::Store& store, EventLoop& loop, Random& random) {
  object::ProbeOptions options;
  options.rounds = 1;
  options.creators = 8;
  CO_TRY(const auto report, co_await object::probe_store(store, loop.executor(), loop.clock(), random, options));
  if (report.passed()) co_return Result<void>();
  co_return fail(Code::kUnsupported,
                 "this store does not keep what Millrace's safety rests on (`millrace bucket probe URL` tells more): " +
                     report.failures());
}

int probe_bucket(const std::string& url, int rounds) {
  EventLoop loop;
  BlockingPool files(4);
  Metrics metrics;
  auto store = open_bucket(url, loop, files, metrics);
  if (!store) {
    std::fprintf(stderr, "millrace: %s\n", store.error().message().c_str());
    return store.error().code() == Code::kInvalid ? 2 : 1;
  }
  int exit_code = 0;
  loop.run_until_done(probe_and_print(loop, *store, rounds, exit_code));
  store->reset();
  return exit_code;
}

}  // namespace millrace::app
