// DescribeCluster (KIP-700): who is there.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

constexpr std::int8_t kBrokerEndpoints = 1;
constexpr std::int8_t kControllerEndpoints = 2;

}  // namespace

kafka::DescribeClusterResponse describe_cluster(Services& services, const Caller&,
                                                const kafka::DescribeClusterRequest& request) {
  kafka::DescribeClusterResponse response;
  if (request.endpoint_type != kBrokerEndpoints) {
    const bool known = request.endpoint_type == kControllerEndpoints;
    response.error_code =
        wire(known ? kafka::ErrorCode::kMismatchedEndpointType : kafka::ErrorCode::kUnsupportedEndpointType);
    response.error_message = "This endpoint is a broker's.";
    return response;
  }
  response.endpoint_type = kBrokerEndpoints;
  response.cluster_id = services.cluster.cluster_id().to_string();
  response.controller_id = controller_to_show(services.cluster);
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kAllClusterOperations;
  for (const auto& [id, broker] : services.cluster.state().brokers()) {
    const bool fenced = !broker.is_live();
    if (fenced && !request.include_fenced_brokers) continue;  // KIP-1073
    response.brokers.push_back({id, broker.host, broker.port, rack_of(broker), fenced});
  }
  return response;
}

}  // namespace millrace::broker
