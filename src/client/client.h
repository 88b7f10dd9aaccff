// The small async Kafka client through which Millrace's own readers and writers (cdc, sql) speak to a
// log: without a socket to the broker in this process, over TCP to any other Kafka cluster.
//
// A Client belongs to one thread (its executor). Calls retry passing trouble (leader moves, lost
// connections) until `Options::call_timeout`, then answer kTimeout or kUnavailable; what cannot succeed
// answers at once. Names and semantics are Kafka's: KIP-98 (idempotence), KIP-227 is not used.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "base/uuid.h"

namespace millrace::client {

// One ordered request/response channel to a broker. `call` may be used by many Tasks at once: requests
// are sent in call order. `frame` is header + body without the 4-byte length, and so is the reply.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Task<Result<Slice>> call(SliceChain frame) = 0;
  // Ends it: calls that wait fail with kUnavailable or kCancelled, and so do later ones.
  virtual void close() {}
};

// Makes channels. The app plugs in the in-process one; `make_tcp_connector` is the other.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual Task<Result<std::unique_ptr<Channel>>> connect(std::string host, std::uint16_t port) = 0;
};

std::unique_ptr<Connector> make_tcp_connector(Executor executor);

struct Header {
  std::string key;
  std::optional<std::string> value;
};

// A record to write, or one that was read (then offset and timestamp_ms are set).
struct Record {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  std::int64_t timestamp_ms = -1;  // -1 on write: now
  std::int64_t offset = -1;
};

struct NewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::map<std::string, std::string> configs;  // e.g. cleanup.policy
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct FetchedPartition {
  TopicPartition partition;
  std::optional<Error> error;    // kInvalid: offset out of range; kNotFound: no such topic
  std::vector<Record> records;   // from the asked offset on, control records left out
  std::int64_t next_offset = 0;  // where to go on, also over gaps and control records
  std::int64_t high_watermark = 0;
  std::int64_t log_start_offset = 0;
};

struct FetchOptions {
  Duration max_wait = 500ms;
  std::int32_t min_bytes = 1;
  std::int32_t max_bytes = 16 << 20;
  std::int32_t partition_max_bytes = 4 << 20;
  // Leave out records of transactions that were aborted, and stop before those that are open (KIP-98).
  bool read_committed = true;
};

enum class OffsetSpec : std::int64_t { kLatest = -1, kEarliest = -2 };

struct ClientOptions {
  std::string bootstrap_host;
  std::uint16_t bootstrap_port = 0;
  std::string client_id = "millrace";
  Duration call_timeout = 30s;
};

class Cluster;

class Client {
 public:
  Client(Executor executor, Clock& clock, Connector& connector, ClientOptions options);
  ~Client();

  // kNotFound when there is no such topic.
  Task<Result<std::int32_t>> partition_count(std::string topic);
  // A topic that exists already is success.
  Task<Result<void>> create_topic(NewTopic topic);
  // All topic names, internal ones included.
  Task<Result<std::vector<std::string>>> list_topics();
  // kLatest: behind the last record that a fetch can return (not inside open transactions).
  Task<Result<std::int64_t>> offset_of(TopicPartition partition, OffsetSpec spec);

  // One long-polled Fetch over all `positions` (several brokers: one each, side by side). A partition in passing
  // trouble is left out of the answer; the call fails when all are, or when nothing answers in time.
  Task<Result<std::vector<FetchedPartition>>> fetch(std::map<TopicPartition, std::int64_t> positions,
                                                    FetchOptions options = {});

  // Closes the connections: calls that wait fail soon with kCancelled or kUnavailable. So does the destructor.
  void close();

 private:
  friend class Producer;
  std::shared_ptr<Cluster> cluster_;
};

// An idempotent producer, acks=all: a batch is written once however often it is retried, and batches to
// one partition land in the order of their `send` calls (up to 5 in flight). After an error that is not
// retriable the producer is done: every later send fails; make a new one and find out what landed.
class Producer {
 public:
  explicit Producer(Client& client);
  ~Producer();
  // The offset of the first record. One batch: the caller keeps it under max.message.bytes (1 MiB).
  Task<Result<std::int64_t>> send(TopicPartition partition, std::vector<Record> records);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Kafka's default partitioner for keyed records: murmur2(key) & 0x7fffffff % partitions.
std::int32_t partition_for_key(std::string_view key, std::int32_t partitions);

}  // namespace millrace::client
