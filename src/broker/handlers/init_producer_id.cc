// InitProducerId for idempotent producers (KIP-98). Transactional ids are refused until there are
// transactions: clients give up at once and show the code.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

using kafka::ErrorCode;

Task<kafka::InitProducerIdResponse> init_producer_id(Services& services, Caller, kafka::InitProducerIdRequest request) {
  kafka::InitProducerIdResponse response;
  if (request.transactional_id) {
    // Not retriable, and its text in every client says that the broker is too old for what was asked.
    response.error_code =
        wire(request.transactional_id->empty() ? ErrorCode::kInvalidRequest : ErrorCode::kUnsupportedVersion);
    co_return response;
  }
  // Without a transactional id the answer is always a fresh one, whatever id and epoch the client had (as
  // Kafka's): nothing is remembered by which an epoch could be raised safely.
  const Result<std::int64_t> id = co_await services.cluster.allocate_producer_id();
  if (id) {
    response.producer_id = *id;
    response.producer_epoch = 0;
  } else {
    response.error_code = wire(ErrorCode::kCoordinatorLoadInProgress);  // retriable
  }
  co_return response;
}

}  // namespace millrace::broker
