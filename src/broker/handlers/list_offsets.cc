// ListOffsets: offsets by time, and the special ones (negative timestamps). What is the newest, only a broker can say
// that proved after the request arrived that it still leads (rule 19).
#include <set>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using ListOffsetsPartitionResponse = kafka::ListOffsetsResponse::ListOffsetsPartitionResponse;

enum Special : std::int64_t {
  kLatest = -1,
  kEarliest = -2,
  kMaxTimestamp = -3,          // KIP-734
  kEarliestLocal = -4,         // KIP-405: without a second tier the log start
  kLastTiered = -5,            // KIP-1005: nothing is tiered
  kEarliestPendingUpload = -6  // KIP-1023: nothing waits for a tier
};
constexpr std::int16_t kEpochSince = 4;

std::int16_t first_version_of(std::int64_t special) {
  switch (special) {
    case kMaxTimestamp: return 7;
    case kEarliestLocal: return 8;
    case kLastTiered: return 9;
    case kEarliestPendingUpload: return 11;
    default: return 1;
  }
}

// The start of a log only grows, and the rest says nothing.
bool needs_proof(std::int64_t timestamp) {
  return timestamp >= 0 || timestamp == kLatest || timestamp == kMaxTimestamp;
}

void set_timed(ListOffsetsPartitionResponse& out, const Result<std::optional<storage::TimedOffset>>& found) {
  if (!found) {
    out.error_code = wire(code_of_read(found.error()));
  } else if (*found) {
    out.offset = (*found)->offset;
    out.timestamp = (*found)->timestamp_ms;
    out.leader_epoch = (*found)->leader_epoch;
  }
}

void set_offset(ListOffsetsPartitionResponse& out, const storage::Partition& partition, std::int64_t offset) {
  out.offset = offset;
  // The epoch of the offset itself; at the end of the log that is the current one.
  out.leader_epoch = offset >= partition.log_end_offset() ? partition.leader_epoch() : partition.epoch_of(offset);
}

Task<ListOffsetsPartitionResponse> look_up(Services& services, const Caller& caller, const cluster::TopicState* topic,
                                           kafka::ListOffsetsRequest::ListOffsetsPartition asked, std::int8_t isolation,
                                           bool proved) {
  ListOffsetsPartitionResponse out;
  out.partition_index = asked.partition_index;
  const auto led = services.topics.led_partition(topic, asked.partition_index, asked.current_leader_epoch);
  if (!led) {
    out.error_code = wire(led.error());
    co_return out;
  }
  storage::Partition& partition = **led;
  if (asked.timestamp < kEarliestPendingUpload || caller.version < first_version_of(asked.timestamp)) {
    out.error_code = wire(ErrorCode::kUnsupportedVersion);
    co_return out;
  }
  if (!proved && needs_proof(asked.timestamp)) {
    out.error_code = wire(ErrorCode::kNotLeaderOrFollower);
    co_return out;
  }
  const std::int64_t end =
      isolation == kafka::kReadCommitted ? partition.last_stable_offset() : partition.high_watermark();
  switch (asked.timestamp) {
    case kLatest: set_offset(out, partition, end); break;
    case kEarliest:
    case kEarliestLocal: set_offset(out, partition, partition.log_start_offset()); break;
    case kLastTiered:
    case kEarliestPendingUpload: break;
    case kMaxTimestamp: set_timed(out, co_await partition.find_max_timestamp()); break;
    default: {
      const auto found = co_await partition.find_by_time(asked.timestamp);
      // What is not visible yet does not exist yet.
      if (found && *found && (*found)->offset >= end) break;
      set_timed(out, found);
    }
  }
  co_return out;
}

}  // namespace

Task<kafka::ListOffsetsResponse> list_offsets(Services& services, Caller caller, kafka::ListOffsetsRequest request) {
  kafka::ListOffsetsResponse response;
  std::set<std::pair<std::string_view, std::int32_t>> seen, repeated;
  bool ask_proof = false;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      const std::pair key(topic.name, partition.partition_index);
      if (!seen.insert(key).second) repeated.insert(key);
      ask_proof |= needs_proof(partition.timestamp);
    }
  }
  Result<void> proved;
  if (ask_proof) proved = co_await services.cluster.prove_live();
  for (const auto& asked : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = std::string(asked.name);
    for (const auto& partition : asked.partitions) {
      if (repeated.contains({asked.name, partition.partition_index})) {
        ListOffsetsPartitionResponse refused;
        refused.partition_index = partition.partition_index;
        refused.error_code = wire(ErrorCode::kInvalidRequest);
        out.partitions.push_back(refused);
        continue;
      }
      const auto* topic = services.topics.find(asked.name);
      ListOffsetsPartitionResponse answer =
          co_await look_up(services, caller, topic, partition, request.isolation_level, proved.has_value());
      if (caller.version < kEpochSince) answer.leader_epoch = -1;
      response.topics.back().partitions.push_back(answer);
    }
  }
  co_return response;
}

}  // namespace millrace::broker
