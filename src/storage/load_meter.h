// LoadMeter: what this broker carries, measured over a few seconds and reported to the controller, and whether the
// store still takes its slots. One thread.
#pragma once

#include "storage/engine_parts.h"
#include "storage/log/partition_table.h"

namespace millrace::storage {

class LoadMeter {
 public:
  LoadMeter(EngineParts& parts, const PartitionTable& table) : parts_(parts), table_(table) {}

  Task<void> run(Event& stopping);

 private:
  void measure(double seconds);
  std::uint32_t cpu_permille(double seconds);

  struct Meter {
    std::uint64_t seen = 0;
    double rate = 0;
  };

  EngineParts& parts_;
  const PartitionTable& table_;
  std::unordered_map<PartitionId, Meter, PartitionIdHash> meters_;
  Duration cpu_seen_{0};
  double cpu_ = 0;
};

}  // namespace millrace::storage
