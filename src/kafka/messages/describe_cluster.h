// DescribeCluster: cluster id, controller and brokers (KIP-700, KIP-919).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeClusterRequest {
  static constexpr MessageInfo kInfo{"DescribeClusterRequest", 60, 0, 2, 0};

  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  static void visit(auto& a, auto& m) {
    a("include_cluster_authorized_operations", m.include_cluster_authorized_operations);
    a("endpoint_type", m.endpoint_type, since(1));
    a("include_fenced_brokers", m.include_fenced_brokers, since(2));
  }
  bool operator==(const DescribeClusterRequest&) const = default;
};

struct DescribeClusterResponse {
  static constexpr MessageInfo kInfo{"DescribeClusterResponse", 60, 0, 2, 0};

  struct DescribeClusterBroker {
    std::int32_t broker_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    static void visit(auto& a, auto& m) {
      a("broker_id", m.broker_id);
      a("host", m.host);
      a("port", m.port);
      a("rack", m.rack);
      a("is_fenced", m.is_fenced, since(2));
    }
    bool operator==(const DescribeClusterBroker&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  std::int32_t controller_id = -1;
  std::vector<DescribeClusterBroker> brokers;
  std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code);
    a("error_message", m.error_message);
    a("endpoint_type", m.endpoint_type, since(1));
    a("cluster_id", m.cluster_id);
    a("controller_id", m.controller_id);
    a("brokers", m.brokers);
    a("cluster_authorized_operations", m.cluster_authorized_operations);
  }
  bool operator==(const DescribeClusterResponse&) const = default;
};

}  // namespace millrace::kafka
