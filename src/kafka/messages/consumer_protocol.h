// What classic consumers put into JoinGroup metadata and SyncGroup assignments: a 2-byte version, then one of
// these structs. A broker only passes the bytes through; tools and our own tests read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ConsumerProtocolSubscription {
  static constexpr MessageInfo kInfo{"ConsumerProtocolSubscription", -1, 0, 3, kNeverFlexible};

  struct TopicPartition {
    std::string topic;
    std::vector<std::int32_t> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const TopicPartition&) const = default;
  };

  std::vector<std::string> topics;
  std::optional<std::string> user_data;
  std::vector<TopicPartition> owned_partitions;
  std::int32_t generation_id = -1;
  std::optional<std::string> rack_id;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics);
    a("user_data", m.user_data, bytes());
    a("owned_partitions", m.owned_partitions, since(1).ignorable());
    a("generation_id", m.generation_id, since(2).ignorable());
    a("rack_id", m.rack_id, since(3).ignorable());
  }
  bool operator==(const ConsumerProtocolSubscription&) const = default;
};

struct ConsumerProtocolAssignment {
  static constexpr MessageInfo kInfo{"ConsumerProtocolAssignment", -1, 0, 3, kNeverFlexible};

  struct TopicPartition {
    std::string topic;
    std::vector<std::int32_t> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const TopicPartition&) const = default;
  };

  std::vector<TopicPartition> assigned_partitions;
  std::optional<std::string> user_data;

  static void visit(auto& a, auto& m) {
    a("assigned_partitions", m.assigned_partitions);
    a("user_data", m.user_data, bytes());
  }
  bool operator==(const ConsumerProtocolAssignment&) const = default;
};

}  // namespace millrace::kafka
