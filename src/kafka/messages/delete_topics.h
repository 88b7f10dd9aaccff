// DeleteTopics: by name, or by name or id from version 6 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "kafka/message.h"

namespace millrace::kafka {

struct DeleteTopicsRequest {
  static constexpr MessageInfo kInfo{"DeleteTopicsRequest", 20, 1, 6, 4};

  struct DeleteTopicState {
    std::optional<std::string_view> name;
    Uuid topic_id;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("topic_id", m.topic_id);
    }
    bool operator==(const DeleteTopicState&) const = default;
  };

  std::vector<std::string_view> topic_names;
  std::vector<DeleteTopicState> topics;
  std::int32_t timeout_ms = 0;

  static void visit(auto& a, auto& m) {
    a("topic_names", m.topic_names, until(5).ignorable());
    a("topics", m.topics, since(6));
    a("timeout_ms", m.timeout_ms);
  }
  bool operator==(const DeleteTopicsRequest&) const = default;
};

struct DeleteTopicsResponse {
  static constexpr MessageInfo kInfo{"DeleteTopicsResponse", 20, 1, 6, 4};

  struct DeletableTopicResult {
    std::optional<std::string> name;
    Uuid topic_id;
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;

    static void visit(auto& a, auto& m) {
      a("name", m.name, always().nullable_since(6));
      a("topic_id", m.topic_id, since(6).ignorable());
      a("error_code", m.error_code);
      a("error_message", m.error_message, since(5).ignorable());
    }
    bool operator==(const DeletableTopicResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeletableTopicResult> responses;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("responses", m.responses);
  }
  bool operator==(const DeleteTopicsResponse&) const = default;
};

}  // namespace millrace::kafka
