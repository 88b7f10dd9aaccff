// SyncGroup: the leader hands in the assignment of a classic group, all members receive theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct SyncGroupRequest {
  static constexpr MessageInfo kInfo{"SyncGroupRequest", 14, 0, 5, 4};

  struct SyncGroupRequestAssignment {
    std::string_view member_id;
    std::string_view assignment;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("assignment", m.assignment, bytes());
    }
    bool operator==(const SyncGroupRequestAssignment&) const = default;
  };

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name;
  std::vector<SyncGroupRequestAssignment> assignments;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id);
    a("generation_id", m.generation_id);
    a("member_id", m.member_id);
    a("group_instance_id", m.group_instance_id, since(3));
    a("protocol_type", m.protocol_type, since(5).ignorable());
    a("protocol_name", m.protocol_name, since(5).ignorable());
    a("assignments", m.assignments);
  }
  bool operator==(const SyncGroupRequest&) const = default;
};

struct SyncGroupResponse {
  static constexpr MessageInfo kInfo{"SyncGroupResponse", 14, 0, 5, 4};

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string assignment;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("error_code", m.error_code);
    a("protocol_type", m.protocol_type, since(5).ignorable());
    a("protocol_name", m.protocol_name, since(5).ignorable());
    a("assignment", m.assignment, bytes());
  }
  bool operator==(const SyncGroupResponse&) const = default;
};

}  // namespace millrace::kafka
