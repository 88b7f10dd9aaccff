// What an operator may know of the whole process, as one JSON object: the console's status source.
#pragma once

#include <string>
#include <vector>

#include "app/server.h"
#include "broker/api.h"
#include "cdc/api.h"
#include "sql/api.h"
#include "storage/api.h"

namespace millrace::app {

struct ProcessStatus {
  bool ready = false;
  std::string reason;
  std::int64_t uptime_ms = 0;
  std::map<std::string, std::string> addresses;
  std::optional<storage::EngineStatus> log;
  std::optional<broker::BrokerStatus> broker;
  std::vector<cdc::Status> cdc;
  std::optional<sql::SqlStatus> sql;
  std::vector<PageView> views;
};

std::string to_json(const ProcessStatus& status);

}  // namespace millrace::app
