// ListOffsets: the offset for a timestamp, or for the special timestamps -1 (latest) .. -6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ListOffsetsRequest {
  static constexpr MessageInfo kInfo{"ListOffsetsRequest", 2, 1, 11, 6};

  struct ListOffsetsPartition {
    std::int32_t partition_index = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t timestamp = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("current_leader_epoch", m.current_leader_epoch, since(4).ignorable());
      a("timestamp", m.timestamp);
    }
    bool operator==(const ListOffsetsPartition&) const = default;
  };

  struct ListOffsetsTopic {
    std::string_view name;
    std::vector<ListOffsetsPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const ListOffsetsTopic&) const = default;
  };

  std::int32_t replica_id = 0;
  std::int8_t isolation_level = 0;
  std::vector<ListOffsetsTopic> topics;
  std::int32_t timeout_ms = 0;

  static void visit(auto& a, auto& m) {
    a("replica_id", m.replica_id);
    a("isolation_level", m.isolation_level, since(2));
    a("topics", m.topics);
    a("timeout_ms", m.timeout_ms, since(10).ignorable());
  }
  bool operator==(const ListOffsetsRequest&) const = default;
};

struct ListOffsetsResponse {
  static constexpr MessageInfo kInfo{"ListOffsetsResponse", 2, 1, 11, 6};

  struct ListOffsetsPartitionResponse {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;
    std::int64_t timestamp = -1;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("error_code", m.error_code);
      a("timestamp", m.timestamp);
      a("offset", m.offset);
      a("leader_epoch", m.leader_epoch, since(4));
    }
    bool operator==(const ListOffsetsPartitionResponse&) const = default;
  };

  struct ListOffsetsTopicResponse {
    std::string name;
    std::vector<ListOffsetsPartitionResponse> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const ListOffsetsTopicResponse&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<ListOffsetsTopicResponse> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    a("topics", m.topics);
  }
  bool operator==(const ListOffsetsResponse&) const = default;
};

}  // namespace millrace::kafka
