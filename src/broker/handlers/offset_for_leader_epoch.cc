// OffsetForLeaderEpoch: where an epoch ends (KIP-101), so that a client notices a log that was cut.
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {

kafka::OffsetForLeaderEpochResponse offset_for_leader_epoch(Services& services, const Caller&,
                                                            const kafka::OffsetForLeaderEpochRequest& request) {
  kafka::OffsetForLeaderEpochResponse response;
  for (const auto& asked : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic = std::string(asked.topic);
    const auto* topic = services.topics.find(asked.topic);
    for (const auto& partition : asked.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition = partition.partition;
      const auto led = services.topics.led_partition(topic, partition.partition, partition.current_leader_epoch);
      if (!led) {
        answer.error_code = wire(led.error());
        continue;
      }
      const auto end = (*led)->end_of_epoch(partition.leader_epoch);
      answer.leader_epoch = end.epoch;
      answer.end_offset = end.end_offset;
    }
  }
  return response;
}

}  // namespace millrace::broker
