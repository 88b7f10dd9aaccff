// Balancer: which partitions to move so that brokers carry alike. Pure: no I/O; times are the caller's.
//
// Goal: no broker's score above 1.1, where a score is a broker's part of the partitions, of the bytes appended and read
// and of the CPU time, each against the mean of all brokers, weighted 3:5:2. Below 1 MB/s for the whole cluster only
// partitions count: rates and CPU are noise then.
//
// It begins when a score passes 1.3 and stops at 1.1, so that what moves about in between moves nothing (hysteresis);
// a partition that it moved rests for two minutes, one
// that somebody else moved for ten; at most 10 moves at a time, and none while others are under way.
// A move costs one slot flush of its leader, a metadata entry that all moves of a round share, and a GET for each slot
// that no object replaces yet. Scores are taken anew every 5 s.
#pragma once

#include <map>
#include <vector>

#include "base/clock.h"
#include "cluster/load.h"
#include "cluster/placement.h"

namespace millrace::cluster {

class Balancer {
 public:
  // Sees what is under way; to be called after each change.
  void note_moves(const MetadataState& state, SteadyTime now);
  // Moves to make now. `brokers`: those that may lead. Brokers without a load count as idle.
  std::vector<Record> plan(const MetadataState& state, const Candidates& brokers,
                           const std::map<std::int32_t, BrokerLoad>& loads, SteadyTime now);

 private:
  bool balancing_ = false;
  SteadyTime next_{};
  std::map<PartitionId, SteadyTime> rests_;  // until
};

}  // namespace millrace::cluster
