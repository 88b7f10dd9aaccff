// AlterPartitionReassignments: which brokers shall have a partition (KIP-455).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct AlterPartitionReassignmentsRequest {
  static constexpr MessageInfo kInfo{"AlterPartitionReassignmentsRequest", 45, 0, 1, 0};

  struct ReassignablePartition {
    std::int32_t partition_index = 0;
    std::optional<std::vector<std::int32_t>> replicas;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("replicas", m.replicas);
    }
    bool operator==(const ReassignablePartition&) const = default;
  };

  struct ReassignableTopic {
    std::string_view name;
    std::vector<ReassignablePartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const ReassignableTopic&) const = default;
  };

  std::int32_t timeout_ms = 60000;
  bool allow_replication_factor_change = true;
  std::vector<ReassignableTopic> topics;

  static void visit(auto& a, auto& m) {
    a("timeout_ms", m.timeout_ms);
    a("allow_replication_factor_change", m.allow_replication_factor_change, since(1));
    a("topics", m.topics);
  }
  bool operator==(const AlterPartitionReassignmentsRequest&) const = default;
};

struct AlterPartitionReassignmentsResponse {
  static constexpr MessageInfo kInfo{"AlterPartitionReassignmentsResponse", 45, 0, 1, 0};

  struct ReassignablePartitionResponse {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("error_code", m.error_code);
      a("error_message", m.error_message);
    }
    bool operator==(const ReassignablePartitionResponse&) const = default;
  };

  struct ReassignableTopicResponse {
    std::string name;
    std::vector<ReassignablePartitionResponse> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const ReassignableTopicResponse&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  bool allow_replication_factor_change = true;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<ReassignableTopicResponse> responses;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("allow_replication_factor_change", m.allow_replication_factor_change, since(1).ignorable());
    a("error_code", m.error_code);
    a("error_message", m.error_message);
    a("responses", m.responses);
  }
  bool operator==(const AlterPartitionReassignmentsResponse&) const = default;
};

}  // namespace millrace::kafka
