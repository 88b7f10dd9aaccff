// CreateTopics: topics with partition counts or explicit replicas, and configs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct CreateTopicsRequest {
  static constexpr MessageInfo kInfo{"CreateTopicsRequest", 19, 2, 7, 5};

  struct CreatableReplicaAssignment {
    std::int32_t partition_index = 0;
    std::vector<std::int32_t> broker_ids;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("broker_ids", m.broker_ids);
    }
    bool operator==(const CreatableReplicaAssignment&) const = default;
  };

  struct CreatableTopicConfig {
    std::string_view name;
    std::optional<std::string_view> value;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("value", m.value);
    }
    bool operator==(const CreatableTopicConfig&) const = default;
  };

  struct CreatableTopic {
    std::string_view name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    std::vector<CreatableReplicaAssignment> assignments;
    std::vector<CreatableTopicConfig> configs;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("num_partitions", m.num_partitions);
      a("replication_factor", m.replication_factor);
      a("assignments", m.assignments);
      a("configs", m.configs);
    }
    bool operator==(const CreatableTopic&) const = default;
  };

  std::vector<CreatableTopic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics);
    a("timeout_ms", m.timeout_ms);
    a("validate_only", m.validate_only);
  }
  bool operator==(const CreateTopicsRequest&) const = default;
};

struct CreateTopicsResponse {
  static constexpr MessageInfo kInfo{"CreateTopicsResponse", 19, 2, 7, 5};

  struct CreatableTopicConfigs {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("value", m.value);
      a("read_only", m.read_only);
      a("config_source", m.config_source);
      a("is_sensitive", m.is_sensitive);
    }
    bool operator==(const CreatableTopicConfigs&) const = default;
  };

  struct CreatableTopicResult {
    std::string name;
    Uuid topic_id;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<CreatableTopicConfigs>> configs;
    std::int16_t topic_config_error_code = 0;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("topic_id", m.topic_id, since(7).ignorable());
      a("error_code", m.error_code);
      a("error_message", m.error_message);
      a("num_partitions", m.num_partitions, since(5).ignorable());
      a("replication_factor", m.replication_factor, since(5).ignorable());
      a("configs", m.configs, since(5).ignorable());
      a("topic_config_error_code", m.topic_config_error_code, since(5).tag(0).ignorable());
    }
    bool operator==(const CreatableTopicResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<CreatableTopicResult> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("topics", m.topics);
  }
  bool operator==(const CreateTopicsResponse&) const = default;
};

}  // namespace millrace::kafka
