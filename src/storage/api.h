// The log as brokers and coordinators see it: partitions to which record batches are appended in order,
// and from which they are read. What is behind (WAL slots, data objects, caches) is storage's own.
//
// One thread: the engine's executor. `append` is synchronous, so arrival order is offset order; durability
// follows and is awaited. A Partition* stays valid until the topic is deleted or the engine stops, and
// must be looked up anew after any co_await.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "cluster/api.h"
#include "object/block_file.h"
#include "object/store.h"

namespace millrace::storage {

using cluster::PartitionId;

// Why an append was not taken; the broker maps each to one Kafka error code.
enum class AppendRefusal {
  kNotLeader,             // NOT_LEADER_OR_FOLLOWER
  kOutOfOrderSequence,    // OUT_OF_ORDER_SEQUENCE_NUMBER
  kInvalidProducerEpoch,  // INVALID_PRODUCER_EPOCH
  kOverloaded,            // memory budget: throttle, then retry (NOT_ENOUGH_REPLICAS is retriable)
  kStopped,               // shutting down or fenced: NOT_LEADER_OR_FOLLOWER
};

struct AppendTicket {
  std::int64_t base_offset = -1;
  std::int64_t last_offset = -1;
  std::int64_t log_append_time_ms = -1;  // -1 unless message.timestamp.type=LogAppendTime
  std::int64_t log_start_offset = 0;
  bool duplicate = false;  // the same batch was appended before; offsets are the original's
  // Set when the batch is durable together with everything before it in this WAL (prefix-ack, rule 16: also for
  // duplicates). An error means: not acknowledged, outcome decided by recovery (kFenced) or shutdown (kCancelled).
  Promise<Result<void>> durable;
};

enum class ReadLimit { kStrict, kAtLeastOneBatch };

struct ReadResult {
  SliceChain batches;            // whole batches, the first one holds `offset` (or begins after it, over a gap)
  std::int64_t next_offset = 0;  // one past the last batch read; == offset asked when nothing was there
  std::int64_t high_watermark = 0;
  std::int64_t last_stable_offset = 0;
  std::int64_t log_start_offset = 0;
};

struct TimedOffset {
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  std::int32_t leader_epoch = -1;
};

struct EpochEnd {
  std::int32_t epoch = -1;
  std::int64_t end_offset = -1;
};

// Pulses an Event whenever the watched partition's high watermark moves, it is deleted, or loses its leader.
class Watch;

class Partition {
 public:
  virtual ~Partition() = default;
  virtual const PartitionId& id() const = 0;
  virtual std::int32_t leader_epoch() const = 0;
  virtual std::int64_t log_start_offset() const = 0;
  virtual std::int64_t high_watermark() const = 0;  // everything below is durable and visible
  virtual std::int64_t last_stable_offset() const = 0;
  virtual std::int64_t log_end_offset() const = 0;  // next offset to be assigned
  virtual std::uint64_t size_bytes() const = 0;     // of what is readable

  // One batch that kafka/record_batch.h validated for Produce (base offset 0, CRC right). Its base
  // offset and leader epoch are patched in place, so the caller must own the bytes alone; later they are
  // shared with the WAL and with consumers.
  virtual std::expected<AppendTicket, AppendRefusal> append(Slice batch) = 0;

  // Batches from `offset` up to the high watermark. kInvalid: offset out of [log start, log end].
  // kFenced: not the leader any more. kUnavailable: the store did not answer in time.
  virtual Task<Result<ReadResult>> read(std::int64_t offset, std::size_t max_bytes, ReadLimit limit) = 0;
  // First record with timestamp >= `timestamp_ms`, to the record inside its batch; nothing when there is none.
  virtual Task<Result<std::optional<TimedOffset>>> find_by_time(std::int64_t timestamp_ms) = 0;
  // The first record that has the greatest timestamp; nothing in an empty log.
  virtual Task<Result<std::optional<TimedOffset>>> find_max_timestamp() = 0;
  // OffsetForLeaderEpoch's answer (kafka-protocol semantics: greatest known epoch <= asked, (-1,-1) beyond).
  virtual EpochEnd end_of_epoch(std::int32_t epoch) const = 0;
  virtual std::int32_t epoch_of(std::int64_t offset) const = 0;
  // DeleteRecords: kInvalid above the high watermark; at or below the log start is a success. Answers
  // the new log start, durable.
  virtual Task<Result<std::int64_t>> delete_records_before(std::int64_t offset) = 0;

  virtual void add_watcher(Event* event) = 0;
  virtual void remove_watcher(Event* event) = 0;
};

// Keeps `event` registered with partitions; unregisters from those that still exist. One thread.
class Engine;
class Watch {
 public:
  Watch(Engine& engine, Event& event) : engine_(engine), event_(event) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();
  void add(const PartitionId& id);

 private:
  Engine& engine_;
  Event& event_;
  std::vector<PartitionId> watched_;
};

// For the simulation alone: breaks one safeguard, to show that its checkers see the difference.
enum class Sabotage {
  kNone,
  kAckBeforeDurable,
  kAckOutOfOrder,         // not prefix-ack
  kForgetProducers,       // rule 17
  kAckLostSlot,           // rule 15: goes on though another's bytes are in its slot
  kAckDuplicatesEarly,    // rule 16
  kReleaseBeforeDurable,  // rule 10
  kCleanNewest,           // key compaction keeps a key's older values and drops the newest
  kStaleFloor,            // rule 2: recovers from the floor that it saw first
  kCompactUnacked,        // rule 8: compacts past slots that are not acknowledged
  kResumeOnTimeout,       // rule 11: accepts again when a Release is not answered
  kHandOverCheckpoint,    // rule 43: hands over the producers as of the last object, not as of the end
};

inline constexpr std::uint64_t kCacheBlockBytes = 1 << 20;  // of the block cache, in memory and on the disk

struct EngineOptions {
  Duration linger = 5ms;                 // longest wait of a batch for company once PUTs are in flight
  std::size_t slot_bytes_max = 8 << 20;  // a slot is cut at this size
  std::size_t puts_in_flight_max = 16;
  Duration cut_interval = 1ms;                  // least time between two slots under load; never delays the first
  double idle_puts_per_second_max = 50;         // budget: an almost idle cluster coalesces instead of paying per batch
  std::size_t tail_bytes_max = 256 << 20;       // batches kept in memory for tail reads and for compaction
  std::size_t unacked_bytes_max = 256 << 20;    // beyond: appends are refused as kOverloaded
  std::size_t object_bytes_target = 128 << 20;  // WAL bytes after which a sorted data object is written,
  Duration object_interval = 60s;               // or this time, whichever comes first
  Duration retention_check_interval = 30s;
  Duration sweep_interval = std::chrono::hours(1);  // between two LISTs of everything for what nobody needs or named
  // So many neighbouring data objects with short extents are merged, at most so many bytes at once; 0: none are.
  std::size_t merge_fan_in = 16;
  std::uint64_t merge_bytes_max = 2ull << 30;
  Duration rewrite_interval = 15s;           // between two looks for something to merge or to clean by key
  bool cleaner_enabled = true;               // key compaction of topics that ask for it
  std::size_t cleaner_map_bytes = 32 << 20;  // the newest offset of each key, while a partition is cleaned
  Duration unhealthy_after = 2s;             // without an answer to any PUT this broker falls silent to the controller
  Duration put_unknown_deadline = 30s;       // a slot whose outcome stays unknown this long ends the incarnation
  std::size_t block_cache_bytes = 128 << 20;
  std::size_t cold_reads_bytes_max = 64 << 20;    // of ranged GETs under way, for consumers that catch up
  std::shared_ptr<object::BlockFile> disk_cache;  // takes what the block cache gives up; may be null
  Duration producer_id_expiration = std::chrono::hours(24);
  std::function<Duration()> cpu_used;  // of this process so far, by core of its machine; may be empty
  Sabotage sabotage = Sabotage::kNone;
};

struct EngineStatus {
  std::uint64_t slots_written = 0, slots_in_flight = 0, wal_bytes = 0, objects = 0, object_bytes = 0;
  std::uint64_t tail_bytes = 0, unacked_bytes = 0, partitions = 0;
  bool fenced = false;
  std::string fenced_reason;
};

class Engine {
 public:
  virtual ~Engine() = default;
  // Null when there is no such partition or this broker does not lead it (now).
  virtual Partition* find(const PartitionId& id) = 0;
  // Undoes add_watcher, also for a partition that this broker does not lead any more.
  virtual void unwatch(const PartitionId& id, Event* event) {
    if (Partition* partition = find(id)) partition->remove_watcher(event);
  }
  virtual EngineStatus status() const = 0;
  // Set when this incarnation is over (rule 15): the app shuts down or reopens with a new one.
  virtual Event& fenced() = 0;
  // Waits until the next leaders of what it released have learned all that this process can tell them.
  virtual Task<void> handed_over(SteadyTime deadline) = 0;
  // Makes all appended batches durable (for graceful shutdown), then ends background work.
  virtual Task<void> stop() = 0;
};

// Recovers the fenced WALs that are this broker's to recover, and opens the partitions that the controller gave it with
// their producers' state (rule 17). Then follows the metadata: partitions that come and go, brokers that are gone
// (takeover/), objects to be made of slots.
Task<Result<std::unique_ptr<Engine>>> open_engine(Executor executor, Clock& clock, Random& random, object::Store& store,
                                                  cluster::Cluster& cluster, Metrics& metrics, EngineOptions options);

}  // namespace millrace::storage
