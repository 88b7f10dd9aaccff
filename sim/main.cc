// sim_run: runs seeds of the simulation; see sim/README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "sim/run.h"
#include "sim/scenarios.h"

using millrace::sim::all_scenarios;
using millrace::sim::all_variants;
using millrace::sim::Campaign;
using millrace::sim::Expect;
using millrace::sim::WalMix;

namespace {

// Runs each variant until it is caught, or for as many seeds as it says; true when all are as expected.
bool run_mutants(Campaign campaign) {
  bool well = true;
  for (const auto& variant : all_variants()) {
    if (variant.name == "none") continue;
    Campaign one = campaign;
    one.seeds = variant.within;
    one.stop_at_first = true;
    one.run.variant = variant;
    one.run.brokers = variant.brokers;
    one.run.scenario = variant.scenario;
    const auto report = millrace::sim::run_campaign(one);
    const bool caught = !report.failed.empty();
    const bool expected = caught == (variant.expect == Expect::kCaught);
    fmt::print("{:<20} {:<10} {:>4} seeds{}   {}\n", variant.name, caught ? "caught in" : "holds over",
               report.seeds_run, expected ? "" : "   NOT AS EXPECTED", variant.what);
    std::fflush(stdout);
    well &= expected;
  }
  return well;
}

bool run_scenarios(Campaign campaign, const std::string& name) {
  bool well = true;
  for (const auto& scenario : all_scenarios()) {
    if (name != "all" && name != scenario.name) continue;
    campaign.run.scenario = scenario.name;
    const auto report = millrace::sim::run_campaign(campaign);
    fmt::print("{:<20} {:>4} seeds, {} failed   {}\n", scenario.name, report.seeds_run, report.failed.size(),
               scenario.what);
    std::fflush(stdout);
    well &= report.failed.empty();
  }
  return well;
}

int list_scenarios(const std::string& asked) {
  fmt::print(stderr, "--scenario {}: there is all, and\n", asked);
  for (const auto& known : all_scenarios()) fmt::print(stderr, "  {:<20} {}\n", known.name, known.what);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs brokers on virtual time with seeded faults and crashes, and checks what clients rely on");
  Campaign campaign;
  std::string variant = "none";
  bool mutants = false;
  app.add_option("--seeds", campaign.seeds, "How many seeds")->capture_default_str();
  app.add_option("--first-seed", campaign.first_seed, "The first one")->capture_default_str();
  app.add_option("--brokers", campaign.run.brokers, "How many brokers; 0: the seed decides")->capture_default_str();
  app.add_option("--variant", variant, "none, or a safeguard to break (--mutants names them)")->capture_default_str();
  std::string scenario;
  app.add_option("--scenario", scenario, "One of the scripted stories instead of the random one; all: each of them");
  const std::map<std::string, WalMix> mixes{
      {"seed", WalMix::kBySeed}, {"bucket", WalMix::kBucket}, {"disk", WalMix::kDisk}, {"mixed", WalMix::kMixed}};
  app.add_option("--wal", campaign.run.wal,
                 "Where brokers keep their WALs: bucket, disk, mixed; seed: the seed decides")
      ->transform(CLI::CheckedTransformer(mixes, CLI::ignore_case));
  app.add_flag("--mutants", mutants, "Show that each broken variant is caught within the seeds it is given");
  app.add_flag("--verbose", campaign.verbose, "One line for each seed");
  app.add_flag("--log", campaign.run.log, "Every event with its virtual time, and what the brokers log, to stderr");
  CLI11_PARSE(app, argc, argv);

  if (mutants) return run_mutants(campaign) ? 0 : 1;
  const auto* found = millrace::sim::find_variant(variant);
  if (!found) {
    fmt::print(stderr, "--variant {}: there is\n", variant);
    for (const auto& known : all_variants()) fmt::print(stderr, "  {:<20} {}\n", known.name, known.what);
    return 2;
  }
  campaign.run.variant = *found;
  if (!scenario.empty()) {
    if (scenario != "all" && !millrace::sim::find_scenario(scenario)) return list_scenarios(scenario);
    return run_scenarios(campaign, scenario) ? 0 : 1;
  }
  const auto report = millrace::sim::run_campaign(campaign);
  fmt::print("{} seeds, {} failed\n", report.seeds_run, report.failed.size());
  return report.failed.empty() ? 0 : 1;
}
