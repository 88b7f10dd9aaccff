// Metadata: brokers, topics, partitions and leaders. No topics (null; empty in version 0) asks for all of them.
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

struct MetadataRequest {
  static constexpr MessageInfo kInfo{"MetadataRequest", 3, 0, 13, 9};

  struct MetadataRequestTopic {
    Uuid topic_id;
    std::optional<std::string_view> name;

    static void visit(auto& a, auto& m) {
      a("topic_id", m.topic_id, since(10).ignorable());
      a("name", m.name, always().nullable_since(10));
    }
    bool operator==(const MetadataRequestTopic&) const = default;
  };

  std::optional<std::vector<MetadataRequestTopic>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics, always().nullable_since(1));
    a("allow_auto_topic_creation", m.allow_auto_topic_creation, since(4));
    a("include_cluster_authorized_operations", m.include_cluster_authorized_operations, between(8, 10));
    a("include_topic_authorized_operations", m.include_topic_authorized_operations, since(8));
  }
  bool operator==(const MetadataRequest&) const = default;
};

struct MetadataResponse {
  static constexpr MessageInfo kInfo{"MetadataResponse", 3, 0, 13, 9};

  struct MetadataResponseBroker {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    static void visit(auto& a, auto& m) {
      a("node_id", m.node_id);
      a("host", m.host);
      a("port", m.port);
      a("rack", m.rack, since(1).ignorable());
    }
    bool operator==(const MetadataResponseBroker&) const = default;
  };

  struct MetadataResponsePartition {
    std::int16_t error_code = 0;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::vector<std::int32_t> offline_replicas;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("partition_index", m.partition_index);
      a("leader_id", m.leader_id);
      a("leader_epoch", m.leader_epoch, since(7).ignorable());
      a("replica_nodes", m.replica_nodes);
      a("isr_nodes", m.isr_nodes);
      a("offline_replicas", m.offline_replicas, since(5).ignorable());
    }
    bool operator==(const MetadataResponsePartition&) const = default;
  };

  struct MetadataResponseTopic {
    std::int16_t error_code = 0;
    std::optional<std::string> name;
    Uuid topic_id;
    bool is_internal = false;
    std::vector<MetadataResponsePartition> partitions;
    std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("name", m.name, always().nullable_since(12));
      a("topic_id", m.topic_id, since(10).ignorable());
      a("is_internal", m.is_internal, since(1).ignorable());
      a("partitions", m.partitions);
      a("topic_authorized_operations", m.topic_authorized_operations, since(8));
    }
    bool operator==(const MetadataResponseTopic&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<MetadataResponseBroker> brokers;
  std::optional<std::string> cluster_id;
  std::int32_t controller_id = -1;
  std::vector<MetadataResponseTopic> topics;
  std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();
  std::int16_t error_code = 0;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    a("brokers", m.brokers);
    a("cluster_id", m.cluster_id, since(2).ignorable());
    a("controller_id", m.controller_id, since(1).ignorable());
    a("topics", m.topics);
    a("cluster_authorized_operations", m.cluster_authorized_operations, between(8, 10));
    a("error_code", m.error_code, since(13).ignorable());
  }
  bool operator==(const MetadataResponse&) const = default;
};

}  // namespace millrace::kafka
