// ListGroups, filtered by state (KIP-518) and type (KIP-848); letter case does not matter in filters.
#include <algorithm>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

constexpr std::string_view kClassic = "Classic";

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool passes(const std::vector<std::string_view>& filter, std::string_view value) {
  return filter.empty() ||
         std::ranges::any_of(filter, [&](std::string_view each) { return same_letters(each, value); });
}

}  // namespace

kafka::ListGroupsResponse list_groups(Services& services, const Caller&, const kafka::ListGroupsRequest& request) {
  kafka::ListGroupsResponse response;
  const auto groups = services.coordinator.list();
  if (!groups) {
    response.error_code = wire(groups.error());
    return response;
  }
  for (const auto& group : *groups) {
    if (!passes(request.states_filter, group.state) || !passes(request.types_filter, kClassic)) continue;
    response.groups.push_back({group.id, group.protocol_type, group.state, std::string(kClassic)});
  }
  return response;
}

}  // namespace millrace::broker
