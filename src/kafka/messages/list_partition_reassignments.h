// ListPartitionReassignments: moves under way (KIP-455).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ListPartitionReassignmentsRequest {
  static constexpr MessageInfo kInfo{"ListPartitionReassignmentsRequest", 46, 0, 0, 0};

  struct ListPartitionReassignmentsTopics {
    std::string_view name;
    std::vector<std::int32_t> partition_indexes;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partition_indexes", m.partition_indexes);
    }
    bool operator==(const ListPartitionReassignmentsTopics&) const = default;
  };

  std::int32_t timeout_ms = 60000;
  std::optional<std::vector<ListPartitionReassignmentsTopics>> topics;

  static void visit(auto& a, auto& m) {
    a("timeout_ms", m.timeout_ms);
    a("topics", m.topics);
  }
  bool operator==(const ListPartitionReassignmentsRequest&) const = default;
};

struct ListPartitionReassignmentsResponse {
  static constexpr MessageInfo kInfo{"ListPartitionReassignmentsResponse", 46, 0, 0, 0};

  struct OngoingPartitionReassignment {
    std::int32_t partition_index = 0;
    std::vector<std::int32_t> replicas;
    std::vector<std::int32_t> adding_replicas;
    std::vector<std::int32_t> removing_replicas;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("replicas", m.replicas);
      a("adding_replicas", m.adding_replicas);
      a("removing_replicas", m.removing_replicas);
    }
    bool operator==(const OngoingPartitionReassignment&) const = default;
  };

  struct OngoingTopicReassignment {
    std::string name;
    std::vector<OngoingPartitionReassignment> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const OngoingTopicReassignment&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<OngoingTopicReassignment> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code);
    a("error_message", m.error_message);
    a("topics", m.topics);
  }
  bool operator==(const ListPartitionReassignmentsResponse&) const = default;
};

}  // namespace millrace::kafka
