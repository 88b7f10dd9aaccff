// Heartbeat: a classic group member is alive, and learns of a rebalance.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kafka/message.h"

namespace millrace::kafka {

struct HeartbeatRequest {
  static constexpr MessageInfo kInfo{"HeartbeatRequest", 12, 0, 4, 4};

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id);
    a("generation_id", m.generation_id);
    a("member_id", m.member_id);
    a("group_instance_id", m.group_instance_id, since(3));
  }
  bool operator==(const HeartbeatRequest&) const = default;
};

struct HeartbeatResponse {
  static constexpr MessageInfo kInfo{"HeartbeatResponse", 12, 0, 4, 4};

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("error_code", m.error_code);
  }
  bool operator==(const HeartbeatResponse&) const = default;
};

}  // namespace millrace::kafka
