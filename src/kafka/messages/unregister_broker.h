// UnregisterBroker: forget a broker that is gone (KIP-500).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kafka/message.h"

namespace millrace::kafka {

struct UnregisterBrokerRequest {
  static constexpr MessageInfo kInfo{"UnregisterBrokerRequest", 64, 0, 0, 0};

  std::int32_t broker_id = 0;

  static void visit(auto& a, auto& m) { a("broker_id", m.broker_id); }
  bool operator==(const UnregisterBrokerRequest&) const = default;
};

struct UnregisterBrokerResponse {
  static constexpr MessageInfo kInfo{"UnregisterBrokerResponse", 64, 0, 0, 0};

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code);
    a("error_message", m.error_message);
  }
  bool operator==(const UnregisterBrokerResponse&) const = default;
};

}  // namespace millrace::kafka
