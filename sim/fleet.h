// Fleet: the brokers' processes. Each broker has a supervisor, as an operator would give it: a process that died, could
// not open, or was fenced is replaced after a while. A twin is a second process of the same broker id, which nobody
// should start, and nobody supervises.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "sim/checker.h"
#include "sim/node.h"
#include "sim/variant.h"

namespace millrace::sim {

struct FleetOptions {
  int brokers = 1;
  bool crashes = true;        // processes die between any two of their handlers
  Duration restart_max = 3s;  // until a successor is started
  std::int64_t drift_ppm_max = 0;
  Duration wall_skew_max{0};
  bool may_refuse = false;     // to open, over what it finds in the bucket
  bool balances = false;       // controllers spread partitions, in any case and not by chance
  Duration session_timeout{};  // of brokers; 0: as shipped
  bool power_fails = false;    // some of those that die take what their disk was not told to keep with them
};

class Fleet {
 public:
  Fleet(World& world, Network& network, object::Store& bucket, Violations& violations, const Variant& variant)
      : world_(world), network_(network), bucket_(bucket), violations_(violations), variant_(variant) {}
  FleetOptions& options() { return options_; }

  // Starts the supervisors of all brokers.
  void begin();
  // No process dies by itself any more, and those that are down are started soon.
  void calm_down();
  // No process is started any more.
  void end() { ended_ = true; }

  std::shared_ptr<Node> start_twin(std::int32_t broker_id);
  // For every broker from now on. By seed: bucket in half of all cases.
  void choose_wals(WalMix mix);
  // Of the brokers that there are.
  bool any_disk() const { return !volumes_.empty() && volumes_.begin()->first <= options_.brokers; }
  // Null: its WAL is in the bucket.
  disk::SimVolume* volume(std::int32_t broker_id) const;
  // The broker is started on another host, on its volume, whoever holds that.
  std::shared_ptr<Node> move_volume(std::int32_t broker_id);
  void kill(Node& node);
  void kill_all();
  void kill_twins();
  // Its supervisor starts no successor until the broker is released.
  void hold_down(std::int32_t broker_id) { held_down_[broker_id] = true; }
  void release(std::int32_t broker_id) { held_down_[broker_id] = false; }

  // The supervised process; null while there is none.
  std::shared_ptr<Node> broker(std::int32_t broker_id) const;
  std::vector<std::shared_ptr<Node>> alive() const;      // twins too
  std::vector<std::shared_ptr<Node>> listening() const;  // of these, who answers
  bool all_open() const;
  std::uint64_t crashes() const { return crashes_; }

 private:
  enum class Kind { kSupervised, kTwin, kTwinWithVolume };
  std::shared_ptr<Node> start(std::int32_t broker_id, Kind kind);
  void bury_holders();
  storage::EngineOptions engine_options();
  cluster::ClusterOptions cluster_options();
  Task<void> supervise(std::int32_t broker_id);
  void look_at_error(const Node& node);

  World& world_;
  Network& network_;
  object::Store& bucket_;
  Violations& violations_;
  const Variant& variant_;
  FleetOptions options_;
  bool ended_ = false;
  std::map<std::int32_t, std::shared_ptr<Node>> brokers_;
  std::map<std::int32_t, bool> held_down_;
  std::vector<std::shared_ptr<Node>> twins_;
  std::vector<std::shared_ptr<Node>> all_;                            // a killed one is not destroyed
  std::map<std::int32_t, std::unique_ptr<disk::SimVolume>> volumes_;  // of those with a disk WAL
  std::uint64_t crashes_ = 0;
};

}  // namespace millrace::sim
