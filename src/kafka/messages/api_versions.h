// ApiVersions: what a broker understands. Its response has header version 0 whatever the body version (KIP-511).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct ApiVersionsRequest {
  static constexpr MessageInfo kInfo{"ApiVersionsRequest", 18, 0, 4, 3};

  std::string_view client_software_name;
  std::string_view client_software_version;

  static void visit(auto& a, auto& m) {
    a("client_software_name", m.client_software_name, since(3).ignorable());
    a("client_software_version", m.client_software_version, since(3).ignorable());
  }
  bool operator==(const ApiVersionsRequest&) const = default;
};

struct ApiVersionsResponse {
  static constexpr MessageInfo kInfo{"ApiVersionsResponse", 18, 0, 4, 3};

  struct ApiVersion {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    static void visit(auto& a, auto& m) {
      a("api_key", m.api_key);
      a("min_version", m.min_version);
      a("max_version", m.max_version);
    }
    bool operator==(const ApiVersion&) const = default;
  };

  struct SupportedFeatureKey {
    std::string name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("min_version", m.min_version);
      a("max_version", m.max_version);
    }
    bool operator==(const SupportedFeatureKey&) const = default;
  };

  struct FinalizedFeatureKey {
    std::string name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("max_version_level", m.max_version_level);
      a("min_version_level", m.min_version_level);
    }
    bool operator==(const FinalizedFeatureKey&) const = default;
  };

  std::int16_t error_code = 0;
  std::vector<ApiVersion> api_keys;
  std::int32_t throttle_time_ms = 0;
  std::vector<SupportedFeatureKey> supported_features;
  std::int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;

  static void visit(auto& a, auto& m) {
    a("error_code", m.error_code);
    a("api_keys", m.api_keys);
    a("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    a("supported_features", m.supported_features, since(3).tag(0).ignorable());
    a("finalized_features_epoch", m.finalized_features_epoch, since(3).tag(1).ignorable());
    a("finalized_features", m.finalized_features, since(3).tag(2).ignorable());
    a("zk_migration_ready", m.zk_migration_ready, since(3).tag(3).ignorable());
  }
  bool operator==(const ApiVersionsResponse&) const = default;
};

}  // namespace millrace::kafka
