// A cluster as an operator wants to see it: brokers, controller, partitions without a leader and moves under way. Any
// broker can describe the committed state; the controller adds when it heard each broker last and how far that one is.
// Bytes: docs/formats/peer-protocol.md. Pure functions; a state is read on its own thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/codec.h"
#include "cluster/state.h"

namespace millrace::cluster {

struct BrokerDescription {
  std::int32_t id = -1;
  std::string host;
  std::uint16_t port = 0;
  std::string rack;
  bool live = false;
  bool draining = false;
  WalKind wal_kind = WalKind::kBucket;
  Incarnation incarnation;
  std::uint64_t partitions_led = 0;
  std::uint64_t wals_to_recover = 0;  // fenced, their end is not known yet
  // What the controller knows; -1 and 0 when it does not, or another one answers.
  std::int64_t heard_ms_ago = -1;
  LogSeq applied;

  bool operator==(const BrokerDescription&) const = default;
};

struct PartitionDescription {
  std::string topic;
  std::int32_t partition = 0;
  std::int32_t leader = -1;  // who leads it or led it last
  std::int32_t to = -1;      // who shall lead it, of a move

  bool operator==(const PartitionDescription&) const = default;
};

struct ClusterDescription {
  std::int32_t described_by = -1;
  bool by_controller = false;
  std::int32_t controller_id = -1;
  std::uint64_t controller_epoch = 0;
  LogSeq applied;
  std::vector<BrokerDescription> brokers;  // ascending
  std::uint64_t partitions = 0, leaderless = 0, moves = 0;
  // The first of them, by topic and partition: as many as fit a page or two.
  std::vector<PartitionDescription> leaderless_listed, moves_listed;

  const BrokerDescription* broker(std::int32_t id) const;
  bool operator==(const ClusterDescription&) const = default;
};

ClusterDescription describe_state(const MetadataState& state);

void put_description(ByteWriter& out, const ClusterDescription& description);
// Sets `in` bad when the bytes break the format.
ClusterDescription get_description(ByteReader& in);

}  // namespace millrace::cluster
