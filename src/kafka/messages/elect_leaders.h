// ElectLeaders: preferred or unclean leaders (KIP-183, KIP-460).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ElectLeadersRequest {
  static constexpr MessageInfo kInfo{"ElectLeadersRequest", 43, 0, 2, 2};

  struct TopicPartitions {
    std::string_view topic;
    std::vector<std::int32_t> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const TopicPartitions&) const = default;
  };

  std::int8_t election_type = 0;
  std::optional<std::vector<TopicPartitions>> topic_partitions;
  std::int32_t timeout_ms = 60000;

  static void visit(auto& a, auto& m) {
    a("election_type", m.election_type, since(1));
    a("topic_partitions", m.topic_partitions);
    a("timeout_ms", m.timeout_ms);
  }
  bool operator==(const ElectLeadersRequest&) const = default;
};

struct ElectLeadersResponse {
  static constexpr MessageInfo kInfo{"ElectLeadersResponse", 43, 0, 2, 2};

  struct PartitionResult {
    std::int32_t partition_id = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    static void visit(auto& a, auto& m) {
      a("partition_id", m.partition_id);
      a("error_code", m.error_code);
      a("error_message", m.error_message);
    }
    bool operator==(const PartitionResult&) const = default;
  };

  struct ReplicaElectionResult {
    std::string topic;
    std::vector<PartitionResult> partition_result;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partition_result", m.partition_result);
    }
    bool operator==(const ReplicaElectionResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<ReplicaElectionResult> replica_election_results;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code, since(1));
    a("replica_election_results", m.replica_election_results);
  }
  bool operator==(const ElectLeadersResponse&) const = default;
};

}  // namespace millrace::kafka
