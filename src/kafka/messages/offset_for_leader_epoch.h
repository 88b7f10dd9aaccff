// OffsetForLeaderEpoch: where a leader epoch ends (KIP-101, KIP-279).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct OffsetForLeaderEpochRequest {
  static constexpr MessageInfo kInfo{"OffsetForLeaderEpochRequest", 23, 2, 4, 4};

  struct OffsetForLeaderPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int32_t leader_epoch = 0;

    static void visit(auto& a, auto& m) {
      a("partition", m.partition);
      a("current_leader_epoch", m.current_leader_epoch);
      a("leader_epoch", m.leader_epoch);
    }
    bool operator==(const OffsetForLeaderPartition&) const = default;
  };

  struct OffsetForLeaderTopic {
    std::string_view topic;
    std::vector<OffsetForLeaderPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetForLeaderTopic&) const = default;
  };

  std::int32_t replica_id = -2;
  std::vector<OffsetForLeaderTopic> topics;

  static void visit(auto& a, auto& m) {
    a("replica_id", m.replica_id, since(3).ignorable());
    a("topics", m.topics);
  }
  bool operator==(const OffsetForLeaderEpochRequest&) const = default;
};

struct OffsetForLeaderEpochResponse {
  static constexpr MessageInfo kInfo{"OffsetForLeaderEpochResponse", 23, 2, 4, 4};

  struct EpochEndOffset {
    std::int16_t error_code = 0;
    std::int32_t partition = 0;
    std::int32_t leader_epoch = -1;
    std::int64_t end_offset = -1;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("partition", m.partition);
      a("leader_epoch", m.leader_epoch);
      a("end_offset", m.end_offset);
    }
    bool operator==(const EpochEndOffset&) const = default;
  };

  struct OffsetForLeaderTopicResult {
    std::string topic;
    std::vector<EpochEndOffset> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetForLeaderTopicResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetForLeaderTopicResult> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("topics", m.topics);
  }
  bool operator==(const OffsetForLeaderEpochResponse&) const = default;
};

}  // namespace millrace::kafka
