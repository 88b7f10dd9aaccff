// Bits that several handlers share.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "broker/services.h"
#include "kafka/errors.h"

namespace millrace::broker {

// Numbers of AclOperation (KIP-430), as bits of "authorized operations".
constexpr std::int32_t operation_bits(std::initializer_list<int> operations) {
  std::int32_t bits = 0;
  for (const int operation : operations) bits |= 1 << operation;
  return bits;
}
// Without an authorizer everything that the resource knows is allowed.
inline constexpr std::int32_t kAllTopicOperations = operation_bits({3, 4, 5, 6, 7, 8, 10, 11});
inline constexpr std::int32_t kAllClusterOperations = operation_bits({5, 7, 8, 9, 10, 11, 12});
inline constexpr std::int32_t kAllGroupOperations = operation_bits({3, 6, 8, 10, 11});

inline std::int16_t wire(kafka::ErrorCode code) { return kafka::to_wire(code); }

// Calls f(id, BrokerState) for each broker that can be talked to: those that are fenced are not listed (KIP-631).
template <class F>
void for_each_live_broker(const cluster::Cluster& cluster, F f) {
  for (const auto& [id, broker] : cluster.state().brokers()) {
    if (broker.is_live()) f(id, broker);
  }
}

inline std::optional<std::string> rack_of(const cluster::BrokerState& broker) {
  if (broker.rack.empty()) return std::nullopt;
  return broker.rack;
}

// Any broker takes a controller's requests, so while there is none this one will do.
inline std::int32_t controller_to_show(const cluster::Cluster& cluster) {
  const auto& state = cluster.state();
  const auto controller = state.brokers().find(state.controller_id());
  const bool there = controller != state.brokers().end() && controller->second.is_live();
  return there ? controller->first : cluster.broker_id();
}

}  // namespace millrace::broker
