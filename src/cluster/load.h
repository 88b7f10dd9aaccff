// What a broker tells the controller of itself with its polls, so that partitions can be spread by what they cost.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/records.h"

namespace millrace::cluster {

struct PartitionLoad {
  PartitionId partition;
  std::uint64_t bytes_per_second = 0;  // appended and read
  bool operator==(const PartitionLoad&) const = default;
};

// Means over the last seconds.
struct BrokerLoad {
  std::uint32_t cpu_permille = 0;  // of all cores of its machine
  std::uint64_t bytes_per_second = 0;
  LogSeq oldest_birth;  // of its uploads under way and of all that it will begin (rule 35); 0: not known yet
  std::vector<PartitionLoad> busiest;  // at most kBusiestMax, those with any traffic
  bool operator==(const BrokerLoad&) const = default;

  static constexpr std::size_t kBusiestMax = 200;
};

}  // namespace millrace::cluster
