// DeleteGroups (KIP-229): only groups without members.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

Task<kafka::DeleteGroupsResponse> delete_groups(Services& services, Caller, kafka::DeleteGroupsRequest request) {
  kafka::DeleteGroupsResponse response;
  for (const std::string_view id : request.groups_names) {
    std::string group(id);
    const kafka::ErrorCode error = co_await services.coordinator.delete_group(group);
    response.results.push_back({std::move(group), wire(error)});
  }
  co_return response;
}

}  // namespace millrace::broker
