// Where the WAL of an incarnation lies, as the bucket tells it: an incarnation that keeps its WAL on a disk says so
// under wal/<hh>/<broker>.<incarnation>/disk before it writes a byte there, create-only and for ever. So nobody takes a
// WAL that lies on another disk for an empty one, probes the bucket for its end and seals it (rule 21): who does not
// hold that volume is told where it is.
//
// Fails as the bucket does; kFenced when another volume claimed the same incarnation; kCorrupt for bytes that are no
// such object. Answers are kept: one GET for each incarnation. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/task.h"
#include "base/uuid.h"
#include "cluster/records.h"
#include "object/store.h"

namespace millrace::disk {

struct WalPlace {
  Uuid volume;
  std::string where;  // for people: host and path
  bool operator==(const WalPlace&) const = default;
};

std::string encode_wal_place(const WalPlace& place);
Result<WalPlace> decode_wal_place(std::string_view bytes);

class WalPlaces {
 public:
  explicit WalPlaces(object::Store& bucket) : bucket_(bucket) {}

  // Durable when it succeeds. Repeating it is harmless.
  Task<Result<void>> claim(cluster::WalId wal, WalPlace place);
  // Nothing when no disk was claimed for it: that WAL lies in the bucket.
  using Found = Result<std::optional<WalPlace>>;
  Task<Found> find(cluster::WalId wal);

 private:
  object::Store& bucket_;
  std::map<std::string, Promise<Found>> known_;  // by key; asked for once, however many wait
};

}  // namespace millrace::disk
