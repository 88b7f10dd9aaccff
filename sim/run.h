// One simulated run: brokers of production code, a faulty bucket and network, clients with the Java client's retry
// rules; all decided by one seed. The second half of the story is a liveness phase: faults and crashes end, and
// everything must be acknowledged, read back and complete within a bound of virtual time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/variant.h"

namespace millrace::sim {

struct RunReport {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;  // of all events, with their times
  std::uint64_t events = 0;
  std::uint64_t acks = 0, crashes = 0, faults = 0;
  int brokers = 0;
  std::vector<std::string> violations;
};

struct RunOptions {
  Variant variant;
  std::string scenario;  // a name of scenarios.h, or nothing for the random story
  int brokers = 0;       // 0: the seed decides
  WalMix wal = WalMix::kBySeed;
  bool log = false;  // what the brokers log, and each event of the simulation with its virtual time
};
RunReport run_seed(std::uint64_t seed, const RunOptions& options);

// Runs each seed twice in a process of its own (killed nodes are never destroyed, so memory is given back that way).
struct Campaign {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 100;
  RunOptions run;
  bool stop_at_first = false;
  bool verbose = false;
};
struct CampaignReport {
  std::vector<std::uint64_t> failed;
  std::uint64_t seeds_run = 0;
};
// Prints each violation with the command that replays it.
CampaignReport run_campaign(const Campaign& campaign);

}  // namespace millrace::sim
