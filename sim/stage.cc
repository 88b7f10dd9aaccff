#include "sim/stage.h"

namespace millrace::sim {

Stage::Stage(std::uint64_t seed, Variant which)
    : variant(std::move(which)),
      world(seed),
      violations(world),
      broken(world, memory, variant.store),
      bucket(broken, world.main().executor(), world.main().clock, world.random(), {}),
      network(world),
      fleet(world, network, bucket, violations, variant),
      clients(world, network, fleet, violations) {
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

Task<void> Stage::calm_and_check() {
  clients.end_storm();
  bucket.cut(false);
  bucket.options() = object::FaultOptions{.latency_min = 1ms, .latency_max = 5ms};
  network.heal_all();
  network.weather() = {};
  fleet.kill_twins();
  fleet.calm_down();
  while (!clients.idle()) co_await wait(100ms);
  fleet.kill_all();
  co_await wait(5s);
  co_await clients.read_everything();
  fleet.end();
}

}  // namespace millrace::sim
