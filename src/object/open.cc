#include "object/open.h"

#include <fmt/format.h>

#include "object/file_store.h"
#include "object/memory_store.h"
#include "object/metered_store.h"
#include "object/resilient_store.h"
#include "object/s3_store.h"

namespace millrace::object {
namespace {

Result<Sync> parse_options(const std::string& url, std::string_view options) {
  Sync sync = Sync::kOn;
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find('&'));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
    if (option == "sync=on") {
      sync = Sync::kOn;
    } else if (option == "sync=off") {
      sync = Sync::kOff;
    } else {
      return fail(Code::kInvalid,
                  fmt::format("bucket '{}': unknown option '{}'; file:// knows sync=on and sync=off", url, option));
    }
  }
  return sync;
}

// The region of the profile counts only where neither the URL nor the environment names one.
Result<S3Location> find_s3(const S3Url& url, const Environment& environment) {
  S3Defaults defaults;
  defaults.region = variable(environment, "AWS_REGION").value_or("");
  if (defaults.region.empty()) defaults.region = variable(environment, "AWS_DEFAULT_REGION").value_or("");
  defaults.endpoint = variable(environment, "AWS_ENDPOINT_URL_S3").value_or("");
  if (defaults.endpoint.empty()) defaults.endpoint = variable(environment, "AWS_ENDPOINT_URL").value_or("");
  if ((url.region.empty() && defaults.region.empty()) || !url.profile.empty()) {
    TRY(const S3Profile profile, load_profile(environment, url.profile));
    if (const auto region = profile.find("region"); region != profile.end() && defaults.region.empty())
      defaults.region = region->second;
  }
  return locate_s3(url, defaults);
}

Result<std::unique_ptr<Store>> open_s3(const std::string& text, Executor executor, BlockingPool& files,
                                       Metrics& metrics, Clock& clock, Environment environment) {
  TRY(const S3Url url, parse_s3_url(text));
  TRY(S3Location location, find_s3(url, environment));
  ResilientOptions resilience;
  resilience.hedge = location.hedge;
  TRY(auto client,
      S3Client::make(std::move(location), url.profile, executor, clock, files, std::move(environment), metrics));
  return make_resilient_store(make_s3_store(std::move(client)), std::move(executor), clock, make_system_random(),
                              metrics, resilience);
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(std::string url, Executor executor, BlockingPool& files, Metrics& metrics,
                                          Clock* clock, Environment environment) {
  if (url.starts_with("s3:")) {
    if (!clock) return fail(Code::kInvalid, fmt::format("bucket '{}' needs a clock", url));
    auto opened = open_s3(url, std::move(executor), files, metrics, *clock, std::move(environment));
    if (!opened) return fail(std::move(opened).error().with(fmt::format("bucket '{}'", url)));
    return make_metered_store(std::move(*opened), clock, metrics);
  }
  if (url == "mem:") return make_metered_store(std::make_unique<MemoryStore>(), clock, metrics);
  std::string_view rest = url;
  const std::size_t scheme = rest.find(':');
  if (rest.starts_with("file://")) {
    rest.remove_prefix(7);
  } else if (scheme != std::string_view::npos && rest.find('/') > scheme) {
    return fail(
        Code::kInvalid,
        fmt::format("bucket '{}': unknown scheme '{}'; use file://DIR[?sync=off], a path, s3://BUCKET/PREFIX, or mem:",
                    url, rest.substr(0, scheme)));
  }
  const std::size_t question = rest.find('?');
  std::string directory(rest.substr(0, question));
  if (directory.empty()) return fail(Code::kInvalid, fmt::format("bucket '{}' names no directory", url));
  TRY(Sync sync, parse_options(url, question == std::string_view::npos ? "" : rest.substr(question + 1)));
  auto opened = open_file_store(std::move(directory), sync, std::move(executor), files);
  if (!opened) return fail(std::move(opened).error().with(fmt::format("bucket '{}'", url)));
  return make_metered_store(std::move(*opened), clock, metrics);
}

}  // namespace millrace::object
