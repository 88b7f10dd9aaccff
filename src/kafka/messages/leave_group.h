// LeaveGroup: leave a classic group; several members at once from version 3 on (KIP-345).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct LeaveGroupRequest {
  static constexpr MessageInfo kInfo{"LeaveGroupRequest", 13, 0, 5, 4};

  struct MemberIdentity {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    std::optional<std::string_view> reason;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("group_instance_id", m.group_instance_id);
      a("reason", m.reason, since(5).ignorable());
    }
    bool operator==(const MemberIdentity&) const = default;
  };

  std::string_view group_id;
  std::string_view member_id;
  std::vector<MemberIdentity> members;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id);
    a("member_id", m.member_id, until(2));
    a("members", m.members, since(3));
  }
  bool operator==(const LeaveGroupRequest&) const = default;
};

struct LeaveGroupResponse {
  static constexpr MessageInfo kInfo{"LeaveGroupResponse", 13, 0, 5, 4};

  struct MemberResponse {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("group_instance_id", m.group_instance_id);
      a("error_code", m.error_code);
    }
    bool operator==(const MemberResponse&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<MemberResponse> members;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("error_code", m.error_code);
    a("members", m.members, since(3));
  }
  bool operator==(const LeaveGroupResponse&) const = default;
};

}  // namespace millrace::kafka
