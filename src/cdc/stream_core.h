// From pgoutput messages to units of records: whole source transactions in commit order, what a snapshot holds
// already left out, what landed before a crash skipped.
//
// Pure core: no I/O, no clock. Not thread-safe. Fails with kCorrupt when the stream breaks its own rules, and with
// kFenced when the slot does not replay what the log holds (another slot, a restored database): never writes past it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cdc/envelope.h"
#include "cdc/log_port.h"
#include "cdc/pgoutput.h"

namespace millrace::cdc {

class StreamPort {
 public:
  virtual ~StreamPort() = default;
  // Nothing when the relation is not captured.
  virtual Result<std::shared_ptr<const EventTable>> table_of(const PgMessage& relation) = 0;
  virtual Result<std::int32_t> partitions_of(const std::string& topic) = 0;
};

// Collects records into one batch per partition.
class UnitBuilder {
 public:
  void add(const std::string& topic, std::int32_t partitions, client::Record record);
  std::size_t bytes() const { return unit_.bytes; }
  bool empty() const { return unit_.batches.empty(); }
  Unit take();
  // The partition a record goes to: by key as Kafka's partitioner does, 0 without one.
  static std::int32_t partition_of(const client::Record& record, std::int32_t partitions);

 private:
  Unit unit_;
  std::map<client::TopicPartition, std::size_t> open_;  // the last batch of each
};

// Knows what landed beyond the stored position and skips exactly that when the server sends it again.
class Replay {
 public:
  // Every transaction in `tails` ended before `known_until`.
  void expect(std::map<client::TopicPartition, LandedTail> tails, Lsn known_until);
  bool done() const { return tails_.empty(); }
  Result<void> begin(std::uint32_t xid, Lsn commit_lsn);
  bool skip(const client::TopicPartition& partition);
  void commit();

 private:
  struct Tail {
    LandedTail landed;
    std::uint64_t seen = 0;
  };
  std::map<client::TopicPartition, Tail> tails_;
  Lsn known_until_ = 0;
  std::uint32_t xid_ = 0;
};

class StreamCore {
 public:
  // `position`: everything at or below it is in the log.
  StreamCore(StreamPort& port, Position position);

  Replay& replay() { return replay_; }
  // One frame's payload; `start` is where it lies in the WAL.
  Result<void> handle(Lsn start, PgMessage& message, std::int64_t now_us);

  bool in_transaction() const { return in_transaction_; }
  std::size_t pending_bytes() const { return builder_.bytes(); }
  bool has_news() const { return !builder_.empty() || position_.lsn > taken_lsn_; }
  // What is pending. It has a position when no transaction is half-way in it.
  Unit take();
  // The server has nothing for us up to `wal_end`; only between transactions.
  void advance(Lsn wal_end);

  const Position& position() const { return position_; }
  std::uint64_t rows = 0, transactions = 0, replayed = 0;

 private:
  struct Relation {
    std::shared_ptr<const EventTable> table;  // none: not captured
    std::int32_t partitions = 1;
    std::string name;  // schema.table
  };
  Result<void> change(Lsn start, PgMessage& message, std::int64_t now_us);
  Result<void> relation(const PgMessage& message);
  bool held_by_snapshot(const Relation& relation) const;
  void emit(const Relation& relation, client::Record record);

  StreamPort& port_;
  Position position_;
  Lsn taken_lsn_ = 0;
  UnitBuilder builder_;
  Replay replay_;
  std::unordered_map<std::uint32_t, Relation> relations_;
  std::vector<client::Record> scratch_;
  bool in_transaction_ = false, skip_transaction_ = false;
  std::uint32_t xid_ = 0;
  Lsn last_commit_ = 0;  // end of the transaction before; 0 right after a snapshot
  std::int64_t commit_us_ = 0;
  std::string origin_;
  Lsn origin_lsn_ = 0;
};

}  // namespace millrace::cdc
