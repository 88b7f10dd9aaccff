// DeleteRecords (KIP-107): moves the log start.
#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"
#include "cluster/topic_config.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;
using DeleteRecordsPartitionResult = kafka::DeleteRecordsResponse::DeleteRecordsPartitionResult;

constexpr std::int64_t kToHighWatermark = -1;

Task<DeleteRecordsPartitionResult> delete_one(Services& services, const cluster::TopicState* topic,
                                              kafka::DeleteRecordsRequest::DeleteRecordsPartition asked) {
  DeleteRecordsPartitionResult out;
  out.partition_index = asked.partition_index;
  out.low_watermark = -1;
  const auto refuse = [&](ErrorCode code) { out.error_code = wire(code); };
  const auto led = services.topics.led_partition(topic, asked.partition_index);
  if (!led) {
    refuse(led.error());
    co_return out;
  }
  // Deleting from the front of a log that is only compacted would lose the newest value of a key.
  if (is_internal_topic(topic->name)) {
    refuse(ErrorCode::kInvalidTopicException);
    co_return out;
  }
  if (!cluster::topic_settings(topic->configs).cleanup_delete) {
    refuse(ErrorCode::kPolicyViolation);
    co_return out;
  }
  const std::int64_t target = asked.offset == kToHighWatermark ? (*led)->high_watermark() : asked.offset;
  if (target < 0 || target > (*led)->high_watermark()) {
    refuse(ErrorCode::kOffsetOutOfRange);
    co_return out;
  }
  const auto moved = co_await (*led)->delete_records_before(target);
  if (moved) {
    out.low_watermark = *moved;
  } else {
    refuse(code_of_read(moved.error()));
  }
  co_return out;
}

}  // namespace

Task<kafka::DeleteRecordsResponse> delete_records(Services& services, Caller, kafka::DeleteRecordsRequest request) {
  kafka::DeleteRecordsResponse response;
  for (const auto& asked : request.topics) {
    response.topics.emplace_back().name = std::string(asked.name);
    for (const auto& partition : asked.partitions) {
      const auto* topic = services.topics.find(asked.name);
      DeleteRecordsPartitionResult answer = co_await delete_one(services, topic, partition);
      response.topics.back().partitions.push_back(answer);
    }
  }
  co_return response;
}

}  // namespace millrace::broker
