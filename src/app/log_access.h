// How cdc and sql reach the log: in this process (connector set), or over TCP (connector null).
#pragma once

#include <cstdint>
#include <string>

#include "client/client.h"

namespace millrace::app {

struct LogAccess {
  client::Connector* connector = nullptr;
  std::string host;
  std::uint16_t port = 0;

  client::ClientOptions client_options(std::string client_id) const {
    client::ClientOptions options;
    options.bootstrap_host = host;
    options.bootstrap_port = port;
    options.client_id = std::move(client_id);
    return options;
  }
};

}  // namespace millrace::app
