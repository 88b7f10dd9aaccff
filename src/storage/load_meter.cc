#include "storage/load_meter.h"

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr Duration kHealthInterval = 500ms;
constexpr int kHealthLooksPerMeasure = 4;
constexpr double kSmoothing = 0.3;  // of the newest two seconds: a step is followed to nine tenths in 14 s

}  // namespace

Task<void> LoadMeter::run(Event& stopping) {
  SteadyTime measured = parts_.clock.now();
  for (int look = 1; !stopping.is_set(); ++look) {
    parts_.cluster.set_healthy(parts_.committer.silent_for() < parts_.options.unhealthy_after);
    if (look % kHealthLooksPerMeasure == 0) {
      measure(std::chrono::duration<double>(parts_.clock.now() - measured).count());
      measured = parts_.clock.now();
    }
    const SteadyTime next = parts_.clock.now() + kHealthInterval;
    co_await stopping.wait_until(parts_.clock, next);
  }
}

void LoadMeter::measure(double seconds) {
  if (seconds <= 0) return;
  cluster::BrokerLoad load;
  double all = 0;
  for (const auto& [id, partition] : table_) {
    Meter& meter = meters_[id];
    const std::uint64_t now = partition->traffic_bytes;
    const auto moved = static_cast<double>(now >= meter.seen ? now - meter.seen : now);  // opened anew
    meter.seen = now;
    meter.rate += kSmoothing * (moved / seconds - meter.rate);
    all += meter.rate;
    if (meter.rate >= 1) load.busiest.push_back({id, static_cast<std::uint64_t>(meter.rate)});
  }
  if (meters_.size() > table_.size())
    std::erase_if(meters_, [this](const auto& entry) { return !table_.contains(entry.first); });
  const auto busier = [](const cluster::PartitionLoad& a, const cluster::PartitionLoad& b) {
    return std::tie(b.bytes_per_second, a.partition) < std::tie(a.bytes_per_second, b.partition);
  };
  const std::size_t keep = std::min(load.busiest.size(), cluster::BrokerLoad::kBusiestMax);
  std::partial_sort(load.busiest.begin(), load.busiest.begin() + static_cast<std::ptrdiff_t>(keep), load.busiest.end(),
                    busier);
  load.busiest.resize(keep);
  load.bytes_per_second = static_cast<std::uint64_t>(all);
  load.cpu_permille = cpu_permille(seconds);
  load.oldest_birth = parts_.oldest_birth();
  parts_.cluster.report_load(std::move(load));
}

std::uint32_t LoadMeter::cpu_permille(double seconds) {
  if (!parts_.options.cpu_used) return 0;
  const Duration used = parts_.options.cpu_used();
  const double share = std::chrono::duration<double>(used - cpu_seen_).count() / seconds;
  cpu_seen_ = used;
  cpu_ += kSmoothing * (1000 * share - cpu_);
  return static_cast<std::uint32_t>(std::clamp(cpu_, 0.0, 1000.0));
}

}  // namespace millrace::storage
