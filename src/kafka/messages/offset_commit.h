// OffsetCommit: store the offsets of a group. Topics are named by id from version 10 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct OffsetCommitRequest {
  static constexpr MessageInfo kInfo{"OffsetCommitRequest", 8, 2, 10, 8};

  struct OffsetCommitRequestPartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string_view> committed_metadata;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("committed_offset", m.committed_offset);
      a("committed_leader_epoch", m.committed_leader_epoch, since(6).ignorable());
      a("committed_metadata", m.committed_metadata);
    }
    bool operator==(const OffsetCommitRequestPartition&) const = default;
  };

  struct OffsetCommitRequestTopic {
    std::string_view name;
    Uuid topic_id;
    std::vector<OffsetCommitRequestPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(9).ignorable());
      a("topic_id", m.topic_id, since(10).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetCommitRequestTopic&) const = default;
  };

  std::string_view group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  std::string_view member_id;
  std::int64_t retention_time_ms = -1;
  std::optional<std::string_view> group_instance_id;
  std::vector<OffsetCommitRequestTopic> topics;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id);
    a("generation_id_or_member_epoch", m.generation_id_or_member_epoch);
    a("member_id", m.member_id);
    a("retention_time_ms", m.retention_time_ms, until(4).ignorable());
    a("group_instance_id", m.group_instance_id, since(7));
    a("topics", m.topics);
  }
  bool operator==(const OffsetCommitRequest&) const = default;
};

struct OffsetCommitResponse {
  static constexpr MessageInfo kInfo{"OffsetCommitResponse", 8, 2, 10, 8};

  struct OffsetCommitResponsePartition {
    std::int32_t partition_index = 0;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("error_code", m.error_code);
    }
    bool operator==(const OffsetCommitResponsePartition&) const = default;
  };

  struct OffsetCommitResponseTopic {
    std::string name;
    Uuid topic_id;
    std::vector<OffsetCommitResponsePartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(9).ignorable());
      a("topic_id", m.topic_id, since(10).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetCommitResponseTopic&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetCommitResponseTopic> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    a("topics", m.topics);
  }
  bool operator==(const OffsetCommitResponse&) const = default;
};

}  // namespace millrace::kafka
