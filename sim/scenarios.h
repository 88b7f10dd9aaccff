// Scenarios: the cases that such systems got wrong elsewhere, each as a story of its own on the Stage, followed by the
// same calm phase and checks as the random story. A seed still decides delays, sizes and who is hit.
#pragma once

#include <string>
#include <vector>

#include "sim/stage.h"

namespace millrace::sim {

struct Scenario {
  std::string name;
  std::string what;
  Task<void> (*story)(Stage& stage);
  WalMix wal = WalMix::kBySeed;  // that it is about
};

const std::vector<Scenario>& all_scenarios();
const Scenario* find_scenario(const std::string& name);

}  // namespace millrace::sim
