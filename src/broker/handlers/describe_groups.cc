// DescribeGroups: state and members.
#include <fmt/format.h>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {
constexpr std::int16_t kNotFoundSince = 6;  // before, such a group is shown as dead (KIP-1043)
}  // namespace

kafka::DescribeGroupsResponse describe_groups(Services& services, const Caller& caller,
                                              const kafka::DescribeGroupsRequest& request) {
  kafka::DescribeGroupsResponse response;
  for (const std::string_view id : request.groups) {
    auto described = services.coordinator.describe(id);
    if (described) {
      if (request.include_authorized_operations) described->authorized_operations = kAllGroupOperations;
      response.groups.push_back(std::move(*described));
      continue;
    }
    auto& out = response.groups.emplace_back();
    out.group_id = std::string(id);
    if (described.error() == kafka::ErrorCode::kGroupIdNotFound) {
      out.group_state = "Dead";
      if (caller.version < kNotFoundSince) continue;
      out.error_message = fmt::format("Group {} not found.", id);
    }
    out.error_code = wire(described.error());
  }
  return response;
}

}  // namespace millrace::broker
