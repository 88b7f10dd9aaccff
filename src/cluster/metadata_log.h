// MetadataLog: the metadata log in the bucket, read and written by the rules of docs/formats/metadata-log.md and of
// docs/spec/Meta.tla. It holds the MetadataState, and the position that every writer and reader needs: the next
// number and the hash of the last valid entry.
//
// A reader applies an entry only after a GET of meta/root made after the GET of the entry shows a floor below it (rule
// 4); a writer makes the same check before it counts an entry as committed (rule 5). An entry whose prev_hash is
// not that of the last valid one is void for everybody.
//
// Fails: kFenced (lost the role: another controller, an unknown outcome, a floor that passed us), kCorrupt (bytes in
// the bucket are wrong; nothing is changed), kTimeout/kUnavailable (reads, after `deadline` of retrying). One thread;
// at most one of catch_up/append at a time, publish_snapshot may run beside them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/bucket_layout.h"
#include "cluster/record_codec.h"
#include "cluster/state.h"
#include "object/store.h"

namespace millrace::cluster {

struct Writer {
  std::int32_t broker_id = -1;
  Incarnation incarnation;
  std::uint64_t controller_epoch = 0;
};

class MetadataLog {
 public:
  MetadataLog(Executor executor, Clock& clock, Random& random, object::Store& store, Duration deadline);

  // Checks or creates `format`, loads the newest snapshot that is whole, replays to the end.
  Task<Result<void>> open();
  // Applies all entries that exist now, or those up to `known`, which is known to be there: then it looks no further.
  // Reloads the snapshot when the floor passed us. Looking costs two GETs when nothing is new.
  Task<Result<void>> catch_up(LogSeq known = LogSeq(0));

  enum class Append { kCommitted, kLost };
  // One entry at the next number; applied when it answers kCommitted. kLost: somebody else's valid entry is there, not
  // applied yet. The records must have passed state().check for next().
  Task<Result<Append>> append(Writer writer, std::vector<Record> records);

  // Writes a snapshot of the state, swaps the root to it, deletes what lies below the new floor.
  Task<Result<void>> publish_snapshot();

  MetadataState& state() { return state_; }
  const MetadataState& state() const { return state_; }
  const Uuid& cluster_id() const { return cluster_id_; }
  LogSeq next() const { return next_; }
  // Since the newest snapshot that the root names.
  std::uint64_t entries_since_snapshot() const { return next_.value() - 1 - snapshot_seq_.value(); }
  std::uint64_t bytes_since_snapshot() const { return bytes_since_snapshot_; }
  std::uint64_t last_entry_bytes() const { return last_entry_bytes_; }

 private:
  Task<Result<void>> check_format();
  Task<Result<void>> read_on(LogSeq known, std::size_t ahead);
  Task<Result<void>> load_snapshot();
  Task<Result<std::string>> fetch_snapshot(SnapshotRef ref);
  Task<Result<void>> refresh_root();
  Task<Result<object::Object>> get(std::string key);
  Task<void> get_into(std::string key, Result<object::Object>* out);
  Task<std::vector<Result<object::Object>>> get_entries(LogSeq from, std::size_t count);
  // `counter_min`: of the root that was known when this one was asked for.
  Result<void> take_root(const object::Object& object, std::uint64_t counter_min);
  Result<void> apply_bytes(std::string_view bytes);
  Result<Append> judge_occupant(const Writer& writer, std::string_view bytes);
  Task<Result<void>> swap_root(Root root);
  Task<Result<void>> collect_below_floor();
  LogSeq floor() const { return root_ ? root_->floor : LogSeq(0); }

  Executor executor_;
  Clock& clock_;
  Random& random_;
  object::Store& store_;
  Duration deadline_;
  std::uint64_t process_nonce_;

  Uuid cluster_id_;
  MetadataState state_;
  LogSeq next_{1};
  object::Digest last_hash_{};
  std::optional<Root> root_;  // as last read; absent until the first snapshot
  std::string root_etag_;
  LogSeq snapshot_seq_;
  std::uint64_t bytes_since_snapshot_ = 0;
  std::uint64_t last_entry_bytes_ = 0;
};

}  // namespace millrace::cluster
