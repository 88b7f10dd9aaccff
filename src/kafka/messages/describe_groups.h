// DescribeGroups: state and members of classic groups.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeGroupsRequest {
  static constexpr MessageInfo kInfo{"DescribeGroupsRequest", 15, 0, 6, 5};

  std::vector<std::string_view> groups;
  bool include_authorized_operations = false;

  static void visit(auto& a, auto& m) {
    a("groups", m.groups);
    a("include_authorized_operations", m.include_authorized_operations, since(3));
  }
  bool operator==(const DescribeGroupsRequest&) const = default;
};

struct DescribeGroupsResponse {
  static constexpr MessageInfo kInfo{"DescribeGroupsResponse", 15, 0, 6, 5};

  struct DescribedGroupMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    std::string member_metadata;
    std::string member_assignment;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("group_instance_id", m.group_instance_id, since(4).ignorable());
      a("client_id", m.client_id);
      a("client_host", m.client_host);
      a("member_metadata", m.member_metadata, bytes());
      a("member_assignment", m.member_assignment, bytes());
    }
    bool operator==(const DescribedGroupMember&) const = default;
  };

  struct DescribedGroup {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<DescribedGroupMember> members;
    std::int32_t authorized_operations = std::numeric_limits<std::int32_t>::min();

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("error_message", m.error_message, since(6));
      a("group_id", m.group_id);
      a("group_state", m.group_state);
      a("protocol_type", m.protocol_type);
      a("protocol_data", m.protocol_data);
      a("members", m.members);
      a("authorized_operations", m.authorized_operations, since(3));
    }
    bool operator==(const DescribedGroup&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("groups", m.groups);
  }
  bool operator==(const DescribeGroupsResponse&) const = default;
};

}  // namespace millrace::kafka
