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

// Calls f(id, BrokerState) for each broker that can be talked to.
template <class F>
void for_each_broker(const cluster::Cluster& cluster, F f) {
  for (const auto& [id, broker] : cluster.state().brokers()) f(id, broker);
}

}  // namespace millrace::broker
