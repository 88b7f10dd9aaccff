// The log as the connector's own (blocking) thread sees it: units of batches go in, positions come out.
//
// A unit's batches are sent in order per partition, several units in flight. When a unit and all before it are
// acknowledged, its position (if it has one) may be stored, with the offsets of exactly that point; only then does
// `stored()` tell it. After an error the port is done: make a new one and recover. Called from one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cdc/position.h"
#include "client/client.h"

namespace millrace::cdc {

struct Batch {
  client::TopicPartition partition;
  std::vector<client::Record> records;
  std::size_t bytes = 0;
};

struct Unit {
  std::vector<Batch> batches;
  std::optional<Position> position;  // true once the batches are in; without offsets, which the log adds
  std::size_t bytes = 0;
};

// The end of a partition: the last transaction that landed there, and how many of its records did.
struct LandedTail {
  std::int64_t xid = 0;
  std::uint64_t records = 0;
  std::string snapshot;  // of the last event
};

class LogPort {
 public:
  virtual ~LogPort() = default;
  virtual Result<std::optional<Position>> load_position() = 0;
  // The next offsets of all partitions of topics named "<prefix>.*".
  virtual Result<std::map<client::TopicPartition, std::int64_t>> end_offsets() = 0;
  // What lies between `from` and the end; nothing when there is no event of ours.
  virtual Result<std::optional<LandedTail>> read_tail(client::TopicPartition partition, std::int64_t from) = 0;
  // Makes the topic when it is missing.
  virtual Result<std::int32_t> partitions_of(const std::string& topic) = 0;
  // Where `stored` positions go on from.
  virtual void begin(const std::map<client::TopicPartition, std::int64_t>& offsets) = 0;
  // False when too much is in flight for `wait` already: nothing was taken.
  virtual Result<bool> submit(Unit& unit, Duration wait) = 0;
  // Waits until everything submitted is acknowledged and the last position is stored.
  virtual Result<void> flush(Duration at_most) = 0;
  virtual Result<Lsn> stored() = 0;
  virtual std::size_t units_in_flight() = 0;
};

}  // namespace millrace::cdc
