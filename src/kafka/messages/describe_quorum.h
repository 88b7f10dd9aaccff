// DescribeQuorum: who writes the metadata log, and how far the others are (KIP-595, KIP-836, KIP-853).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeQuorumRequest {
  static constexpr MessageInfo kInfo{"DescribeQuorumRequest", 55, 0, 2, 0};

  struct PartitionData {
    std::int32_t partition_index = 0;

    static void visit(auto& a, auto& m) { a("partition_index", m.partition_index); }
    bool operator==(const PartitionData&) const = default;
  };

  struct TopicData {
    std::string_view topic_name;
    std::vector<PartitionData> partitions;

    static void visit(auto& a, auto& m) {
      a("topic_name", m.topic_name);
      a("partitions", m.partitions);
    }
    bool operator==(const TopicData&) const = default;
  };

  std::vector<TopicData> topics;

  static void visit(auto& a, auto& m) { a("topics", m.topics); }
  bool operator==(const DescribeQuorumRequest&) const = default;
};

struct DescribeQuorumResponse {
  static constexpr MessageInfo kInfo{"DescribeQuorumResponse", 55, 0, 2, 0};

  struct ReplicaState {
    std::int32_t replica_id = 0;
    Uuid replica_directory_id;
    std::int64_t log_end_offset = 0;
    std::int64_t last_fetch_timestamp = -1;
    std::int64_t last_caught_up_timestamp = -1;

    static void visit(auto& a, auto& m) {
      a("replica_id", m.replica_id);
      a("replica_directory_id", m.replica_directory_id, since(2));
      a("log_end_offset", m.log_end_offset);
      a("last_fetch_timestamp", m.last_fetch_timestamp, since(1).ignorable());
      a("last_caught_up_timestamp", m.last_caught_up_timestamp, since(1).ignorable());
    }
    bool operator==(const ReplicaState&) const = default;
  };

  struct PartitionData {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;
    std::int64_t high_watermark = 0;
    std::vector<ReplicaState> current_voters;
    std::vector<ReplicaState> observers;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("error_code", m.error_code);
      a("error_message", m.error_message, since(2).ignorable());
      a("leader_id", m.leader_id);
      a("leader_epoch", m.leader_epoch);
      a("high_watermark", m.high_watermark);
      a("current_voters", m.current_voters);
      a("observers", m.observers);
    }
    bool operator==(const PartitionData&) const = default;
  };

  struct TopicData {
    std::string topic_name;
    std::vector<PartitionData> partitions;

    static void visit(auto& a, auto& m) {
      a("topic_name", m.topic_name);
      a("partitions", m.partitions);
    }
    bool operator==(const TopicData&) const = default;
  };

  struct Listener {
    std::string name;
    std::string host;
    std::uint16_t port = 0;

    static void visit(auto& a, auto& m) {
      a("name", m.name, since(2));
      a("host", m.host, since(2));
      a("port", m.port, since(2));
    }
    bool operator==(const Listener&) const = default;
  };

  struct Node {
    std::int32_t node_id = 0;
    std::vector<Listener> listeners;

    static void visit(auto& a, auto& m) {
      a("node_id", m.node_id, since(2));
      a("listeners", m.listeners, since(2));
    }
    bool operator==(const Node&) const = default;
  };

  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<TopicData> topics;
  std::vector<Node> nodes;

  static void visit(auto& a, auto& m) {
    a("error_code", m.error_code);
    a("error_message", m.error_message, since(2).ignorable());
    a("topics", m.topics);
    a("nodes", m.nodes, since(2));
  }
  bool operator==(const DescribeQuorumResponse&) const = default;
};

}  // namespace millrace::kafka
