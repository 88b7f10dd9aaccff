// FindCoordinator: which broker looks after a group; creates `__consumer_offsets` when the first one asks.
#include <fmt/format.h>

#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using Coordinator = kafka::FindCoordinatorResponse::Coordinator;

constexpr std::int16_t kFindCoordinatorBatchedSince = 4;  // KIP-699
constexpr std::int8_t kGroupKey = 0;

Task<Coordinator> find(Services& services, std::string key, std::int8_t key_type) {
  Coordinator out;
  out.key = key;
  out.node_id = -1;
  out.port = -1;
  const auto refuse = [&](ErrorCode code, std::string message) {
    out.error_code = wire(code);
    out.error_message = std::move(message);
  };
  if (key_type != kGroupKey) {
    // Not retriable: a client that waits for a transaction coordinator would wait for ever.
    refuse(ErrorCode::kInvalidRequest, fmt::format("coordinators of type {} are not supported yet", key_type));
    co_return out;
  }
  const ErrorCode prepared = co_await services.coordinator.prepare(key);
  if (prepared != ErrorCode::kNone) {
    refuse(prepared, "the coordinator is not available");
    co_return out;
  }
  const auto* topic = services.topics.find(coord::kOffsetsTopic);
  const auto partition = coord::partition_for_group(key, static_cast<std::int32_t>(topic->partitions.size()));
  const auto leader = services.topics.leader_of(*topic, partition);
  const auto& brokers = services.cluster.state().brokers();
  const auto broker = leader ? brokers.find(leader->broker) : brokers.end();
  if (broker == brokers.end()) {
    refuse(ErrorCode::kCoordinatorNotAvailable, "the coordinator is not available");
    co_return out;
  }
  out.node_id = broker->first;
  out.host = broker->second.host;
  out.port = broker->second.port;
  co_return out;
}

}  // namespace

Task<kafka::FindCoordinatorResponse> find_coordinator(Services& services, Caller caller,
                                                      kafka::FindCoordinatorRequest request) {
  kafka::FindCoordinatorResponse response;
  if (caller.version >= kFindCoordinatorBatchedSince) {
    for (const std::string_view key : request.coordinator_keys) {
      std::string group(key);
      Coordinator found = co_await find(services, std::move(group), request.key_type);
      response.coordinators.push_back(std::move(found));
    }
    co_return response;
  }
  std::string group(request.key);
  const Coordinator found = co_await find(services, std::move(group), request.key_type);
  response.error_code = found.error_code;
  response.error_message = found.error_message;
  response.node_id = found.node_id;
  response.host = found.host;
  response.port = found.port;
  co_return response;
}

}  // namespace millrace::broker
