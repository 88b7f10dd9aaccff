// JoinGroup: enter a classic group and wait for its next generation (KIP-345 static members, KIP-394 member ids).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct JoinGroupRequest {
  static constexpr MessageInfo kInfo{"JoinGroupRequest", 11, 0, 9, 6};

  struct JoinGroupRequestProtocol {
    std::string_view name;
    std::string_view metadata;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("metadata", m.metadata, bytes());
    }
    bool operator==(const JoinGroupRequestProtocol&) const = default;
  };

  std::string_view group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::string_view protocol_type;
  std::vector<JoinGroupRequestProtocol> protocols;
  std::optional<std::string_view> reason;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id);
    a("session_timeout_ms", m.session_timeout_ms);
    a("rebalance_timeout_ms", m.rebalance_timeout_ms, since(1).ignorable());
    a("member_id", m.member_id);
    a("group_instance_id", m.group_instance_id, since(5));
    a("protocol_type", m.protocol_type);
    a("protocols", m.protocols);
    a("reason", m.reason, since(8).ignorable());
  }
  bool operator==(const JoinGroupRequest&) const = default;
};

struct JoinGroupResponse {
  static constexpr MessageInfo kInfo{"JoinGroupResponse", 11, 0, 9, 6};

  struct JoinGroupResponseMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string metadata;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("group_instance_id", m.group_instance_id, since(5).ignorable());
      a("metadata", m.metadata, bytes());
    }
    bool operator==(const JoinGroupResponseMember&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinGroupResponseMember> members;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    a("error_code", m.error_code);
    a("generation_id", m.generation_id);
    a("protocol_type", m.protocol_type, since(7).ignorable());
    a("protocol_name", m.protocol_name, always().nullable_since(7));
    a("leader", m.leader);
    a("skip_assignment", m.skip_assignment, since(9));
    a("member_id", m.member_id);
    a("members", m.members);
  }
  bool operator==(const JoinGroupResponse&) const = default;
};

}  // namespace millrace::kafka
