// DescribeLogDirs: where partitions lie and how large they are (KIP-113, KIP-827).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DescribeLogDirsRequest {
  static constexpr MessageInfo kInfo{"DescribeLogDirsRequest", 35, 1, 5, 2};

  struct DescribableLogDirTopic {
    std::string_view topic;
    std::vector<std::int32_t> partitions;

    static void visit(auto& a, auto& m) {
      a("topic", m.topic);
      a("partitions", m.partitions);
    }
    bool operator==(const DescribableLogDirTopic&) const = default;
  };

  std::optional<std::vector<DescribableLogDirTopic>> topics;

  static void visit(auto& a, auto& m) { a("topics", m.topics); }
  bool operator==(const DescribeLogDirsRequest&) const = default;
};

struct DescribeLogDirsResponse {
  static constexpr MessageInfo kInfo{"DescribeLogDirsResponse", 35, 1, 5, 2};

  struct DescribeLogDirsPartition {
    std::int32_t partition_index = 0;
    std::int64_t partition_size = 0;
    std::int64_t offset_lag = 0;
    bool is_future_key = false;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("partition_size", m.partition_size);
      a("offset_lag", m.offset_lag);
      a("is_future_key", m.is_future_key);
    }
    bool operator==(const DescribeLogDirsPartition&) const = default;
  };

  struct DescribeLogDirsTopic {
    std::string name;
    std::vector<DescribeLogDirsPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const DescribeLogDirsTopic&) const = default;
  };

  struct DescribeLogDirsResult {
    std::int16_t error_code = 0;
    std::string log_dir;
    std::vector<DescribeLogDirsTopic> topics;
    std::int64_t total_bytes = -1;
    std::int64_t usable_bytes = -1;
    bool is_cordoned = false;

    static void visit(auto& a, auto& m) {
      a("error_code", m.error_code);
      a("log_dir", m.log_dir);
      a("topics", m.topics);
      a("total_bytes", m.total_bytes, since(4).ignorable());
      a("usable_bytes", m.usable_bytes, since(4).ignorable());
      a("is_cordoned", m.is_cordoned, since(5).ignorable());
    }
    bool operator==(const DescribeLogDirsResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::vector<DescribeLogDirsResult> results;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code, since(3).ignorable());
    a("results", m.results);
  }
  bool operator==(const DescribeLogDirsResponse&) const = default;
};

}  // namespace millrace::kafka
