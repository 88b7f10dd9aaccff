#include "sim/fleet.h"

#include <fmt/format.h>

namespace millrace::sim {
namespace {

constexpr Machine kTwinMachines = 100;
constexpr std::int32_t kBrokersMax = 9;

}  // namespace

storage::EngineOptions Fleet::engine_options() {
  storage::EngineOptions options;
  options.slot_bytes_max = 300 + world_.below(3000);
  options.puts_in_flight_max = 1 + world_.below(12);
  options.idle_puts_per_second_max = world_.below(2) ? 1e6 : 50;
  options.tail_bytes_max = world_.below(3) ? 2000 : 1 << 20;
  options.unacked_bytes_max = world_.below(3) ? 1 << 20 : 3000;
  options.object_bytes_target = 2000 + world_.below(10'000);
  options.object_interval = Duration(1s * (1 + world_.below(10)));
  options.retention_check_interval = 5s;
  options.sweep_interval = 20s;
  options.put_unknown_deadline = Duration(1s * (4 + world_.below(10)));
  options.block_cache_bytes = world_.below(2) ? 4 << 20 : 0;
  options.merge_fan_in = world_.below(3) ? 2 + world_.below(4) : 0;
  options.rewrite_interval = Duration(100ms * (1 + world_.below(30)));
  options.cleaner_map_bytes = world_.below(2) ? 32 << 20 : 200;
  options.sabotage = variant_.sabotage;
  return options;
}

cluster::ClusterOptions Fleet::cluster_options() {
  cluster::ClusterOptions options;
  options.snapshot_after_entries = 20;
  options.balance = world_.chance(50) || options_.balances;
  options.lease_sabotage = variant_.lease;
  if (options_.session_timeout > Duration::zero()) options.broker_session_timeout = options_.session_timeout;
  return options;
}

void Fleet::choose_wals(WalMix mix) {
  if (mix == WalMix::kBySeed) {
    constexpr WalMix kMixes[] = {WalMix::kBucket, WalMix::kBucket, WalMix::kDisk, WalMix::kMixed};
    mix = kMixes[world_.below(4)];
  }
  for (std::int32_t id = 1; id <= kBrokersMax; ++id) {
    const bool on_disk = mix == WalMix::kDisk || (mix == WalMix::kMixed && world_.chance(50));
    if (on_disk) volumes_[id] = std::make_unique<disk::SimVolume>(world_.random());
  }
}

disk::SimVolume* Fleet::volume(std::int32_t broker_id) const {
  const auto found = volumes_.find(broker_id);
  return found == volumes_.end() ? nullptr : found->second.get();
}

// The kernel of a host lets go of what a dead process held.
void Fleet::bury_holders() {
  for (const auto& node : all_) {
    if (node->dead() && node->volume_session != 0) node->let_go_of_volume(options_.power_fails && world_.chance(50));
  }
}

std::shared_ptr<Node> Fleet::start(std::int32_t broker_id, Kind kind) {
  const bool twin = kind != Kind::kSupervised;
  bury_holders();
  NodeOptions options;
  options.broker_id = broker_id;
  // A twin that nobody should start finds no disk on its host.
  if (kind != Kind::kTwin) options.volume = volume(broker_id);
  options.takes_volume = kind == Kind::kTwinWithVolume;
  options.disk_sabotage = variant_.disk;
  options.machine = twin ? broker_id + kTwinMachines : broker_id;
  options.port = static_cast<std::uint16_t>(twin ? 9193 + twins_.size() : 9092);
  options.with_peers = options_.brokers > 1 || world_.below(2) == 0;
  options.listens_early = world_.below(2) == 0;
  options.cluster = cluster_options();
  options.engine = engine_options();
  auto node = std::make_shared<Node>(world_, network_, bucket_, std::move(options));
  auto& clock = node->place->clock;
  clock.steady_skew = world_.up_to(std::chrono::hours(1));
  if (options_.wall_skew_max > Duration::zero())
    clock.skew = world_.up_to(2 * options_.wall_skew_max) - options_.wall_skew_max;
  if (options_.drift_ppm_max > 0) {
    clock.drift_ppm = static_cast<std::int64_t>(world_.below(2 * static_cast<std::uint64_t>(options_.drift_ppm_max))) -
                      options_.drift_ppm_max;
  }
  // Between two handlers, early or late: while it recovers, commits, compacts or serves.
  if (options_.crashes) node->place->die_at = 1 + (world_.below(3) == 0 ? world_.below(400) : world_.below(8'000));
  all_.push_back(node);
  world_.trace("start",
               fmt::format("{}:{} #{}{}", node->host, node->port, all_.size(), node->options.volume ? " on disk" : ""));
  network_.listen(node);
  node->start();
  return node;
}

void Fleet::begin() {
  for (std::int32_t id = 1; id <= options_.brokers; ++id) spawn_on(world_.main().executor(), supervise(id));
}

Task<void> Fleet::supervise(std::int32_t broker_id) {
  Clock& clock = world_.main().clock;
  while (!ended_) {
    const auto node = start(broker_id, Kind::kSupervised);
    brokers_[broker_id] = node;
    while (!node->dead() && !node->over && !node->without_power() && !ended_) co_await sleep_for(clock, 100ms);
    if (ended_) co_return;
    look_at_error(*node);
    ++crashes_;
    const std::string why = node->error ? ": " + node->error->to_string() : std::string();
    world_.trace(node->dead() ? "died" : "over", node->host + why);
    // A process that learnt of its end takes a moment to leave.
    if (!node->dead() && !node->without_power()) co_await sleep_for(clock, world_.up_to(500ms));
    if (!node->dead()) world_.kill(*node->place);
    network_.killed(node->machine);
    brokers_[broker_id] = nullptr;
    co_await sleep_for(clock, world_.up_to(options_.restart_max));
    while (held_down_[broker_id]) co_await sleep_for(clock, 50ms);
  }
}

void Fleet::look_at_error(const Node& node) {
  if (!node.error || options_.may_refuse) return;
  if (node.error->code() != Code::kCorrupt && node.error->code() != Code::kInternal) return;
  violations_.add(fmt::format("broker {} does not open: {}", node.options.broker_id, node.error->to_string()));
}

void Fleet::calm_down() {
  options_.crashes = false;
  options_.restart_max = 1s;
  options_.power_fails = false;
  for (auto& [id, volume] : volumes_) volume->options() = {};
  for (auto& [id, held] : held_down_) held = false;
  for (const auto& node : alive()) node->place->die_at = ~std::uint64_t{0};
}

std::shared_ptr<Node> Fleet::start_twin(std::int32_t broker_id) {
  twins_.push_back(start(broker_id, Kind::kTwin));
  return twins_.back();
}

std::shared_ptr<Node> Fleet::move_volume(std::int32_t broker_id) {
  twins_.push_back(start(broker_id, Kind::kTwinWithVolume));
  return twins_.back();
}

void Fleet::kill(Node& node) {
  if (node.dead()) return;
  world_.kill(*node.place);
  network_.killed(node.machine);
}

void Fleet::kill_all() {
  for (const auto& node : alive()) kill(*node);
}

void Fleet::kill_twins() {
  for (const auto& node : twins_) kill(*node);
}

std::shared_ptr<Node> Fleet::broker(std::int32_t broker_id) const {
  const auto found = brokers_.find(broker_id);
  return found != brokers_.end() && found->second && !found->second->dead() ? found->second : nullptr;
}

std::vector<std::shared_ptr<Node>> Fleet::alive() const {
  std::vector<std::shared_ptr<Node>> nodes;
  for (const auto& [id, node] : brokers_) {
    if (node && !node->dead()) nodes.push_back(node);
  }
  for (const auto& node : twins_) {
    if (!node->dead()) nodes.push_back(node);
  }
  return nodes;
}

std::vector<std::shared_ptr<Node>> Fleet::listening() const {
  std::vector<std::shared_ptr<Node>> nodes = alive();
  std::erase_if(nodes, [](const auto& node) { return !node->listens(); });
  return nodes;
}

bool Fleet::all_open() const {
  for (std::int32_t id = 1; id <= options_.brokers; ++id) {
    const auto node = broker(id);
    if (!node || !node->open) return false;
  }
  return true;
}

}  // namespace millrace::sim
