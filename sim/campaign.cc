#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "base/log.h"
#include "sim/run.h"

namespace millrace::sim {
namespace {

// A seed takes about a second. One that takes this long turns in circles: a failure of sound code, and of
// broken code nothing that a checker noticed.
constexpr rlim_t kCpuSecondsMax = 120;
constexpr rlim_t kSabotagedCpuSecondsMax = 12;

std::string command_of(const Campaign& campaign) {
  std::string command = "sim_run";
  if (campaign.run.brokers > 0 && campaign.run.scenario.empty())
    command += fmt::format(" --brokers {}", campaign.run.brokers);
  constexpr const char* kMixes[] = {"", " --wal bucket", " --wal disk", " --wal mixed"};
  command += kMixes[static_cast<std::size_t>(campaign.run.wal)];
  if (campaign.run.variant.name != "none") command += " --variant " + campaign.run.variant.name;
  if (!campaign.run.scenario.empty()) command += " --scenario " + campaign.run.scenario;
  return command;
}

// In the child: both runs of one seed; the exit code tells the parent.
[[noreturn]] void run_twice(std::uint64_t seed, const Campaign& campaign) {
  const rlim_t seconds = campaign.run.variant.sound() ? kCpuSecondsMax : kSabotagedCpuSecondsMax;
  const rlimit limit{seconds, seconds + 1};
  setrlimit(RLIMIT_CPU, &limit);
  constexpr auto kSilent = static_cast<LogLevel>(static_cast<int>(LogLevel::kError) + 1);
  configure_logging(LogFormat::kText, campaign.run.log ? LogLevel::kInfo : kSilent);
  const RunReport first = run_seed(seed, campaign.run);
  configure_logging(LogFormat::kText, kSilent);
  RunOptions silent = campaign.run;
  silent.log = false;
  const RunReport second = run_seed(seed, silent);
  bool failed = !first.violations.empty();
  for (const auto& violation : first.violations) fmt::print(stderr, "seed {}: {}\n", seed, violation);
  if (first.hash != second.hash || first.events != second.events) {
    fmt::print(stderr, "seed {}: two runs differ ({} and {} events)\n", seed, first.events, second.events);
    failed = true;
  }
  if (campaign.verbose) {
    fmt::print("seed {}: {} brokers, {} events, {} acknowledged records, {} crashes, {} faults, hash {:016x}\n", seed,
               first.brokers, first.events, first.acks, first.crashes, first.faults, first.hash);
  }
  std::fflush(nullptr);
  _exit(failed ? 1 : 0);
}

}  // namespace

CampaignReport run_campaign(const Campaign& campaign) {
  constexpr std::size_t kAtOnce = 2;
  CampaignReport report;
  std::map<pid_t, std::uint64_t> running;
  std::uint64_t next = campaign.first_seed;
  std::uint64_t end = campaign.first_seed + campaign.seeds;
  bool stopped = false;
  while (!running.empty() || next < end) {
    while (next < end && running.size() < kAtOnce) {
      std::fflush(nullptr);
      const pid_t child = fork();
      if (child == 0) run_twice(next, campaign);
      if (child < 0) {
        fmt::print(stderr, "cannot run seed {} in a process of its own\n", next);
        report.failed.push_back(next);
        return report;
      }
      running.emplace(child, next++);
    }
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    const auto at = running.find(ended);
    if (at == running.end()) continue;
    const std::uint64_t seed = at->second;
    running.erase(at);
    if (stopped) continue;  // killed below
    ++report.seeds_run;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    const bool circled = WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
    if (circled && !campaign.run.variant.sound()) continue;
    report.failed.push_back(seed);
    if (WIFSIGNALED(status) && !circled) fmt::print(stderr, "seed {}: killed by signal {}\n", seed, WTERMSIG(status));
    if (circled) fmt::print(stderr, "seed {}: no end within {} CPU seconds\n", seed, kCpuSecondsMax);
    if (campaign.run.variant.sound()) {
      fmt::print(stderr, "replay with: {} --seeds 1 --first-seed {} --verbose --log\n", command_of(campaign), seed);
    }
    if (!campaign.stop_at_first) continue;
    stopped = true;
    end = next;
    for (const auto& [other, other_seed] : running) kill(other, SIGKILL);
  }
  return report;
}

}  // namespace millrace::sim
