// The cdc role: the connectors of this process on a thread of their own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/log_access.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "cdc/api.h"
#include "sql/api.h"

namespace millrace::app {

// `add` before `start`. Called from the main loop, except `describe` (any thread).
class CdcRole final : public sql::TableDescriptionSource {
 public:
  CdcRole(Metrics& metrics, LogAccess log, std::uint64_t seed);
  ~CdcRole() override;
  void add(cdc::ConnectorConfig config);
  Task<void> start();
  Task<void> stop();
  std::vector<cdc::Status> status() const;
  std::vector<std::string> topic_prefixes() const;
  std::optional<sql::TableDescription> describe(std::string_view topic) override;

 private:
  Metrics& metrics_;
  LogAccess log_;
  std::uint64_t seed_;
  LoopThread thread_{"cdc"};
  std::unique_ptr<client::Connector> tcp_;
  std::vector<std::unique_ptr<cdc::Connector>> connectors_;
  bool started_ = false;
};

}  // namespace millrace::app
