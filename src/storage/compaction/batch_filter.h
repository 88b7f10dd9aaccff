// What key compaction keeps of one batch (Kafka's Cleaner.shouldRetainRecord, KIP-534).
//
// 1. A record goes when a newer one of its key lies below `map_end`, or when it has no key.
// 2. A tombstone that stays gives its batch a delete horizon, now + delete.retention.ms: attribute bit 6, and the base
//    timestamp is that time, from which the records' timestamps are counted then. A pass after the horizon drops it.
// 3. Of the batch all else stays as it was: base and last offset, sequences, epochs, compression. One of which nothing
//    goes is kept to the byte. One of which nothing stays goes, or stays empty where an end offset hangs on it.
// 4. Control batches, transactional ones and those that cannot be read are kept as they are.
//
// Pure. Never fails: a batch that is broken inside is not ours to lose.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "storage/compaction/key_map.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {

struct CleanRules {
  const KeyMap& keys;
  std::int64_t map_end = 0;  // the map knows all records below
  std::int64_t now_ms = 0;
  std::int64_t delete_retention_ms = 0;
  bool keep_newest = true;  // false: the simulation's broken variant
};

struct FilteredBatch {
  Slice bytes;             // empty: the batch goes
  BatchHeader head;        // of `bytes`
  bool unchanged = false;  // `bytes` are those that were given
  std::uint64_t dropped_records = 0;
  std::int64_t horizon_ms = -1;  // when a tombstone that it holds may go
};

// `keep_if_empty`: when no record stays, the batch does, without records.
FilteredBatch filter_batch(const Slice& batch, const CleanRules& rules, bool keep_if_empty);

// Adds the batch's keys to `keys`, but for those of transactions, which may have been aborted.
void note_keys(const Slice& batch, KeyMap& keys);

}  // namespace millrace::storage
