// The metrics of this room. References live as long as the Metrics registry. Labels: none, so the series are few.
#pragma once

#include "base/metrics.h"

namespace millrace::storage {

struct StorageMetrics {
  explicit StorageMetrics(Metrics& m)
      : appended_bytes(m.counter("millrace_storage_appended_bytes_total", "Record batch bytes accepted")),
        appended_batches(m.counter("millrace_storage_appended_batches_total", "Record batches accepted")),
        duplicates(m.counter("millrace_storage_duplicates_total", "Batches recognised as repeats")),
        overloaded(m.counter("millrace_storage_overloaded_total", "Appends refused over the memory budget")),
        slots(m.counter("millrace_storage_slots_total", "WAL slots acknowledged")),
        slot_bytes(m.counter("millrace_storage_slot_bytes_total", "Batch bytes in acknowledged WAL slots")),
        put_seconds(m.histogram("millrace_storage_put_seconds", "Time until a slot's PUT was durable",
                                Metrics::latency_bounds())),
        puts_in_flight(m.gauge("millrace_storage_puts_in_flight", "Slot PUTs under way")),
        unacked_bytes(m.gauge("millrace_storage_unacked_bytes", "Bytes accepted and not yet acknowledged")),
        tail_bytes(m.gauge("millrace_storage_tail_bytes", "Batches held in memory")),
        cache_bytes(m.gauge("millrace_storage_cache_bytes", "Blocks held by the block cache")),
        cache_hits(m.counter("millrace_storage_cache_hits_total", "Blocks read from the cache")),
        cache_misses(m.counter("millrace_storage_cache_misses_total", "Blocks read from the bucket")),
        disk_cache_hits(m.counter("millrace_storage_disk_cache_hits_total", "Blocks read from the disk cache")),
        disk_cache_errors(m.counter("millrace_storage_disk_cache_errors_total", "Blocks that the disk cache lost")),
        cold_read_bytes(m.gauge("millrace_storage_cold_read_bytes", "Bytes of ranged GETs under way")),
        get_seconds(m.histogram("millrace_storage_get_seconds", "Time of one ranged GET", Metrics::latency_bounds())),
        objects(m.counter("millrace_storage_objects_total", "Data objects registered")),
        object_bytes(m.counter("millrace_storage_object_bytes_total", "Bytes of data objects registered")),
        compaction_failures(m.counter("millrace_storage_compaction_failures_total", "Compactions to be repeated")),
        deleted_keys(m.counter("millrace_storage_deleted_keys_total", "Slots and objects removed from the bucket")),
        merges(m.counter("millrace_storage_merges_total", "Merges of data objects")),
        merge_bytes_in(m.counter("millrace_storage_merge_bytes_in_total", "Batch bytes read by merges")),
        merge_bytes_out(m.counter("millrace_storage_merge_bytes_out_total", "Bytes of merged data objects")),
        rewrite_failures(m.counter("millrace_storage_rewrite_failures_total", "Merges and cleanings to be repeated")),
        cleanings(m.counter("millrace_storage_cleanings_total", "Partitions that key compaction went through")),
        cleaned_bytes_in(m.counter("millrace_storage_cleaned_bytes_in_total", "Batch bytes read by key compaction")),
        cleaned_bytes_out(m.counter("millrace_storage_cleaned_bytes_out_total", "Batch bytes it wrote")),
        cleaned_records(m.counter("millrace_storage_cleaned_records_total", "Records that it dropped")),
        dirty_ratio_max(m.gauge("millrace_storage_dirty_ratio_max", "Of the partitions that it looks after")),
        cleaner_run_seconds(
            m.gauge("millrace_storage_cleaner_run_timestamp_seconds", "When it last looked, Unix time")),
        fenced(m.gauge("millrace_storage_fenced", "1 once this incarnation is over")) {}

  Counter &appended_bytes, &appended_batches, &duplicates, &overloaded, &slots, &slot_bytes;
  Histogram& put_seconds;
  Gauge &puts_in_flight, &unacked_bytes, &tail_bytes, &cache_bytes;
  Counter &cache_hits, &cache_misses, &disk_cache_hits, &disk_cache_errors;
  Gauge& cold_read_bytes;
  Histogram& get_seconds;
  Counter &objects, &object_bytes, &compaction_failures, &deleted_keys;
  Counter &merges, &merge_bytes_in, &merge_bytes_out, &rewrite_failures;
  Counter &cleanings, &cleaned_bytes_in, &cleaned_bytes_out, &cleaned_records;
  Gauge &dirty_ratio_max, &cleaner_run_seconds;
  Gauge& fenced;
};

}  // namespace millrace::storage
