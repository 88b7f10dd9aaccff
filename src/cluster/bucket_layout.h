// The keys of metadata and data objects in the bucket, and the small objects beside the log: `format`, `meta/root`,
// snapshots.
// docs/formats/bucket-layout.md and docs/formats/metadata-log.md are the contract. Decoders answer kCorrupt for broken
// bytes, kUnsupported for a newer version or feature. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "cluster/records.h"
#include "object/digest.h"

namespace millrace::cluster {

inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kRootKey = "meta/root";
inline constexpr std::string_view kLogPrefix = "meta/log/";
inline constexpr std::string_view kSnapshotPrefix = "meta/snap/";

// Numbers in keys have 20 digits, so that key order is number order.
std::string log_key(LogSeq seq);
std::string snapshot_key(LogSeq seq, std::uint64_t nonce);
// The number in a key below `prefix`; nothing for a key of another shape.
Result<std::uint64_t> number_in_key(std::string_view key, std::string_view prefix);

// A data object's: obj/<hh>/<birth, 20 digits>-<32 hex digits>. Its name stands for one upload with one birth (rule
// 32).
std::string object_key(LogSeq birth, std::uint64_t id_high, std::uint64_t id_low);
// kInvalid: it is no data object's.
Result<LogSeq> birth_of_object_key(std::string_view key);

// What kind of bucket this is; written once, before anything else.
std::string encode_format(const Uuid& cluster_id);
Result<Uuid> decode_format(std::string_view bytes);

struct SnapshotRef {
  LogSeq seq;  // the state after this entry
  std::string key;
  object::Digest hash{};  // of the snapshot object
};

// The pointer that is swapped by If-Match. Log entries up to `floor` may be gone: whoever holds one must not use it.
struct Root {
  Uuid cluster_id;
  std::uint64_t counter = 0;  // with the nonce: no two roots have equal bytes, so no ETag comes back
  std::uint64_t nonce = 0;
  LogSeq floor;
  std::vector<SnapshotRef> snapshots;  // newest first; floor never passes the oldest
};
std::string encode_root(const Root& root);
Result<Root> decode_root(std::string_view bytes);

struct Snapshot {
  LogSeq seq;
  object::Digest last_hash{};  // of the last valid entry at or below seq
  std::string state;           // MetadataState::serialize
};
std::string encode_snapshot(const Snapshot& snapshot);
Result<Snapshot> decode_snapshot(std::string_view bytes);

}  // namespace millrace::cluster
