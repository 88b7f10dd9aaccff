#include "app/status.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "app/version.h"

namespace millrace::app {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

class Json {
 public:
  void open() { writer_.StartObject(); }
  void open(const char* key) {
    writer_.Key(key);
    writer_.StartObject();
  }
  void close() { writer_.EndObject(); }
  void open_list(const char* key) {
    writer_.Key(key);
    writer_.StartArray();
  }
  void close_list() { writer_.EndArray(); }
  void field(const char* key, std::string_view value) {
    writer_.Key(key);
    writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  void field(const char* key, bool value) {
    writer_.Key(key);
    writer_.Bool(value);
  }
  template <class T>
    requires std::is_integral_v<T> && (!std::is_same_v<T, bool>)
  void field(const char* key, T value) {
    writer_.Key(key);
    if constexpr (std::is_signed_v<T>) {
      writer_.Int64(value);
    } else {
      writer_.Uint64(value);
    }
  }
  void field(const char* key, double value) {
    writer_.Key(key);
    writer_.Double(value);
  }
  std::string text() const { return buffer_.GetString(); }

 private:
  rapidjson::StringBuffer buffer_;
  Writer writer_{buffer_};
};

void write_log(Json& json, const storage::EngineStatus& log) {
  json.open("log");
  json.field("slots_written", log.slots_written);
  json.field("slots_in_flight", log.slots_in_flight);
  json.field("wal_bytes", log.wal_bytes);
  json.field("tail_bytes", log.tail_bytes);
  json.field("unacked_bytes", log.unacked_bytes);
  json.field("partitions", log.partitions);
  json.field("fenced", log.fenced);
  json.close();
}

void write_broker(Json& json, const broker::BrokerStatus& broker) {
  json.open("kafka");
  json.field("connections", broker.connections);
  json.field("requests_in_flight", broker.requests_in_flight);
  json.field("bytes_in", broker.bytes_in);
  json.field("bytes_out", broker.bytes_out);
  json.open_list("topics");
  for (const auto& topic : broker.topics) {
    std::int64_t records = 0;
    std::uint64_t bytes = 0;
    for (const auto& partition : topic.partitions) {
      records += partition.high_watermark - partition.log_start_offset;
      bytes += partition.size_bytes;
    }
    json.open();
    json.field("name", topic.name);
    json.field("id", topic.id);
    json.field("internal", topic.internal);
    json.field("partitions", topic.partitions.size());
    json.field("records", records);
    json.field("bytes", bytes);
    json.close();
  }
  json.close_list();
  json.open_list("groups");
  for (const auto& group : broker.groups) {
    json.open();
    json.field("id", group.id);
    json.field("state", group.state);
    json.field("members", group.members);
    json.field("lag", group.lag);
    json.close();
  }
  json.close_list();
  json.open_list("requests");
  for (const auto& api : broker.apis) {
    json.open();
    json.field("api", api.name);
    json.field("requests", api.requests);
    json.field("errors", api.errors);
    json.field("seconds", api.seconds);
    json.close();
  }
  json.close_list();
  json.close();
}

void write_cdc(Json& json, const std::vector<cdc::Status>& connectors) {
  json.open_list("cdc");
  for (const auto& connector : connectors) {
    json.open();
    json.field("name", connector.name);
    json.field("database", connector.database);
    json.field("topic_prefix", connector.topic_prefix);
    json.field("slot", connector.slot);
    json.field("state", cdc::to_string(connector.state));
    json.field("error", connector.error);
    json.field("position", connector.position);
    json.field("lag_bytes", connector.lag_bytes);
    json.field("rows_captured", connector.rows);
    json.field("transactions", connector.transactions);
    json.field("replayed", connector.replayed);
    json.field("snapshot_tables", connector.snapshot_tables);
    json.field("snapshot_tables_done", connector.snapshot_tables_done);
    json.field("snapshot_rows", connector.snapshot_rows);
    json.close();
  }
  json.close_list();
}

}  // namespace

std::string to_json(const ProcessStatus& status) {
  Json json;
  json.open();
  json.field("version", kVersion);
  json.field("ready", status.ready);
  json.field("reason", status.reason);
  json.field("uptime_ms", status.uptime_ms);
  json.open("listeners");
  for (const auto& [name, address] : status.addresses) json.field(name.c_str(), address);
  json.close();
  if (status.log) {
    write_log(json, *status.log);
    json.open("bucket");
    json.field("objects", status.log->objects);
    json.field("bytes", status.log->object_bytes);
    json.field("puts", status.log->slots_written);
    json.close();
  }
  if (status.broker) write_broker(json, *status.broker);
  write_cdc(json, status.cdc);
  if (status.sql) {
    json.open("sql");
    json.open_list("tables");
    for (const auto& load : status.sql->loads) {
      json.open();
      json.field("name", load.database + "." + load.table);
      json.field("topic", load.topic);
      json.field("state", sql::to_string(load.state));
      json.field("reason", load.reason);
      json.field("rows_applied", load.rows_applied);
      json.field("lag_records", load.lag);
      json.field("freshness_ms", load.freshness_ms);
      json.field("errors", load.error_rows);
      json.field("error", load.last_error);
      json.close();
    }
    json.close_list();
    json.field("trouble", status.sql->trouble);
    json.field("freshness_ms", status.sql->freshness_ms);
    json.field("apply_ms", status.sql->apply_ms);
    json.field("queries", status.sql->queries);
    json.field("queries_running", status.sql->queries_running);
    json.close();
  }
  json.open_list("views");
  for (const auto& view : status.views) {
    json.open();
    json.field("name", view.name);
    json.field("title", view.title);
    json.field("sql", view.sql);
    json.close();
  }
  json.close_list();
  json.close();
  return json.text();
}

}  // namespace millrace::app
