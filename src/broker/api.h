// The broker as the rest of the program sees it: the Kafka listener, the in-process door, and what an
// operator may know about both.
//
// Everything belongs to one thread: the executor given to the constructor, which must be the one of the
// cluster, the engine and the listener.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "broker/config.h"
#include "cluster/api.h"
#include "net/tcp.h"
#include "storage/api.h"

namespace millrace::broker {

// The api key of what brokers ask each other (cluster/peer_codec.h, docs/formats/peer-protocol.md): a request is this
// key, version 0 and a correlation id, then the message. Not advertised; Kafka's keys are far below it.
inline constexpr std::int16_t kPeerApiKey = 0x4d52;

// A connection without a socket. Requests take effect in the order of their `call`s. `frame` is a Kafka
// request without its length prefix, the answer a response likewise; empty for Produce with acks=0.
// kInvalid: the request was one that closes a connection. Must be called on the broker's executor
// (others go through run_on) and be gone before the Broker is.
class Door {
 public:
  virtual ~Door() = default;
  virtual Task<Result<Slice>> call(SliceChain frame) = 0;
};

struct PartitionStatus {
  std::int32_t partition = 0;
  std::int32_t leader_broker = -1;
  std::int32_t leader_epoch = -1;
  std::int64_t log_start_offset = 0;
  std::int64_t high_watermark = 0;
  std::uint64_t size_bytes = 0;
};
struct TopicStatus {
  std::string name;
  std::string id;
  bool internal = false;
  std::vector<PartitionStatus> partitions;
};
struct GroupOffsetStatus {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t committed = -1;
  std::int64_t lag = -1;  // -1: not known here
};
struct GroupStatus {
  std::string id;
  std::string state;
  std::int32_t members = 0;
  std::int64_t lag = 0;  // of all its partitions with a known end
  std::vector<GroupOffsetStatus> offsets;
};
struct ApiStatus {
  std::string name;
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // responses or partitions with an error code
  double seconds = 0;        // summed latency
};
struct BrokerStatus {
  std::vector<TopicStatus> topics;
  std::vector<GroupStatus> groups;
  std::vector<ApiStatus> apis;  // only those that were called
  std::uint64_t connections = 0;
  std::uint64_t requests_in_flight = 0;
  std::uint64_t request_bytes_in_flight = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

class Broker {
 public:
  Broker(Executor executor, Clock& clock, Random& random, Metrics& metrics, std::unique_ptr<net::Listener> listener,
         cluster::Cluster& cluster, storage::Engine& engine, BrokerConfig config);
  // CHECKs that it was stopped, if it was started.
  ~Broker();

  // Serves from here on; group state is loaded in the background (COORDINATOR_LOAD_IN_PROGRESS meanwhile).
  Task<Result<void>> start();
  // Takes no more requests, answers those in work (long polls at once), closes all connections. At most 2 s.
  Task<void> stop();

  // `client_host` stands for the peer's address in group descriptions.
  std::unique_ptr<Door> open_door(std::string client_host = "/in-process");
  BrokerStatus status() const;
  const net::Address& bound() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::broker
