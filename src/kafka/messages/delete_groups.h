// DeleteGroups: remove empty groups with their offsets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DeleteGroupsRequest {
  static constexpr MessageInfo kInfo{"DeleteGroupsRequest", 42, 0, 2, 2};

  std::vector<std::string_view> groups_names;

  static void visit(auto& a, auto& m) { a("groups_names", m.groups_names); }
  bool operator==(const DeleteGroupsRequest&) const = default;
};

struct DeleteGroupsResponse {
  static constexpr MessageInfo kInfo{"DeleteGroupsResponse", 42, 0, 2, 2};

  struct DeletableGroupResult {
    std::string group_id;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("group_id", m.group_id);
      a("error_code", m.error_code);
    }
    bool operator==(const DeletableGroupResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeletableGroupResult> results;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("results", m.results);
  }
  bool operator==(const DeleteGroupsResponse&) const = default;
};

}  // namespace millrace::kafka
