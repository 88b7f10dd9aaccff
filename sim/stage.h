// Stage: all that a run needs, put together: the world, the bucket with its faults, the network, the brokers, the
// clients and what the checkers found. Stories (run.cc, scenarios.cc) play on it and end with `calm_and_check`.
#pragma once

#include "object/faulty_store.h"
#include "object/memory_store.h"
#include "sim/broken_store.h"
#include "sim/clients.h"
#include "sim/fleet.h"
#include "sim/network.h"
#include "sim/variant.h"
#include "sim/world.h"

namespace millrace::sim {

struct Stage {
  // `wal`: by seed means as the variant wants it.
  Stage(std::uint64_t seed, Variant variant, WalMix wal);

  Clock& clock() { return world.main().clock; }
  Task<void> wait(Duration duration) { return sleep_for(clock(), duration); }
  // A calm start: so many brokers that do not crash, topics and their clients.
  Task<void> open(int brokers, int topics, bool balances = false);
  // Within that time every partition acknowledges something new.
  Task<void> expect_progress(Duration within, const char* after);
  // It has no leader until a broker with a disk WAL is well again.
  bool waits_for_disk(const PartitionModel& model) const;
  const cluster::PartitionState* newest_state_of(const PartitionModel& model) const;
  // Of a partition that has clients; null while nobody leads it.
  std::shared_ptr<Node> leader_of(const PartitionModel& model) const;
  // Of some partition; any process while there is none, as soon as there is one.
  Task<std::shared_ptr<Node>> some_leader();
  // Whoever appends to the metadata log.
  std::shared_ptr<Node> controller() const;
  // True once `holds`; false when that took longer than `patience`.
  Task<bool> until(std::function<bool()> holds, Duration patience);
  // Faults end and the dead return; within a bound of virtual time all is acknowledged. Then every process is started
  // anew, from the bucket alone, and everything is read back.
  Task<void> calm_and_check();

  Variant variant;
  World world;
  Violations violations;
  object::MemoryStore memory;
  BrokenStore broken;
  object::FaultyStore bucket;
  Network network;
  Fleet fleet;
  Clients clients;
  std::uint64_t faults = 0;  // of the injector
};

}  // namespace millrace::sim
