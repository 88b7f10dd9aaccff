// CreatePartitions: grow a topic (KIP-195).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct CreatePartitionsRequest {
  static constexpr MessageInfo kInfo{"CreatePartitionsRequest", 37, 0, 3, 2};

  struct CreatePartitionsAssignment {
    std::vector<std::int32_t> broker_ids;

    static void visit(auto& a, auto& m) { a("broker_ids", m.broker_ids); }
    bool operator==(const CreatePartitionsAssignment&) const = default;
  };

  struct CreatePartitionsTopic {
    std::string_view name;
    std::int32_t count = 0;
    std::optional<std::vector<CreatePartitionsAssignment>> assignments;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("count", m.count);
      a("assignments", m.assignments);
    }
    bool operator==(const CreatePartitionsTopic&) const = default;
  };

  std::vector<CreatePartitionsTopic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics);
    a("timeout_ms", m.timeout_ms);
    a("validate_only", m.validate_only);
  }
  bool operator==(const CreatePartitionsRequest&) const = default;
};

struct CreatePartitionsResponse {
  static constexpr MessageInfo kInfo{"CreatePartitionsResponse", 37, 0, 3, 2};

  struct CreatePartitionsTopicResult {
    std::string name;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("error_code", m.error_code);
      a("error_message", m.error_message);
    }
    bool operator==(const CreatePartitionsTopicResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<CreatePartitionsTopicResult> results;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("results", m.results);
  }
  bool operator==(const CreatePartitionsResponse&) const = default;
};

}  // namespace millrace::kafka
