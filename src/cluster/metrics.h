// The metrics of the cluster room.
#pragma once

#include "base/metrics.h"

namespace millrace::cluster {

struct ClusterMetrics {
  explicit ClusterMetrics(Metrics& m)
      : entries(m.counter("millrace_cluster_entries_total", "Metadata log entries this process committed")),
        entry_bytes(m.counter("millrace_cluster_entry_bytes_total", "Bytes of the entries this process committed")),
        refusals(m.counter("millrace_cluster_refusals_total", "Batches that the state machine refused")),
        snapshots(m.counter("millrace_cluster_snapshots_total", "Metadata snapshots written")),
        snapshot_failures(m.counter("millrace_cluster_snapshot_failures_total", "Metadata snapshots that failed")),
        commit_seconds(m.histogram("millrace_cluster_commit_seconds",
                                   "From the start of an entry's PUT to its floor check", Metrics::latency_bounds())),
        queued(m.gauge("millrace_cluster_commits_queued", "Batches that wait for the next entry")),
        applied(m.gauge("millrace_cluster_applied_seq", "Number of the last applied metadata log entry")),
        topics(m.gauge("millrace_cluster_topics", "Topics")),
        objects(m.gauge("millrace_cluster_objects", "Registered data objects")) {}

  Counter& entries;
  Counter& entry_bytes;
  Counter& refusals;
  Counter& snapshots;
  Counter& snapshot_failures;
  Histogram& commit_seconds;
  Gauge& queued;
  Gauge& applied;
  Gauge& topics;
  Gauge& objects;
};

}  // namespace millrace::cluster
