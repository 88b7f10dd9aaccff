// DescribeTopicPartitions: topics page by page, with a cursor (KIP-966).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeTopicPartitionsRequest {
  static constexpr MessageInfo kInfo{"DescribeTopicPartitionsRequest", 75, 0, 0, 0};

  struct TopicRequest {
    std::string_view name;

    static void visit(auto& a, auto& m) { a("name", m.name); }
    bool operator==(const TopicRequest&) const = default;
  };

  struct Cursor {
    std::string_view topic_name;
    std::int32_t partition_index = 0;

    static void visit(auto& a, auto& m) {
      a("topic_name", m.topic_name);
      a("partition_index", m.partition_index);
    }
    bool operator==(const Cursor&) const = default;
  };

  std::vector<TopicRequest> topics;
  std::int32_t response_partition_limit = 2000;
  std::optional<Cursor> cursor;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics);
    a("response_partition_limit", m.response_partition_limit);
    a("cursor", m.cursor);
  }
  bool operator==(const DescribeTopicPartitionsRequest&) const = default;
};

struct DescribeTopicPartitionsResponse {
  static constexpr MessageInfo kInfo{"DescribeTopicPartitionsResponse", 75, 0, 0, 0};

  struct DescribeTopicPartitionsResponsePartition {
    std::int16_t error_code = 0;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
    std::optional<std::vector<std::int32_t>> last_known_elr;
    std::vector<std::int32_t> offline_replicas;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("partition_index", m.partition_index);
      a("leader_id", m.leader_id);
      a("leader_epoch", m.leader_epoch);
      a("replica_nodes", m.replica_nodes);
      a("isr_nodes", m.isr_nodes);
      a("eligible_leader_replicas", m.eligible_leader_replicas);
      a("last_known_elr", m.last_known_elr);
      a("offline_replicas", m.offline_replicas);
    }
    bool operator==(const DescribeTopicPartitionsResponsePartition&) const = default;
  };

  struct DescribeTopicPartitionsResponseTopic {
    std::int16_t error_code = 0;
    std::optional<std::string> name;
    Uuid topic_id;
    bool is_internal = false;
    std::vector<DescribeTopicPartitionsResponsePartition> partitions;
    std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("name", m.name);
      a("topic_id", m.topic_id);
      a("is_internal", m.is_internal);
      a("partitions", m.partitions);
      a("topic_authorized_operations", m.topic_authorized_operations);
    }
    bool operator==(const DescribeTopicPartitionsResponseTopic&) const = default;
  };

  struct Cursor {
    std::string topic_name;
    std::int32_t partition_index = 0;

    static void visit(auto& a, auto& m) {
      a("topic_name", m.topic_name);
      a("partition_index", m.partition_index);
    }
    bool operator==(const Cursor&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribeTopicPartitionsResponseTopic> topics;
  std::optional<Cursor> next_cursor;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("topics", m.topics);
    a("next_cursor", m.next_cursor);
  }
  bool operator==(const DescribeTopicPartitionsResponse&) const = default;
};

}  // namespace millrace::kafka
