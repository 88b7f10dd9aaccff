// Heartbeat: a member lives; it learns of a rebalance by the error.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

kafka::HeartbeatResponse heartbeat(Services& services, const Caller&, const kafka::HeartbeatRequest& request) {
  kafka::HeartbeatResponse response;
  response.error_code = wire(services.coordinator.heartbeat(request));
  return response;
}

}  // namespace millrace::broker
