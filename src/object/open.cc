#include "object/open.h"

#include <fmt/format.h>

#include "object/file_store.h"
#include "object/memory_store.h"
#include "object/metered_store.h"

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

}  // namespace

Result<std::unique_ptr<Store>> open_store(std::string url, Executor executor, BlockingPool& files, Metrics& metrics,
                                          Clock* clock) {
  if (url == "mem:") return make_metered_store(std::make_unique<MemoryStore>(), clock, metrics);
  std::string_view rest = url;
  const std::size_t scheme = rest.find(':');
  if (rest.starts_with("file://")) {
    rest.remove_prefix(7);
  } else if (scheme != std::string_view::npos && rest.find('/') > scheme) {
    return fail(Code::kInvalid,
                fmt::format("bucket '{}': unknown scheme '{}'; use file://DIR[?sync=off], a path, or mem:", url,
                            rest.substr(0, scheme)));
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
