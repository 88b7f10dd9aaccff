// How `millrace cluster` talks to brokers: Kafka's own requests where there is one for it, and what brokers ask each
// other (cluster/peer_codec.h) for the rest. Errors say which address did what, and are meant for people:
// kUnavailable nothing answers, kUnsupported it is no Millrace. One thread: the loop's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/peer_link.h"
#include "base/event_loop.h"
#include "client/connection.h"
#include "cluster/description.h"
#include "cluster/peer_codec.h"
#include "kafka/messages/alter_partition_reassignments.h"
#include "kafka/messages/metadata.h"
#include "net/tcp.h"

namespace millrace::app {

class ClusterLink {
 public:
  explicit ClusterLink(EventLoop& loop) : loop_(loop), peers_(loop.executor(), loop.clock()) {}

  // Connects to the first of "HOST:PORT,HOST:PORT" behind which a Millrace answers.
  Task<Result<void>> open(std::string bootstrap);
  const std::string& cluster_id() const { return cluster_id_text_; }

  // As the controller sees it; as the connected broker does when that one does not answer.
  Task<Result<cluster::ClusterDescription>> describe();
  // Has the controller commit one record; waits for a new one while there is none.
  Task<Result<void>> commit(cluster::Record record);
  // No names: all topics.
  Task<Result<kafka::MetadataResponse>> topics(std::vector<std::string> names);

  struct Move {
    std::string topic;
    std::int32_t partition = 0;
  };
  // The first refusal is the error; with nothing to move it succeeds.
  Task<Result<void>> move(std::vector<Move> moves, std::int32_t to_broker);

 private:
  Task<Result<void>> open_one(net::Address address);
  Task<Result<cluster::PeerAnswer>> ask(net::Address address, cluster::PeerRequest request, Duration patience);
  Task<Result<cluster::ClusterDescription>> describe_at(net::Address address);
  SteadyTime deadline(Duration patience) const { return loop_.clock().now() + patience; }

  EventLoop& loop_;
  PeerLink peers_;
  net::Address address_;
  std::shared_ptr<client::Connection> connection_;
  std::string cluster_id_text_;
  Uuid cluster_id_;
};

}  // namespace millrace::app
