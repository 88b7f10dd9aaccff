// DeleteRecords: move the log start offset of partitions forward; -1 is the high watermark.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/message.h"

namespace millrace::kafka {

struct DeleteRecordsRequest {
  static constexpr MessageInfo kInfo{"DeleteRecordsRequest", 21, 0, 2, 2};

  struct DeleteRecordsPartition {
    std::int32_t partition_index = 0;
    std::int64_t offset = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("offset", m.offset);
    }
    bool operator==(const DeleteRecordsPartition&) const = default;
  };

  struct DeleteRecordsTopic {
    std::string_view name;
    std::vector<DeleteRecordsPartition> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const DeleteRecordsTopic&) const = default;
  };

  std::vector<DeleteRecordsTopic> topics;
  std::int32_t timeout_ms = 0;

  static void visit(auto& a, auto& m) {
    a("topics", m.topics);
    a("timeout_ms", m.timeout_ms);
  }
  bool operator==(const DeleteRecordsRequest&) const = default;
};

struct DeleteRecordsResponse {
  static constexpr MessageInfo kInfo{"DeleteRecordsResponse", 21, 0, 2, 2};

  struct DeleteRecordsPartitionResult {
    std::int32_t partition_index = 0;
    std::int64_t low_watermark = 0;
    std::int16_t error_code = 0;

    static void visit(auto& a, auto& m) {
      a("partition_index", m.partition_index);
      a("low_watermark", m.low_watermark);
      a("error_code", m.error_code);
    }
    bool operator==(const DeleteRecordsPartitionResult&) const = default;
  };

  struct DeleteRecordsTopicResult {
    std::string name;
    std::vector<DeleteRecordsPartitionResult> partitions;

    static void visit(auto& a, auto& m) {
      a("name", m.name);
      a("partitions", m.partitions);
    }
    bool operator==(const DeleteRecordsTopicResult&) const = default;
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeleteRecordsTopicResult> topics;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("topics", m.topics);
  }
  bool operator==(const DeleteRecordsResponse&) const = default;
};

}  // namespace millrace::kafka
