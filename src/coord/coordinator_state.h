// What the two halves of the Coordinator (coordinator.cc: requests; coordinator_load.cc: following the log)
// share. Not for others.
#pragma once

#include <optional>

#include "coord/coordinator.h"

namespace millrace::coord {

struct Coordinator::Entry {
  explicit Entry(Group group_in) : group(std::move(group_in)), phase_seen(group.phase()) {}
  Group group;
  Offsets offsets;
  GroupPhase phase_seen;
  int commits_in_flight = 0;
  std::optional<Clock::TimerId> timer;
  SteadyTime timer_at{};
};

}  // namespace millrace::coord
