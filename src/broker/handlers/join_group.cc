// JoinGroup: the rules are in coord/group.h; here only what depends on the version.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

Task<kafka::JoinGroupResponse> join_group(Services& services, Caller caller, kafka::JoinGroupRequest request) {
  kafka::JoinGroupResponse response =
      co_await services.coordinator.join(std::move(request), caller.version, caller.client_id, caller.host);
  // Null exists from version 7 on.
  if (caller.version < 7 && !response.protocol_name) response.protocol_name = "";
  co_return response;
}

}  // namespace millrace::broker
