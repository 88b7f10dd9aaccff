// The group coordinator's metrics.
#pragma once

#include "base/metrics.h"

namespace millrace::coord {

struct CoordinatorMetrics {
  explicit CoordinatorMetrics(Metrics& metrics)
      : groups(metrics.gauge("millrace_coord_groups", "Consumer groups known here.")),
        rebalances(metrics.counter("millrace_coord_rebalances_total", "Group generations begun.")),
        commits(metrics.counter("millrace_coord_offset_commits_total", "Offsets committed.")),
        expired(metrics.counter("millrace_coord_offsets_expired_total", "Offsets dropped because of their age.")),
        loads(metrics.counter("millrace_coord_partitions_loaded_total", "Partitions of __consumer_offsets loaded.")),
        load_seconds(
            metrics.histogram("millrace_coord_load_seconds", "Time to load one partition.", Metrics::latency_bounds())),
        unreadable(metrics.counter("millrace_coord_records_unreadable_total",
                                   "Records of __consumer_offsets that could not be read while loading.")) {}

  Gauge& groups;
  Counter& rebalances;
  Counter& commits;
  Counter& expired;
  Counter& loads;
  Histogram& load_seconds;
  Counter& unreadable;
};

}  // namespace millrace::coord
