// sim_run: runs seeds of the simulation; see sim/README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "sim/run.h"

using millrace::sim::Campaign;
using millrace::sim::name_of;
using millrace::storage::Sabotage;

int main(int argc, char** argv) {
  CLI::App app("Runs the log on virtual time with seeded faults and crashes, and checks what clients rely on");
  Campaign campaign;
  std::string variant = "none";
  bool mutants = false;
  app.add_option("--seeds", campaign.seeds, "How many seeds")->capture_default_str();
  app.add_option("--first-seed", campaign.first_seed, "The first one")->capture_default_str();
  app.add_option("--variant", variant, "none, ack-before-durable, ack-out-of-order or forget-producers")
      ->capture_default_str();
  app.add_flag("--mutants", mutants, "Show that each broken variant is caught within --seeds seeds");
  app.add_flag("--verbose", campaign.verbose, "One line for each seed");
  CLI11_PARSE(app, argc, argv);

  const Sabotage all[] = {Sabotage::kNone, Sabotage::kAckBeforeDurable, Sabotage::kAckOutOfOrder,
                          Sabotage::kForgetProducers};
  if (mutants) {
    int missed = 0;
    for (const auto sabotage : all) {
      if (sabotage == Sabotage::kNone) continue;
      campaign.sabotage = sabotage;
      campaign.stop_at_first = true;
      const auto report = millrace::sim::run_campaign(campaign);
      fmt::print("{}: {} after {} seeds\n", name_of(sabotage), report.failed.empty() ? "NOT caught" : "caught",
                 report.seeds_run);
      missed += report.failed.empty();
    }
    return missed == 0 ? 0 : 1;
  }
  for (const auto sabotage : all) {
    if (variant != name_of(sabotage)) continue;
    campaign.sabotage = sabotage;
    const auto report = millrace::sim::run_campaign(campaign);
    fmt::print("{} seeds, {} failed\n", report.seeds_run, report.failed.size());
    return report.failed.empty() ? 0 : 1;
  }
  fmt::print(stderr, "--variant {}: there is none, ack-before-durable, ack-out-of-order and forget-producers\n",
             variant);
  return 2;
}
