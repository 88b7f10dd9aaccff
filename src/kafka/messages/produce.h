// Produce: append record batches to partitions. Topics are named by id from version 13 on (KIP-516); version
// 10 answers with the current leader (KIP-951). The records are slices of the request frame, never copied.
// Versions 0-2 are advertised (KAFKA-18659) but have no schema: Kafka 4 refuses them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct ProduceRequest {
  static constexpr MessageInfo kInfo{"ProduceRequest", 0, 3, 13, 9};

  struct PartitionProduceData {
    std::int32_t index = 0;
    std::optional<Slice> records;

    static void visit(auto& a, auto& m) {
      a("index", m.index);
      a("records", m.records);
    }
    bool operator==(const PartitionProduceData&) const = default;
  };

  struct TopicProduceData {
    std::string_view name;
    Uuid topic_id;
    std::vector<PartitionProduceData> partition_data;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(12).ignorable());
      a("topic_id", m.topic_id, since(13).ignorable());
      a("partition_data", m.partition_data);
    }
    bool operator==(const TopicProduceData&) const = default;
  };

  std::optional<std::string_view> transactional_id;
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  std::vector<TopicProduceData> topic_data;

  static void visit(auto& a, auto& m) {
    a("transactional_id", m.transactional_id);
    a("acks", m.acks);
    a("timeout_ms", m.timeout_ms);
    a("topic_data", m.topic_data);
  }
  bool operator==(const ProduceRequest&) const = default;
};

struct ProduceResponse {
  static constexpr MessageInfo kInfo{"ProduceResponse", 0, 3, 13, 9};

  struct BatchIndexAndErrorMessage {
    std::int32_t batch_index = 0;
    std::optional<std::string> batch_index_error_message;

    static void visit(auto& a, auto& m) {
      a("batch_index", m.batch_index);
      a("batch_index_error_message", m.batch_index_error_message);
    }
    bool operator==(const BatchIndexAndErrorMessage&) const = default;
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

  struct PartitionProduceResponse {
    std::int32_t index = 0;
    std::int16_t error_code = 0;
    std::int64_t base_offset = 0;
    std::int64_t log_append_time_ms = -1;
    std::int64_t log_start_offset = -1;
    std::vector<BatchIndexAndErrorMessage> record_errors;
    std::optional<std::string> error_message;
    LeaderIdAndEpoch current_leader;

    static void visit(auto& a, auto& m) {
      a("index", m.index);
      a("error_code", m.error_code);
      a("base_offset", m.base_offset);
      a("log_append_time_ms", m.log_append_time_ms);
      a("log_start_offset", m.log_start_offset, since(5).ignorable());
      a("record_errors", m.record_errors, since(8).ignorable());
      a("error_message", m.error_message, since(8).ignorable());
      a("current_leader", m.current_leader, since(10).tag(0).ignorable());
    }
    bool operator==(const PartitionProduceResponse&) const = default;
  };

  struct TopicProduceResponse {
    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceResponse> partition_responses;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(12).ignorable());
      a("topic_id", m.topic_id, since(13).ignorable());
      a("partition_responses", m.partition_responses);
    }
    bool operator==(const TopicProduceResponse&) const = default;
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

  std::vector<TopicProduceResponse> responses;
  std::int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;

  static void visit(auto& a, auto& m) {
    a("responses", m.responses);
    a("throttle_time_ms", m.throttle_time_ms);
    a("node_endpoints", m.node_endpoints, since(10).tag(0));
  }
  bool operator==(const ProduceResponse&) const = default;
};

}  // namespace millrace::kafka
