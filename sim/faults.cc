#include "sim/faults.h"

namespace millrace::sim {
namespace {

constexpr Duration kPauseMax = 40s;
constexpr Duration kCutMax = 15s;
constexpr Duration kDownMax = 60s;
constexpr Duration kStoreStormMax = 10s;
constexpr Duration kDiskTroubleMax = 15s;

void draw_bucket_faults(Stage& stage) {
  World& world = stage.world;
  auto& faults = stage.bucket.options();
  const auto some = [&](double most) {
    return world.below(2) ? most * static_cast<double>(world.below(100)) / 100 : 0.0;
  };
  faults.lost_request = some(0.05);
  faults.lost_reply = some(0.05);
  faults.late_apply = some(0.05);
  faults.duplicate = some(0.05);
  faults.conflict = some(0.1);
  faults.slow = some(0.1);
  faults.latency_min = 1ms;
  faults.latency_max = Duration(5ms * (1 + world.below(20)));
  faults.timeout = 1s;
  faults.slow_max = 2s;
  faults.late_max = 20s;
}

void draw_fleet(Stage& stage, int brokers) {
  World& world = stage.world;
  auto& options = stage.fleet.options();
  options.brokers = world.chance(40) ? 1 : static_cast<int>(2 + world.below(4));
  if (brokers > 0) options.brokers = brokers;
  options.crashes = world.chance(options.brokers == 1 ? 90 : 60);
  options.drift_ppm_max = world.chance(30) ? 50'000 : 0;
  options.wall_skew_max = world.chance(50) ? std::chrono::hours(1) : 0h;
  options.power_fails = world.chance(50);
  const Duration slowest = Duration(1ms * world.below(8));
  for (std::int32_t id = 1; id <= options.brokers; ++id) {
    if (auto* volume = stage.fleet.volume(id)) volume->options().latency_max = slowest;
  }
}

Task<void> heal_later(Stage& stage, Machine one, Machine other, Duration after) {
  co_await stage.wait(after);
  stage.network.heal(one, other);
}

void cut(Stage& stage, Machine one, Machine other, Duration most) {
  const auto way = stage.world.below(3);
  if (way != 0) stage.network.cut(one, other);
  if (way != 1) stage.network.cut(other, one);
  spawn_on(stage.world.main().executor(), heal_later(stage, one, other, stage.world.up_to(most)));
}

Task<void> store_storm(Stage& stage, Duration lasts) {
  const double before = stage.bucket.options().conflict;
  stage.bucket.options().conflict = 0.9;
  co_await stage.wait(lasts);
  if (stage.clients.storming()) stage.bucket.options().conflict = before;
}

Task<void> hold_down(Stage& stage, std::int32_t broker, Duration lasts) {
  stage.fleet.hold_down(broker);
  if (const auto node = stage.fleet.broker(broker)) stage.fleet.kill(*node);
  co_await stage.wait(lasts);
  stage.fleet.release(broker);
}

Task<void> restore_disk(Stage& stage, disk::SimVolume& volume, disk::SimDiskOptions before, Duration after) {
  co_await stage.wait(after);
  if (stage.clients.storming()) volume.options() = before;
}

void hurt_disk(Stage& stage, Node& node) {
  auto* volume = node.options.volume;
  if (!volume) return;
  const auto before = volume->options();
  const auto kind = stage.world.below(4);
  if (kind == 0) volume->fail_next_sync();
  if (kind == 1) volume->die_at_step(1 + stage.world.below(6));
  if (kind == 2) volume->options().capacity = volume->bytes();
  if (kind == 3) volume->options().latency_max = stage.world.up_to(2s);
  const Duration lasts = stage.world.up_to(kDiskTroubleMax);
  if (kind >= 2) spawn_on(stage.world.main().executor(), restore_disk(stage, *volume, before, lasts));
}

// Its host is taken for dead, and is not.
void move_volume(Stage& stage, Node& node) {
  if (!node.options.volume || node.options.takes_volume) return;
  const auto way = stage.world.below(3);
  if (way == 0) stage.world.pause(*node.place, stage.world.up_to(kPauseMax));
  if (way == 1) cut(stage, node.machine, kBucket, kCutMax);
  stage.fleet.move_volume(node.options.broker_id);
}

void pause(Stage& stage, Node& node) { stage.world.pause(*node.place, stage.world.up_to(kPauseMax)); }

void jump_clock(Stage& stage, Node& node) { node.place->clock.skew += stage.world.up_to(2h) - Duration(1h); }

void cut_links(Stage& stage, Node& node) {
  const auto others = stage.fleet.alive();
  const bool from_all = stage.world.chance(40);
  const auto one = others[stage.world.below(others.size())];
  for (const auto& other : others) {
    if (other->machine != node.machine && (from_all || other == one)) cut(stage, node.machine, other->machine, kCutMax);
  }
}

// Not a fault of anybody: an administrator, or a balancer, moves some partitions.
void move_partitions(Stage& stage, Node& asked) {
  const auto& models = stage.clients.models();
  std::vector<cluster::Record> records;
  for (auto some = models.empty() ? 0 : 1 + stage.world.below(4); some > 0; --some) {
    const auto& model = models[stage.world.below(models.size())];
    if (model->gone) continue;
    const auto brokers = static_cast<std::uint64_t>(stage.fleet.options().brokers);
    const auto to = static_cast<std::int32_t>(1 + stage.world.below(brokers));
    records.emplace_back(cluster::MovePartitionRecord{model->id(), to});
  }
  if (!records.empty()) asked.commit(std::move(records));
}

void hurt(Stage& stage, const std::shared_ptr<Node>& node, bool Weather::* kind) {
  const auto executor = stage.world.main().executor();
  if (kind == &Weather::pauses) pause(stage, *node);
  if (kind == &Weather::clock_jumps) jump_clock(stage, *node);
  if (kind == &Weather::bucket_cuts) cut(stage, node->machine, kBucket, kCutMax);
  if (kind == &Weather::link_cuts) cut_links(stage, *node);
  if (kind == &Weather::client_cuts) cut(stage, kClients, node->machine, kCutMax);
  if (kind == &Weather::twins) stage.fleet.start_twin(node->options.broker_id);
  if (kind == &Weather::moves) move_partitions(stage, *node);
  if (kind == &Weather::leaves) node->leave(stage.world.up_to(20s));
  if (kind == &Weather::mass_kills) stage.fleet.kill_all();
  if (kind == &Weather::store_storms) spawn_on(executor, store_storm(stage, stage.world.up_to(kStoreStormMax)));
  if (kind == &Weather::disk_faults) hurt_disk(stage, *node);
  if (kind == &Weather::volume_moves) move_volume(stage, *node);
  if (kind == &Weather::long_downs)
    spawn_on(executor, hold_down(stage, node->options.broker_id, stage.world.up_to(kDownMax)));
}

constexpr bool Weather::* kKinds[] = {
    &Weather::pauses, &Weather::clock_jumps, &Weather::bucket_cuts,  &Weather::link_cuts,  &Weather::client_cuts,
    &Weather::twins,  &Weather::mass_kills,  &Weather::store_storms, &Weather::long_downs, &Weather::moves,
    &Weather::leaves, &Weather::disk_faults, &Weather::volume_moves};

}  // namespace

Weather draw_weather(Stage& stage, int brokers) {
  World& world = stage.world;
  draw_fleet(stage, brokers);
  draw_bucket_faults(stage);
  auto& network = stage.network.weather();
  network.delay_max = Duration(1ms * (1 + world.below(30)));
  network.lost_percent = world.chance(50) ? world.below(4) : 0;
  network.late_percent = world.chance(30) ? world.below(3) : 0;
  Weather weather;
  const bool alone = stage.fleet.options().brokers == 1;
  if (!alone) weather.storm = Duration(1s * (25 + world.below(20)));
  weather.between_faults = Duration(1s * (2 + world.below(8)));
  for (auto kind : kKinds) weather.*kind = world.chance(alone ? 15 : 30);
  weather.moves |= !alone && world.chance(50);
  const bool disks = stage.fleet.any_disk();
  weather.disk_faults &= disks;
  weather.volume_moves &= disks;
  return weather;
}

Task<void> make_trouble(Stage& stage, Weather weather) {
  std::vector<bool Weather::*> kinds;
  for (auto kind : kKinds) {
    if (weather.*kind) kinds.push_back(kind);
  }
  while (!kinds.empty() && stage.clients.storming()) {
    co_await stage.wait(stage.world.up_to(weather.between_faults));
    const auto nodes = stage.fleet.alive();
    if (nodes.empty() || !stage.clients.storming()) continue;
    const auto node = nodes[stage.world.below(nodes.size())];
    const auto kind = kinds[stage.world.below(kinds.size())];
    stage.world.trace("fault", node->host);
    ++stage.faults;
    hurt(stage, node, kind);
  }
}

}  // namespace millrace::sim
