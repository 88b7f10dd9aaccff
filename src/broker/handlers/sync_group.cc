// SyncGroup: answered once the leader's assignment is durable.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

Task<kafka::SyncGroupResponse> sync_group(Services& services, Caller, kafka::SyncGroupRequest request) {
  kafka::SyncGroupResponse response = co_await services.coordinator.sync(std::move(request));
  co_return response;
}

}  // namespace millrace::broker
