// Keys and values of the records in __consumer_offsets. On disk each is preceded by a 2-byte number: for keys the
// record type (1: offset commit, 2: group metadata; 0 is read as 1), for values the schema version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct OffsetCommitKey {
  static constexpr MessageInfo kInfo{"OffsetCommitKey", -1, 0, 0, kNeverFlexible};

  std::string group;
  std::string topic;
  std::int32_t partition = 0;

  static void visit(auto& a, auto& m) {
    a("group", m.group);
    a("topic", m.topic);
    a("partition", m.partition);
  }
  bool operator==(const OffsetCommitKey&) const = default;
};

struct OffsetCommitValue {
  static constexpr MessageInfo kInfo{"OffsetCommitValue", -1, 0, 4, 4};

  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t commit_timestamp = 0;
  std::int64_t expire_timestamp = -1;
  Uuid topic_id;

  static void visit(auto& a, auto& m) {
    a("offset", m.offset);
    a("leader_epoch", m.leader_epoch, since(3).ignorable());
    a("metadata", m.metadata);
    a("commit_timestamp", m.commit_timestamp);
    a("expire_timestamp", m.expire_timestamp, between(1, 1).ignorable());
    a("topic_id", m.topic_id, since(4).tag(0).ignorable());
  }
  bool operator==(const OffsetCommitValue&) const = default;
};

struct GroupMetadataKey {
  static constexpr MessageInfo kInfo{"GroupMetadataKey", -1, 0, 0, kNeverFlexible};

  std::string group;

  static void visit(auto& a, auto& m) { a("group", m.group); }
  bool operator==(const GroupMetadataKey&) const = default;
};

struct GroupMetadataValue {
  static constexpr MessageInfo kInfo{"GroupMetadataValue", -1, 0, 4, 4};

  struct MemberMetadata {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    std::int32_t rebalance_timeout = -1;
    std::int32_t session_timeout = 0;
    std::string subscription;
    std::string assignment;

    static void visit(auto& a, auto& m) {
      a("member_id", m.member_id);
      a("group_instance_id", m.group_instance_id, since(3).ignorable());
      a("client_id", m.client_id);
      a("client_host", m.client_host);
      a("rebalance_timeout", m.rebalance_timeout, since(1).ignorable());
      a("session_timeout", m.session_timeout);
      a("subscription", m.subscription, bytes());
      a("assignment", m.assignment, bytes());
    }
    bool operator==(const MemberMetadata&) const = default;
  };

  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::int64_t current_state_timestamp = -1;
  std::vector<MemberMetadata> members;

  static void visit(auto& a, auto& m) {
    a("protocol_type", m.protocol_type);
    a("generation", m.generation);
    a("protocol", m.protocol);
    a("leader", m.leader);
    a("current_state_timestamp", m.current_state_timestamp, since(2).ignorable());
    a("members", m.members);
  }
  bool operator==(const GroupMetadataValue&) const = default;
};

}  // namespace millrace::kafka
