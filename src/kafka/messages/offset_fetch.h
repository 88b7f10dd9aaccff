// OffsetFetch: read the offsets of a group, or of several from version 8 on. Null topics ask for all. Topics
// are named by id from version 10 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct OffsetFetchRequest {
  static constexpr MessageInfo kInfo{"OffsetFetchRequest", 9, 1, 10, 6};

  struct OffsetFetchRequestTopic {
    std::string_view name;
    std::vector<std::int32_t> partition_indexes;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partition_indexes", m.partition_indexes);
    }
    bool operator==(const OffsetFetchRequestTopic&) const = default;
  };

  struct OffsetFetchRequestTopics {
    std::string_view name;
    Uuid topic_id;
    std::vector<std::int32_t> partition_indexes;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(9).ignorable());
      a("topic_id", m.topic_id, since(10).ignorable());
      a("partition_indexes", m.partition_indexes);
    }
    bool operator==(const OffsetFetchRequestTopics&) const = default;
  };

  struct OffsetFetchRequestGroup {
    std::string_view group_id;
    std::optional<std::string_view> member_id;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<OffsetFetchRequestTopics>> topics;

    static void visit(auto& a, auto& m) {
      a("group_id", m.group_id);
      a("member_id", m.member_id, since(9).ignorable());
      a("member_epoch", m.member_epoch, since(9).ignorable());
      a("topics", m.topics);
    }
    bool operator==(const OffsetFetchRequestGroup&) const = default;
  };

  std::string_view group_id;
  std::optional<std::vector<OffsetFetchRequestTopic>> topics;
  std::vector<OffsetFetchRequestGroup> groups;
  bool require_stable = false;

  static void visit(auto& a, auto& m) {
    a("group_id", m.group_id, until(7));
    a("topics", m.topics, until(7).nullable_since(2));
    a("groups", m.groups, since(8));
    a("require_stable", m.require_stable, since(7));
  }
  bool operator==(const OffsetFetchRequest&) const = default;
};

struct OffsetFetchResponse {
  static constexpr MessageInfo kInfo{"OffsetFetchResponse", 9, 1, 10, 6};

  struct OffsetFetchResponsePartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("committed_offset", m.committed_offset);
      a("committed_leader_epoch", m.committed_leader_epoch, since(5).ignorable());
      a("metadata", m.metadata);
      a("error_code", m.error_code);
    }
    bool operator==(const OffsetFetchResponsePartition&) const = default;
  };

  struct OffsetFetchResponseTopic {
    std::string name;
    std::vector<OffsetFetchResponsePartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetFetchResponseTopic&) const = default;
  };

  struct OffsetFetchResponsePartitions {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("committed_offset", m.committed_offset);
      a("committed_leader_epoch", m.committed_leader_epoch);
      a("metadata", m.metadata);
      a("error_code", m.error_code);
    }
    bool operator==(const OffsetFetchResponsePartitions&) const = default;
  };

  struct OffsetFetchResponseTopics {
    std::string name;
    Uuid topic_id;
    std::vector<OffsetFetchResponsePartitions> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name, until(9).ignorable());
      a("topic_id", m.topic_id, since(10).ignorable());
      a("partitions", m.partitions);
    }
    bool operator==(const OffsetFetchResponseTopics&) const = default;
  };

  struct OffsetFetchResponseGroup {
    std::string group_id;
    std::vector<OffsetFetchResponseTopics> topics;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("group_id", m.group_id);
      a("topics", m.topics);
      a("error_code", m.error_code);
    }
    bool operator==(const OffsetFetchResponseGroup&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetFetchResponseTopic> topics;
  std::int16_t error_code = 0;
  std::vector<OffsetFetchResponseGroup> groups;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    a("topics", m.topics, until(7));
    a("error_code", m.error_code, between(2, 7).ignorable());
    a("groups", m.groups, since(8));
  }
  bool operator==(const OffsetFetchResponse&) const = default;
};

}  // namespace millrace::kafka
