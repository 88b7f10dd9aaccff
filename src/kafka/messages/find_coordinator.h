// FindCoordinator: the broker that looks after a group (type 0) or transaction (1). Several keys from version 4 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct FindCoordinatorRequest {
  static constexpr MessageInfo kInfo{"FindCoordinatorRequest", 10, 0, 6, 3};

  std::string_view key;
  std::int8_t key_type = 0;
  std::vector<std::string_view> coordinator_keys;

  static void visit(auto& a, auto& m) {
    a("key", m.key, until(3));
    a("key_type", m.key_type, since(1));
    a("coordinator_keys", m.coordinator_keys, since(4));
  }
  bool operator==(const FindCoordinatorRequest&) const = default;
};

struct FindCoordinatorResponse {
  static constexpr MessageInfo kInfo{"FindCoordinatorResponse", 10, 0, 6, 3};

  struct Coordinator {
    std::string key;
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    static void visit(auto& a, auto& m) {
      a("key", m.key);
      a("node_id", m.node_id);
      a("host", m.host);
      a("port", m.port);
      a("error_code", m.error_code);
      a("error_message", m.error_message);
    }
    bool operator==(const Coordinator&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::int32_t node_id = 0;
  std::string host;
  std::int32_t port = 0;
  std::vector<Coordinator> coordinators;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("error_code", m.error_code, until(3));
    a("error_message", m.error_message, between(1, 3).ignorable());
    a("node_id", m.node_id, until(3));
    a("host", m.host, until(3));
    a("port", m.port, until(3));
    a("coordinators", m.coordinators, since(4));
  }
  bool operator==(const FindCoordinatorResponse&) const = default;
};

}  // namespace millrace::kafka
