// The metrics of this room. References live as long as the Metrics registry. No labels.
#pragma once

#include "base/metrics.h"

namespace millrace::disk {

struct DiskMetrics {
  explicit DiskMetrics(Metrics& m)
      : write_seconds(m.histogram("millrace_disk_write_seconds", "Time of one group commit: write and sync",
                                  Metrics::latency_bounds())),
        frames(m.counter("millrace_disk_frames_total", "Group commits written")),
        slots(m.counter("millrace_disk_slots_total", "WAL slots made durable")),
        bytes(m.counter("millrace_disk_bytes_total", "Bytes written, heads and padding included")),
        failures(m.counter("millrace_disk_failures_total", "Group commits that failed")),
        reused(m.counter("millrace_disk_segments_reused_total", "Segments that were used again")),
        created(m.counter("millrace_disk_segments_created_total", "Segments that were made")),
        segments(m.gauge("millrace_disk_segments", "Segment files")),
        segment_bytes(m.gauge("millrace_disk_segment_bytes", "Size of all segment files")),
        needed_bytes(m.gauge("millrace_disk_needed_bytes", "Bytes of slots that no data object replaces yet")) {}

  Histogram& write_seconds;
  Counter &frames, &slots, &bytes, &failures, &reused, &created;
  Gauge &segments, &segment_bytes, &needed_bytes;
};

}  // namespace millrace::disk
