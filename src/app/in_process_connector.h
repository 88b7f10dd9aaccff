// Plugs client::Connector into the broker of this process: no socket, no copy. Calls cross from the
// client's thread to the broker's by message and keep their order.
#pragma once

#include <memory>

#include "broker/api.h"
#include "client/client.h"

namespace millrace::app {

// `broker` must outlive every channel; close() makes later calls fail with kUnavailable, which comes first
// in the order of stopping. Any thread.
class InProcessConnector final : public client::Connector {
 public:
  InProcessConnector(Executor broker_executor, broker::Broker& broker);
  ~InProcessConnector() override;
  Task<Result<std::unique_ptr<client::Channel>>> connect(std::string host, std::uint16_t port) override;
  void close();

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace millrace::app
