#include "broker/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace millrace::broker {
namespace {

using C = BrokerConfig;

constexpr BrokerConfigKey kKeys[] = {
    {"num.partitions", &C::num_partitions, 1, "Partitions of a topic that is created without a number."},
    {"auto.create.topics.enable", &C::auto_create_topics_enable, 0,
     "Create a topic when a client asks for its metadata and allows it."},
    {"delete.topic.enable", &C::delete_topic_enable, 0, "Allow DeleteTopics."},
    {"message.max.bytes", &C::message_max_bytes, 0,
     "Largest record batch that is taken, after compression; topics override it with max.message.bytes."},
    {"connections.max.idle.ms", &C::connections_max_idle_ms, 1,
     "Connections without traffic for this long are closed."},
    {"max.connections", &C::max_connections, 1, "Connections above this number are closed at once."},
    {"socket.request.max.bytes", &C::socket_request_max_bytes, 1,
     "Largest request; a larger one closes its connection."},
    {"queued.max.request.bytes", &C::queued_max_request_bytes, 1 << 20,
     "Bytes of requests in work over all connections; beyond, no connection is read from (Kafka: no limit)."},
    {"queued.max.response.bytes", &C::queued_max_response_bytes, 1 << 20,
     "Bytes of Fetch answers that are read and not yet sent; beyond, answers hold one batch (Kafka: no such limit)."},
    {"connection.requests.max", &C::connection_requests_max, 1,
     "Requests in work per connection; beyond, the connection is not read from (Kafka: 1)."},
    {"fetch.max.bytes", &C::fetch_max_bytes, 1024, "Upper bound of one Fetch response, but for a first larger batch."},
    {"max.incremental.fetch.session.cache.slots", &C::fetch_session_slots, 0,
     "Fetch sessions that are kept (KIP-227)."},
    {"max.request.partition.size.limit", &C::request_partition_limit, 1,
     "Partitions in one DescribeTopicPartitions response."},
    {"group.min.session.timeout.ms", &C::group_min_session_timeout_ms, 0,
     "Shortest session timeout of a group member."},
    {"group.max.session.timeout.ms", &C::group_max_session_timeout_ms, 0, "Longest session timeout of a group member."},
    {"group.initial.rebalance.delay.ms", &C::group_initial_rebalance_delay_ms, 0,
     "How long the first rebalance of an empty group waits for more members."},
    {"group.max.size", &C::group_max_size, 1, "Members that one group may have."},
    {"offsets.topic.num.partitions", &C::offsets_topic_num_partitions, 1,
     "Partitions of __consumer_offsets when it is created; never changed afterwards."},
    {"offsets.retention.minutes", &C::offsets_retention_minutes, 1,
     "Offsets are dropped this long after their group became empty."},
    {"offsets.retention.check.interval.ms", &C::offsets_retention_check_interval_ms, 1,
     "How often offsets are checked for expiry."},
    {"offset.metadata.max.bytes", &C::offset_metadata_max_bytes, 0, "Longest metadata text of a committed offset."},
};

// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t up = row[j];
      row[j] = std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

template <class T>
Result<void> set_number(T& field, const BrokerConfigKey& key, std::string_view value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return fail(Code::kInvalid, fmt::format("{}: '{}' is not a number that fits", key.name, value));
  }
  if (number < key.lowest) return fail(Code::kInvalid, fmt::format("{}: must be at least {}", key.name, key.lowest));
  field = number;
  return {};
}

}  // namespace

std::span<const BrokerConfigKey> broker_config_keys() { return kKeys; }

const BrokerConfigKey* find_broker_config_key(std::string_view name) {
  for (const auto& key : kKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string get_config(const BrokerConfig& config, const BrokerConfigKey& key) {
  return std::visit([&](auto field) { return fmt::format("{}", config.*field); }, key.field);
}

Result<void> set_config(BrokerConfig& config, std::string_view name, std::string_view value) {
  const BrokerConfigKey* key = find_broker_config_key(name);
  if (!key) {
    const auto nearest = std::ranges::min_element(
        kKeys, {}, [&](const BrokerConfigKey& candidate) { return distance(candidate.name, name); });
    return fail(Code::kNotFound, fmt::format("unknown broker config '{}'; did you mean '{}'?", name, nearest->name));
  }
  if (const auto* flag = std::get_if<bool C::*>(&key->field)) {
    if (value != "true" && value != "false") {
      return fail(Code::kInvalid, fmt::format("{}: '{}' is neither true nor false", name, value));
    }
    config.*(*flag) = value == "true";
    return {};
  }
  if (const auto* small = std::get_if<std::int32_t C::*>(&key->field)) return set_number(config.*(*small), *key, value);
  return set_number(config.*std::get<std::int64_t C::*>(key->field), *key, value);
}

}  // namespace millrace::broker
