// DescribeConfigs: the configuration of topics, brokers, groups; null keys ask for all (KIP-226).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeConfigsRequest {
  static constexpr MessageInfo kInfo{"DescribeConfigsRequest", 32, 1, 4, 4};

  struct DescribeConfigsResource {
    std::int8_t resource_type = 0;
    std::string_view resource_name;
    std::optional<std::vector<std::string_view>> configuration_keys;

    static void visit(auto& a, auto& m) {
      a("resource_type", m.resource_type);
      a("resource_name", m.resource_name);
      a("configuration_keys", m.configuration_keys);
    }
    bool operator==(const DescribeConfigsResource&) const = default;
  };

  std::vector<DescribeConfigsResource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  static void visit(auto& a, auto& m) {
    a("resources", m.resources);
    a("include_synonyms", m.include_synonyms);
    a("include_documentation", m.include_documentation, since(3));
  }
  bool operator==(const DescribeConfigsRequest&) const = default;
};

struct DescribeConfigsResponse {
  static constexpr MessageInfo kInfo{"DescribeConfigsResponse", 32, 1, 4, 4};

  struct DescribeConfigsSynonym {
    std::string name;
    std::optional<std::string> value;
    std::int8_t source = 0;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("value", m.value);
      a("source", m.source);
    }
    bool operator==(const DescribeConfigsSynonym&) const = default;
  };

  struct DescribeConfigsResourceResult {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<DescribeConfigsSynonym> synonyms;
    std::int8_t config_type = 0;
    std::optional<std::string> documentation;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("value", m.value);
      a("read_only", m.read_only);
      a("config_source", m.config_source);
      a("is_sensitive", m.is_sensitive);
      a("synonyms", m.synonyms);
      a("config_type", m.config_type, since(3).ignorable());
      a("documentation", m.documentation, since(3).ignorable());
    }
    bool operator==(const DescribeConfigsResourceResult&) const = default;
  };

  struct DescribeConfigsResult {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<DescribeConfigsResourceResult> configs;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("error_message", m.error_message);
      a("resource_type", m.resource_type);
      a("resource_name", m.resource_name);
      a("configs", m.configs);
    }
    bool operator==(const DescribeConfigsResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribeConfigsResult> results;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("results", m.results);
  }
  bool operator==(const DescribeConfigsResponse&) const = default;
};

}  // namespace millrace::kafka
