// DescribeLogDirs (KIP-113): a broker has one log directory, the bucket, in which are the partitions that it leads.
// How large a bucket is or may become nobody knows, so the volume's bytes are not told (KIP-827).
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using Topic = kafka::DescribeLogDirsResponse::DescribeLogDirsTopic;

void add_partition(Services& services, const cluster::TopicState& topic, std::int32_t index, Topic& out) {
  const storage::Partition* led = services.engine.find({topic.id, index});
  if (!led) return;
  auto& partition = out.partitions.emplace_back();
  partition.partition_index = index;
  partition.partition_size = static_cast<std::int64_t>(led->size_bytes());
}

}  // namespace

kafka::DescribeLogDirsResponse describe_log_dirs(Services& services, const Caller&,
                                                 const kafka::DescribeLogDirsRequest& request) {
  kafka::DescribeLogDirsResponse response;
  auto& place = response.results.emplace_back();
  place.log_dir = services.config.log_place;
  const auto keep = [&](Topic topic) {
    if (!topic.partitions.empty()) place.topics.push_back(std::move(topic));
  };
  if (!request.topics) {
    for (const auto& [name, id] : services.cluster.state().topic_ids()) {
      const auto& topic = *services.topics.find(id);
      Topic out;
      out.name = name;
      const auto count = static_cast<std::int32_t>(topic.partitions.size());
      for (std::int32_t index = 0; index < count; ++index) add_partition(services, topic, index, out);
      keep(std::move(out));
    }
    return response;
  }
  for (const auto& asked : *request.topics) {
    const auto* topic = services.topics.find(asked.topic);
    if (!topic) continue;
    Topic out;
    out.name = topic->name;
    for (const std::int32_t index : asked.partitions) add_partition(services, *topic, index, out);
    keep(std::move(out));
  }
  return response;
}

}  // namespace millrace::broker
