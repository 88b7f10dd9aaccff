#include "broker/topics.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/errors.h"
#include "cluster/topic_config.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

constexpr std::size_t kNameMax = 249;
constexpr std::int32_t kPartitionsMax = 10'000;

// Kafka's metric names turn '.' into '_', so two such names would be one.
std::string collision_form(std::string_view name) {
  std::string form(name);
  std::ranges::replace(form, '.', '_');
  return form;
}

std::optional<kafka::Compression> compression_of(std::string_view name) {
  if (name == "uncompressed") return kafka::Compression::kNone;
  if (name == "gzip") return kafka::Compression::kGzip;
  if (name == "snappy") return kafka::Compression::kSnappy;
  if (name == "lz4") return kafka::Compression::kLz4;
  if (name == "zstd") return kafka::Compression::kZstd;
  return std::nullopt;  // producer
}

}  // namespace

std::optional<std::string> topic_name_problem(std::string_view name) {
  if (name.empty()) return "the empty string is not allowed";
  if (name == "." || name == "..") return "'.' or '..' is not allowed";
  if (name.size() > kNameMax) {
    return fmt::format("the length of '{}' is longer than the max allowed length {}", name, kNameMax);
  }
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!std::ranges::all_of(name, legal)) {
    return fmt::format("'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name);
  }
  return std::nullopt;
}

bool is_internal_topic(std::string_view name) { return name == "__consumer_offsets" || name == "__transaction_state"; }

const kafka::ProduceRules& Topics::produce_rules(const cluster::TopicState& topic) {
  const auto [cached, fresh] = rules_.try_emplace(topic.id);
  CachedRules& entry = cached->second;
  if (!fresh && entry.configs == topic.configs) return entry.rules;
  entry.configs = topic.configs;
  const auto settings = cluster::topic_settings(topic.configs);
  kafka::ProduceRules& rules = entry.rules;
  const bool own_size = topic.configs.contains("max.message.bytes");
  rules.batch_bytes_max = static_cast<std::size_t>(own_size ? settings.max_message_bytes : config_.message_max_bytes);
  rules.segment_bytes_max = static_cast<std::size_t>(settings.segment_bytes);
  rules.keys_required = settings.cleanup_compact;
  rules.timestamp_type = settings.message_timestamp_type == cluster::TimestampType::kLogAppendTime
                             ? kafka::TimestampType::kLogAppendTime
                             : kafka::TimestampType::kCreateTime;
  rules.before_max_ms = settings.message_timestamp_before_max_ms;
  rules.after_max_ms = settings.message_timestamp_after_max_ms;
  rules.compression = compression_of(settings.compression_type);
  return rules;
}

std::expected<void, Topics::Refusal> Topics::check_new(std::string_view name, std::int32_t partitions,
                                                       const std::map<std::string, std::string>& configs) const {
  const auto refuse = [](ErrorCode code, std::string message) {
    return std::unexpected(Refusal{code, std::move(message)});
  };
  if (const auto problem = topic_name_problem(name)) {
    return refuse(ErrorCode::kInvalidTopicException, "Topic name is invalid: " + *problem);
  }
  if (find(name)) return refuse(ErrorCode::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", name));
  if (name.find_first_of("._") != std::string_view::npos) {
    const std::string form = collision_form(name);
    for (const auto& [other, id] : cluster_.state().topic_ids()) {
      if (other.size() == name.size() && collision_form(other) == form) {
        return refuse(ErrorCode::kInvalidTopicException,
                      fmt::format("Topic '{}' collides with existing topic: {}", name, other));
      }
    }
  }
  if (partitions != -1 && (partitions < 1 || partitions > kPartitionsMax)) {
    return refuse(
        ErrorCode::kInvalidPartitions,
        fmt::format("Number of partitions was set to {}; it must be from 1 to {}.", partitions, kPartitionsMax));
  }
  if (const auto fits = cluster::check_topic_configs(configs); !fits) {
    return refuse(ErrorCode::kInvalidConfig, fits.error().message());
  }
  return {};
}

Task<std::expected<Uuid, Topics::Refusal>> Topics::create(std::string name, std::int32_t partitions,
                                                          std::map<std::string, std::string> configs) {
  if (auto checked = check_new(name, partitions, configs); !checked) co_return std::unexpected(checked.error());
  cluster::NewTopicSpec spec{name, partitions == -1 ? config_.num_partitions : partitions, std::move(configs)};
  const Result<Uuid> created = co_await cluster_.create_topic(std::move(spec));
  if (created) co_return *created;
  co_return std::unexpected(Refusal{code_of_change(created.error()), created.error().message()});
}

Topics::Placement Topics::placement_of(const cluster::TopicState& topic, std::int32_t partition) const {
  const auto& state = topic.partitions[static_cast<std::size_t>(partition)];
  Placement out;
  out.epoch = state.leader_epoch;
  out.replica = state.leader_broker.value_or(state.last_leader);
  const auto broker = cluster_.state().brokers().find(out.replica);
  const bool live = broker != cluster_.state().brokers().end() && broker->second.is_live();
  if (live && state.leader_broker) out.leader = out.replica;
  out.offline = out.replica >= 0 && !live;
  return out;
}

std::optional<Topics::Leader> Topics::leader_of(const cluster::TopicState& topic, std::int32_t partition) const {
  const Placement placement = placement_of(topic, partition);
  if (placement.leader < 0) return std::nullopt;
  return Leader{placement.leader, placement.epoch};
}

std::expected<storage::Partition*, ErrorCode> Topics::led_partition(const cluster::TopicState* topic,
                                                                    std::int32_t partition,
                                                                    std::int32_t current_leader_epoch) const {
  if (!topic || partition < 0 || static_cast<std::size_t>(partition) >= topic->partitions.size()) {
    return std::unexpected(ErrorCode::kUnknownTopicOrPartition);
  }
  storage::Partition* led = engine_.find({topic->id, partition});
  if (!led) return std::unexpected(ErrorCode::kNotLeaderOrFollower);
  if (current_leader_epoch >= 0 && current_leader_epoch < led->leader_epoch()) {
    return std::unexpected(ErrorCode::kFencedLeaderEpoch);
  }
  if (current_leader_epoch > led->leader_epoch()) return std::unexpected(ErrorCode::kUnknownLeaderEpoch);
  return led;
}

}  // namespace millrace::broker
