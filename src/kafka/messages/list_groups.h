// ListGroups: the groups of a broker, filtered by state (version 4) and type (version 5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ListGroupsRequest {
  static constexpr MessageInfo kInfo{"ListGroupsRequest", 16, 0, 5, 3};

  std::vector<std::string_view> states_filter;
  std::vector<std::string_view> types_filter;

  static void visit(auto& a, auto& m) {
    a("states_filter", m.states_filter, since(4));
    a("types_filter", m.types_filter, since(5));
  }
  bool operator==(const ListGroupsRequest&) const = default;
};

struct ListGroupsResponse {
  static constexpr MessageInfo kInfo{"ListGroupsResponse", 16, 0, 5, 3};

  struct ListedGroup {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    static void visit(auto& a, auto& m) {
      a("group_id", m.group_id);
      a("protocol_type", m.protocol_type);
      a("group_state", m.group_state, since(4).ignorable());
      a("group_type", m.group_type, since(5).ignorable());
    }
    bool operator==(const ListedGroup&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<ListedGroup> groups;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("error_code", m.error_code);
    a("groups", m.groups);
  }
  bool operator==(const ListGroupsResponse&) const = default;
};

}  // namespace millrace::kafka
