// Which live broker does a piece of work that any of them could do: one of them by the work's number, so that they
// share it and seldom do the same. Only a hint that saves work: what two do at once is refused at its Register (rule
// 9). Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/api.h"

namespace millrace::storage {

inline bool is_responsible(const cluster::Cluster& cluster, std::uint64_t number) {
  std::vector<std::int32_t> live;
  for (const auto& [id, broker] : cluster.state().brokers()) {
    if (broker.is_live()) live.push_back(id);
  }
  return !live.empty() && live[number % live.size()] == cluster.broker_id();
}

}  // namespace millrace::storage
