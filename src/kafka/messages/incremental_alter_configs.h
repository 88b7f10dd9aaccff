// IncrementalAlterConfigs: set (0), delete (1), append (2) or subtract (3) single configs (KIP-339).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct IncrementalAlterConfigsRequest {
  static constexpr MessageInfo kInfo{"IncrementalAlterConfigsRequest", 44, 0, 1, 1};

  struct AlterableConfig {
    std::string_view name;
    std::int8_t config_operation = 0;
    std::optional<std::string_view> value;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("config_operation", m.config_operation);
      a("value", m.value);
    }
    bool operator==(const AlterableConfig&) const = default;
  };

  struct AlterConfigsResource {
    std::int8_t resource_type = 0;
    std::string_view resource_name;
    std::vector<AlterableConfig> configs;

    static void visit(auto& a, auto& m) {
      a("resource_type", m.resource_type);
      a("resource_name", m.resource_name);
      a("configs", m.configs);
    }
    bool operator==(const AlterConfigsResource&) const = default;
  };

  std::vector<AlterConfigsResource> resources;
  bool validate_only = false;

  static void visit(auto& a, auto& m) {
    a("resources", m.resources);
    a("validate_only", m.validate_only);
  }
  bool operator==(const IncrementalAlterConfigsRequest&) const = default;
};

struct IncrementalAlterConfigsResponse {
  static constexpr MessageInfo kInfo{"IncrementalAlterConfigsResponse", 44, 0, 1, 1};

  struct AlterConfigsResourceResponse {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("error_message", m.error_message);
      a("resource_type", m.resource_type);
      a("resource_name", m.resource_name);
    }
    bool operator==(const AlterConfigsResourceResponse&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<AlterConfigsResourceResponse> responses;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("responses", m.responses);
  }
  bool operator==(const IncrementalAlterConfigsResponse&) const = default;
};

}  // namespace millrace::kafka
