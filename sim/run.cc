#include "sim/run.h"

#include "sim/faults.h"
#include "sim/scenarios.h"
#include "sim/stage.h"

namespace millrace::sim {
namespace {

constexpr Duration kEndsWithin = 1800s;  // of virtual time, storm included

// The story of a seed: a storm, and then everything must be well again.
Task<void> random_story(Stage& stage, const RunOptions& options) {
  const Weather weather = draw_weather(stage, options.brokers);
  stage.fleet.begin();
  stage.clients.begin(3);
  spawn_on(stage.world.main().executor(), make_trouble(stage, weather));
  co_await stage.wait(weather.storm);
  co_await stage.calm_and_check();
}

Task<void> play(Stage& stage, const RunOptions& options, bool& done) {
  if (options.scenario.empty()) {
    co_await random_story(stage, options);
  } else {
    const Scenario* scenario = find_scenario(options.scenario);
    CHECK(scenario);
    co_await scenario->story(stage);
    co_await stage.calm_and_check();
  }
  done = true;
}

RunReport report_of(Stage& stage) {
  RunReport report;
  report.hash = stage.world.hash();
  report.events = stage.world.events();
  report.crashes = stage.fleet.crashes();
  report.brokers = stage.fleet.options().brokers;
  const auto& counts = stage.bucket.counts();
  report.faults = counts.lost_requests + counts.lost_replies + counts.late_applies + counts.duplicates +
                  counts.conflicts + counts.slow + stage.network.counts().lost + stage.faults;
  report.acks = stage.clients.acks();
  report.violations = stage.violations.found;
  return report;
}

}  // namespace

RunReport run_seed(std::uint64_t seed, const RunOptions& options) {
  // Never destroyed: see World::kill.
  static std::vector<Stage*> kept;
  const Scenario* scenario = find_scenario(options.scenario);
  const bool own = options.wal == WalMix::kBySeed && scenario;
  auto* stage = new Stage(seed, options.variant, own ? scenario->wal : options.wal);
  kept.push_back(stage);
  stage->world.log_events(options.log);
  bool done = false;
  spawn_on(stage->world.main().executor(), play(*stage, options, done));
  if (!stage->world.run_until(done, stage->world.now() + kEndsWithin))
    stage->violations.add("the run did not end after the faults did");
  RunReport report = report_of(*stage);
  report.seed = seed;
  return report;
}

}  // namespace millrace::sim
