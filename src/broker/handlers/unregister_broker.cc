// UnregisterBroker: the cluster forgets a broker that is gone for good.
#include <fmt/format.h>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

ErrorCode code_of_refused_unregister(const Error& error) {
  switch (error.code()) {
    case Code::kNotFound: return ErrorCode::kBrokerIdNotRegistered;
    case Code::kUnavailable: return ErrorCode::kBrokerNotAvailable;
    default: return code_of_change(error);
  }
}

}  // namespace

Task<kafka::UnregisterBrokerResponse> unregister_broker(Services& services, Caller,
                                                        kafka::UnregisterBrokerRequest request) {
  kafka::UnregisterBrokerResponse response;
  const std::int32_t id = request.broker_id;
  const auto refuse = [&response](ErrorCode code, std::string message) {
    response.error_code = wire(code);
    response.error_message = std::move(message);
  };
  if (!services.cluster.state().brokers().contains(id)) {
    refuse(ErrorCode::kBrokerIdNotRegistered, fmt::format("Broker ID {} is not currently registered", id));
    co_return response;
  }
  std::vector<cluster::Record> records;
  records.emplace_back(cluster::UnregisterBrokerRecord{id});
  const auto done = co_await services.cluster.commit(std::move(records));
  if (!done) refuse(code_of_refused_unregister(done.error()), done.error().message());
  co_return response;
}

}  // namespace millrace::broker
