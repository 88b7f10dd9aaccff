#include "sim/stage.h"

#include <fmt/format.h>

namespace millrace::sim {
namespace {

constexpr Duration kRecoversWithin = 300s;

}  // namespace

Stage::Stage(std::uint64_t seed, Variant which, WalMix wal)
    : variant(std::move(which)),
      world(seed),
      violations(world),
      broken(world, memory, variant.store),
      bucket(broken, world.main().executor(), world.main().clock, world.random(), {}),
      network(world),
      fleet(world, network, bucket, violations, variant),
      clients(world, network, fleet, violations) {
  fleet.choose_wals(wal == WalMix::kBySeed ? variant.wal : wal);
  bucket.set_hook([this](object::FaultyStore::Step step, std::string_view operation, std::string_view key) {
    world.trace(operation, key);
    world.trace(step == object::FaultyStore::Step::kBefore ? "before" : "after");
  });
}

Task<bool> Stage::until(std::function<bool()> holds, Duration patience) {
  const SteadyTime deadline = clock().now() + patience;
  while (!holds() && clock().now() < deadline) co_await sleep_for(clock(), 20ms);
  co_return holds();
}

Task<void> Stage::open(int brokers, int topics, bool balances) {
  fleet.options().brokers = brokers;
  fleet.options().crashes = false;
  fleet.options().restart_max = 1s;
  fleet.options().balances = balances;
  bucket.options() = object::FaultOptions{.latency_min = 1ms, .latency_max = 20ms, .timeout = 1s};
  fleet.begin();
  const bool opened = co_await until([this] { return fleet.all_open(); }, 60s);
  if (!opened) violations.add("not all brokers open within 60 s");
  clients.begin(topics);
  co_await wait(4s);
}

Task<void> Stage::expect_progress(Duration within, const char* after) {
  std::vector<std::pair<Model, std::size_t>> before;
  for (const auto& model : clients.models()) before.emplace_back(model, model->acks());
  const std::function<bool()> moved = [this, &before] {
    return std::all_of(before.begin(), before.end(), [this](const auto& one) {
      return one.first->gone || one.first->acks() > one.second || waits_for_disk(*one.first);
    });
  };
  const bool did = co_await until(moved, within);
  if (did) co_return;
  for (const auto& [model, acks] : before) {
    if (model->gone || model->acks() > acks || waits_for_disk(*model)) continue;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(within).count();
    violations.add(fmt::format("{}: nothing is acknowledged for {} s after {}", model->name(), seconds, after));
  }
}

// Rule 21: nobody but a process of that broker, on its volume, goes on with what it led.
bool Stage::waits_for_disk(const PartitionModel& model) const {
  const auto* partition = newest_state_of(model);
  if (!partition || !partition->leader_broker || !fleet.volume(*partition->leader_broker)) return false;
  const auto node = fleet.broker(*partition->leader_broker);
  return !node || !node->open || node->paused() || network.troubles(node->machine);
}

const cluster::PartitionState* Stage::newest_state_of(const PartitionModel& model) const {
  std::shared_ptr<Node> best;
  for (const auto& node : fleet.listening()) {
    if (!best || node->cluster->state().applied() > best->cluster->state().applied()) best = node;
  }
  return best ? best->cluster->state().partition(model.id()) : nullptr;
}

std::shared_ptr<Node> Stage::leader_of(const PartitionModel& model) const {
  const auto* partition = newest_state_of(model);
  return partition && partition->leader_broker ? fleet.broker(*partition->leader_broker) : nullptr;
}

Task<std::shared_ptr<Node>> Stage::some_leader() {
  while (fleet.alive().empty()) co_await wait(50ms);
  std::vector<std::shared_ptr<Node>> leaders;
  for (const auto& model : clients.models()) {
    const auto leader = model->gone ? nullptr : leader_of(*model);
    if (leader) leaders.push_back(leader);
  }
  if (leaders.empty()) leaders = fleet.alive();
  co_return leaders[world.below(leaders.size())];
}

std::shared_ptr<Node> Stage::controller() const {
  for (const auto& node : fleet.alive()) {
    if (node->cluster && node->cluster->is_controller()) return node;
  }
  return nullptr;
}

Task<void> Stage::calm_and_check() {
  clients.end_storm();
  bucket.cut(false);
  bucket.options() = object::FaultOptions{.latency_min = 1ms, .latency_max = 5ms};
  network.heal_all();
  network.weather() = {};
  fleet.kill_twins();
  fleet.calm_down();
  const std::function<bool()> idle = [this] { return clients.idle(); };
  const bool well = co_await until(idle, kRecoversWithin);
  if (!well) {
    violations.add(fmt::format("the faults are over for {} s, and not acknowledged is: {}", kRecoversWithin / 1s,
                               clients.waiting_for()));
    co_return;
  }
  fleet.kill_all();
  co_await wait(5s);
  co_await clients.read_everything();
  fleet.end();
}

}  // namespace millrace::sim
