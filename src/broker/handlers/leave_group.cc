// LeaveGroup: one member, from version 3 on several (KIP-345).
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {
constexpr std::int16_t kLeaveGroupBatchedSince = 3;
}  // namespace

kafka::LeaveGroupResponse leave_group(Services& services, const Caller& caller,
                                      const kafka::LeaveGroupRequest& request) {
  kafka::LeaveGroupResponse response;
  kafka::LeaveGroupRequest normalized = request;
  if (caller.version < kLeaveGroupBatchedSince) normalized.members = {{request.member_id, std::nullopt, std::nullopt}};
  const auto errors = services.coordinator.leave(normalized);
  if (!errors) {
    response.error_code = wire(errors.error());
    return response;
  }
  if (caller.version < kLeaveGroupBatchedSince) {
    response.error_code = wire(errors->front());
    return response;
  }
  for (std::size_t i = 0; i < errors->size(); ++i) {
    const auto& member = normalized.members[i];
    std::optional<std::string> instance;
    if (member.group_instance_id) instance = std::string(*member.group_instance_id);
    response.members.push_back({std::string(member.member_id), std::move(instance), wire((*errors)[i])});
  }
  return response;
}

}  // namespace millrace::broker
