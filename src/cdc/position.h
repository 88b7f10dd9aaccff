// Where a connector stands, as one record of the positions topic: key {"prefix":..,"slot":..}, value JSON.
//
// Codec: pure. Everything of the source up to `lsn` is in the log; `offsets` says where each topic stood at that
// very point, so that after a crash what landed later can be counted (replay.h). Unknown versions and broken
// text answer kCorrupt.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/pgoutput.h"
#include "client/client.h"

namespace millrace::cdc {

// pg_current_snapshot(): which transactions a snapshot's rows hold already.
struct PgSnapshot {
  std::uint64_t xmin = 0, xmax = 0;
  std::vector<std::uint64_t> running;  // between xmin and xmax, sorted
  Lsn until = 0;                       // transactions that end later are never in it

  // Of a committed transaction, by the low 32 bits of its id.
  bool holds(std::uint32_t xid) const;
};
Result<PgSnapshot> parse_pg_snapshot(std::string_view text);  // "10:20:10,14"
std::string to_text(const PgSnapshot& snapshot);

struct Position {
  enum class Phase { kSnapshot, kStreaming };
  struct Table {
    std::size_t snapshot = 0;  // index of `snapshots`
    bool done = false;
  };
  std::string system_id;
  std::uint32_t timeline = 0;
  Phase phase = Phase::kStreaming;
  Lsn lsn = 0;
  bool streamed = false;  // a transaction was streamed before `lsn`
  std::vector<PgSnapshot> snapshots;
  std::map<std::string, Table> tables;                     // "schema.table": only while `snapshots` matter
  std::map<client::TopicPartition, std::int64_t> offsets;  // next offset
};

std::string position_key(std::string_view prefix, std::string_view slot);
std::string encode_position(const Position& position);
Result<Position> decode_position(std::string_view json);

// What recovery needs of an event that was read back: {"source":{name, txId, lsn, snapshot}}, under "payload" when
// it has a schema. Not an event of ours: kCorrupt.
struct LandedEvent {
  std::string name, snapshot;
  std::int64_t xid = 0;
  Lsn lsn = 0;
};
Result<LandedEvent> decode_landed_event(std::string_view json);

}  // namespace millrace::cdc
