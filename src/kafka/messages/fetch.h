// Fetch: read record batches from partitions, with long poll and sessions (KIP-227). Topics are named by id from
// version 13 on (KIP-516). A partition without new data has empty records, not null: clients refuse -1.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct FetchRequest {
  static constexpr MessageInfo kInfo{"FetchRequest", 1, 4, 18, 12};

  struct FetchPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t fetch_offset = 0;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start_offset = -1;
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    std::int64_t high_watermark = std::numeric_limits<std::int64_t>::max();

    static void visit(auto& a, auto& m) {
      a("partition", m.partition);
      a("current_leader_epoch", m.current_leader_epoch, since(9).ignorable());
      a("fetch_offset", m.fetch_offset);
      a("last_fetched_epoch", m.last_fetched_epoch, since(12));
      a("log_start_offset", m.log_start_offset, since(5).ignorable());
      a("partition_max_bytes", m.partition_max_bytes);
      a("replica_directory_id", m.replica_directory_id, since(17).tag(0).ignorable());
      a("high_watermark", m.high_watermark, since(18).tag(1).ignorable());
    }
    bool operator==(const FetchPartition&) const = default;
  };

  struct FetchTopic {
    std::string_view topic;
    Uuid topic_id;
    std::vector<FetchPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic, until(12).ignorable());
      a("topic_id", m.topic_id, since(13).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const FetchTopic&) const = default;
  };

  struct ForgottenTopic {
    std::string_view topic;
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic, until(12).ignorable());
      a("topic_id", m.topic_id, since(13).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const ForgottenTopic&) const = default;
  };

  struct ReplicaState {
    std::int32_t replica_id = -1;
    std::int64_t replica_epoch = -1;

    static void visit(auto& a, auto& m) {
      a("replica_id", m.replica_id);
      a("replica_epoch", m.replica_epoch);
    }
    bool operator==(const ReplicaState&) const = default;
  };

  std::int32_t replica_id = -1;
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  std::vector<FetchTopic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string_view rack_id;
  std::optional<std::string_view> cluster_id;
  ReplicaState replica_state;

  static void visit(auto& a, auto& m) {
    a("replica_id", m.replica_id, until(14));
    a("max_wait_ms", m.max_wait_ms);
    a("min_bytes", m.min_bytes);
    a("max_bytes", m.max_bytes);
    a("isolation_level", m.isolation_level);
    a("session_id", m.session_id, since(7).ignorable());
    a("session_epoch", m.session_epoch, since(7).ignorable());
    a("topics", m.topics);
    a("forgotten_topics_data", m.forgotten_topics_data, since(7));
    a("rack_id", m.rack_id, since(11).ignorable());
    a("cluster_id", m.cluster_id, since(12).tag(0).ignorable());
    a("replica_state", m.replica_state, since(15).tag(1).ignorable());
  }
  bool operator==(const FetchRequest&) const = default;
};

struct FetchResponse {
  static constexpr MessageInfo kInfo{"FetchResponse", 1, 4, 18, 12};

  struct AbortedTransaction {
    std::int64_t producer_id = 0;
    std::int64_t first_offset = 0;

    static void visit(auto& a, auto& m) {
      a("producer_id", m.producer_id);
      a("first_offset", m.first_offset);
    }
    bool operator==(const AbortedTransaction&) const = default;
  };

  struct EpochEndOffset {
    std::int32_t epoch = -1;
    std::int64_t end_offset = -1;

    static void visit(auto& a, auto& m) {
      a("epoch", m.epoch);
      a("end_offset", m.end_offset);
    }
    bool operator==(const EpochEndOffset&) const = default;
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    static void visit(auto& a, auto& m) {
      a("leader_id", m.leader_id);
      a("leader_epoch", m.leader_epoch);
    }
    bool operator==(const LeaderIdAndEpoch&) const = default;
  };

  struct SnapshotId {
    std::int64_t end_offset = -1;
    std::int32_t epoch = -1;

    static void visit(auto& a, auto& m) {
      a("end_offset", m.end_offset);
      a("epoch", m.epoch);
    }
    bool operator==(const SnapshotId&) const = default;
  };

  struct PartitionData {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::int64_t high_watermark = 0;
    std::int64_t last_stable_offset = -1;
    std::int64_t log_start_offset = -1;
    std::optional<std::vector<AbortedTransaction>> aborted_transactions;
    std::int32_t preferred_read_replica = -1;
    std::optional<Slice> records;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("error_code", m.error_code);
      a("high_watermark", m.high_watermark);
      a("last_stable_offset", m.last_stable_offset);
      a("log_start_offset", m.log_start_offset, since(5).ignorable());
      a("aborted_transactions", m.aborted_transactions);
      a("preferred_read_replica", m.preferred_read_replica, since(11));
      a("records", m.records);
      a("diverging_epoch", m.diverging_epoch, since(12).tag(0).ignorable());
      a("current_leader", m.current_leader, since(12).tag(1).ignorable());
      a("snapshot_id", m.snapshot_id, since(12).tag(2).ignorable());
    }
    bool operator==(const PartitionData&) const = default;
  };

  struct FetchableTopicResponse {
    std::string topic;
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic, until(12).ignorable());
      a("topic_id", m.topic_id, since(13).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const FetchableTopicResponse&) const = default;
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    static void visit(auto& a, auto& m) {
      a("node_id", m.node_id);
      a("host", m.host);
      a("port", m.port);
      a("rack", m.rack);
    }
    bool operator==(const NodeEndpoint&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int32_t session_id = 0;
  std::vector<FetchableTopicResponse> responses;
  std::vector<NodeEndpoint> node_endpoints;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code, since(7).ignorable());
    a("session_id", m.session_id, since(7));
    a("responses", m.responses);
    a("node_endpoints", m.node_endpoints, since(16).tag(0));
  }
  bool operator==(const FetchResponse&) const = default;
};

}  // namespace millrace::kafka
