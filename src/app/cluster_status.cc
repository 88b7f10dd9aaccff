#include "app/cluster_status.h"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace millrace::app {
namespace {

constexpr std::size_t kShownMax = 20;

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text_field(Writer& json, const char* key, const std::string& value) {
  json.Key(key);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void number_field(Writer& json, const char* key, std::int64_t value) {
  json.Key(key);
  json.Int64(value);
}
void flag_field(Writer& json, const char* key, bool value) {
  json.Key(key);
  json.Bool(value);
}

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::string heard(const cluster::ClusterDescription& cluster, const cluster::BrokerDescription& broker) {
  if (broker.id == cluster.controller_id && broker.live) return cluster.by_controller ? "controls" : "no answer";
  if (broker.heard_ms_ago < 0) return "-";
  return fmt::format("{:.1f} s ago", static_cast<double>(broker.heard_ms_ago) / 1000);
}

std::string behind(const cluster::ClusterDescription& cluster, const cluster::BrokerDescription& broker) {
  if (!broker.live || broker.applied.value() == 0) return "-";
  const bool newer = broker.applied >= cluster.applied;
  return std::to_string(newer ? 0 : cluster.applied.value() - broker.applied.value());
}

template <class Line>
std::string listed(const char* title, std::uint64_t total, const std::vector<cluster::PartitionDescription>& some,
                   Line line) {
  std::string text = fmt::format("{}: {}\n", title, total);
  const std::size_t shown = std::min(some.size(), kShownMax);
  for (std::size_t i = 0; i < shown; ++i) text += "  " + line(some[i]) + "\n";
  if (total > shown) text += fmt::format("  and {} more\n", total - shown);
  return text;
}

void write_partitions(Writer& json, const char* key, const std::vector<cluster::PartitionDescription>& some,
                      bool moves) {
  json.Key(key);
  json.StartArray();
  for (const auto& partition : some) {
    json.StartObject();
    text_field(json, "topic", partition.topic);
    number_field(json, "partition", partition.partition);
    number_field(json, moves ? "from" : "last_leader", partition.leader);
    if (moves) number_field(json, "to", partition.to);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string state_of(const cluster::BrokerDescription& broker) {
  if (broker.live) return broker.draining ? "draining" : "live";
  return broker.wals_to_recover > 0 ? "recovering" : "fenced";
}

std::string status_text(const std::string& cluster_id, const cluster::ClusterDescription& cluster) {
  const auto* controller = cluster.broker(cluster.controller_id);
  std::string text =
      fmt::format("cluster {}, controller {} (epoch {}), metadata entry {}, {} partitions\n", cluster_id,
                  cluster.controller_id, cluster.controller_epoch, cluster.applied.value(), cluster.partitions);
  if (!cluster.by_controller) {
    const bool gone = !controller || !controller->live;
    text += fmt::format("as broker {} knows it: the controller {}\n", cluster.described_by,
                        gone ? "is gone, another one takes over soon" : "does not answer");
  }
  std::size_t widest = 7;
  for (const auto& broker : cluster.brokers)
    widest = std::max(widest, fmt::format("{}:{}", broker.host, broker.port).size());
  const auto row = [&](auto id, auto address, auto rack, auto state, auto leads, auto incarnation, auto when,
                       auto lag) {
    text += fmt::format("{:<8}{:<{}}{:<10}{:<12}{:<8}{:<13}{:<12}{}\n", id, address, widest + 2, rack, state, leads,
                        incarnation, when, lag);
  };
  row("BROKER", "ADDRESS", "RACK", "STATE", "LEADS", "INCARNATION", "HEARD", "BEHIND");
  for (const auto& broker : cluster.brokers) {
    row(broker.id, fmt::format("{}:{}", broker.host, broker.port), broker.rack.empty() ? "-" : broker.rack,
        state_of(broker), broker.partitions_led, broker.incarnation.value(), heard(cluster, broker),
        behind(cluster, broker));
  }
  text += listed("partitions without a leader", cluster.leaderless, cluster.leaderless_listed, [](const auto& p) {
    return fmt::format("{}-{}, led last by broker {}", p.topic, p.partition, p.leader);
  });
  text += listed("moves under way", cluster.moves, cluster.moves_listed, [](const auto& p) {
    return fmt::format("{}-{} from broker {} to {}", p.topic, p.partition, p.leader, p.to);
  });
  return text;
}

std::string status_json(const std::string& cluster_id, const cluster::ClusterDescription& cluster) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.StartObject();
  text_field(json, "cluster_id", cluster_id);
  number_field(json, "controller", cluster.controller_id);
  number_field(json, "controller_epoch", number(cluster.controller_epoch));
  number_field(json, "described_by", cluster.described_by);
  flag_field(json, "by_controller", cluster.by_controller);
  number_field(json, "metadata_applied", number(cluster.applied.value()));
  json.Key("brokers");
  json.StartArray();
  for (const auto& broker : cluster.brokers) {
    json.StartObject();
    number_field(json, "id", broker.id);
    text_field(json, "host", broker.host);
    number_field(json, "port", broker.port);
    text_field(json, "rack", broker.rack);
    text_field(json, "state", state_of(broker));
    flag_field(json, "live", broker.live);
    flag_field(json, "draining", broker.draining);
    text_field(json, "wal", broker.wal_kind == cluster::WalKind::kDisk ? "disk" : "bucket");
    number_field(json, "incarnation", number(broker.incarnation.value()));
    number_field(json, "partitions_led", number(broker.partitions_led));
    number_field(json, "wals_to_recover", number(broker.wals_to_recover));
    number_field(json, "heard_ms_ago", broker.heard_ms_ago);
    number_field(json, "metadata_applied", broker.applied.value() == 0 ? -1 : number(broker.applied.value()));
    json.EndObject();
  }
  json.EndArray();
  number_field(json, "partitions", number(cluster.partitions));
  number_field(json, "leaderless", number(cluster.leaderless));
  write_partitions(json, "leaderless_partitions", cluster.leaderless_listed, false);
  number_field(json, "moves", number(cluster.moves));
  write_partitions(json, "moves_under_way", cluster.moves_listed, true);
  json.EndObject();
  return buffer.GetString();
}

}  // namespace millrace::app
