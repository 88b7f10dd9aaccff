#include "app/cdc_check.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/event_loop.h"
#include "cdc/api.h"
#include "object/file_text.h"

namespace millrace::app {

int check_connector(const std::string& file) {
  const auto refuse = [&](const Error& error) {
    std::fprintf(stderr, "millrace: %s: %s\n", file.c_str(), error.message().c_str());
    return 2;
  };
  auto json = object::read_file_text(file);
  if (!json) return refuse(json.error());
  auto config = cdc::parse_connector_config(*json);
  if (!config) return refuse(config.error());
  EventLoop loop;
  int exit_code = 0;
  auto body = [](cdc::ConnectorConfig parsed, int& code) -> Task<void> {
    auto report = co_await cdc::check(std::move(parsed));
    if (!report) {
      std::fprintf(stderr, "millrace: %s\n", report.error().message().c_str());
      code = 1;
      co_return;
    }
    for (const auto& finding : report->findings) {
      fmt::print("{}  {:<14} {}\n", finding.good ? " ok " : "FAIL", finding.what, finding.text);
    }
    code = report->good() ? 0 : 1;
  };
  loop.run_until_done(body(std::move(*config), exit_code));
  return exit_code;
}

}  // namespace millrace::app
