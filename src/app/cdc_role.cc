#include "app/cdc_role.h"

#include <rapidjson/document.h>

#include <cstdlib>

namespace millrace::app {
namespace {

std::int32_t parameter(const rapidjson::Value& field, const char* name) {
  if (!field.HasMember("parameters") || !field["parameters"].HasMember(name)) return 0;
  return static_cast<std::int32_t>(std::strtol(field["parameters"][name].GetString(), nullptr, 10));
}

// From Connect's field schemas, which cdc wrote itself.
sql::TableDescription description_of(const cdc::TableShape& shape) {
  sql::TableDescription table;
  table.schema = shape.schema;
  table.table = shape.table;
  table.key = shape.key;
  for (const auto& json : shape.columns) {
    rapidjson::Document field;
    field.Parse(json.data(), json.size());
    sql::DescribedColumn column;
    column.name = field["field"].GetString();
    column.connect_type = field["type"].GetString();
    if (field.HasMember("name")) column.semantic = field["name"].GetString();
    column.scale = parameter(field, "scale");
    column.precision = parameter(field, "connect.decimal.precision");
    column.optional = field["optional"].GetBool();
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace

CdcRole::CdcRole(Metrics& metrics, LogAccess log, std::uint64_t seed)
    : metrics_(metrics), log_(std::move(log)), seed_(seed) {
  if (!log_.connector) {
    tcp_ = client::make_tcp_connector(thread_.executor());
    log_.connector = tcp_.get();
  }
}
CdcRole::~CdcRole() = default;

void CdcRole::add(cdc::ConnectorConfig config) {
  cdc::Environment environment{
      thread_.executor(), thread_.clock(), *log_.connector, log_.client_options("millrace-cdc"), metrics_, seed_};
  connectors_.push_back(std::make_unique<cdc::Connector>(std::move(config), std::move(environment)));
}

Task<void> CdcRole::start() {
  started_ = true;
  auto job = [this]() -> Task<bool> {
    for (auto& connector : connectors_) connector->start();
    co_return true;
  };
  co_await run_on(thread_.executor(), std::move(job));
}

Task<void> CdcRole::stop() {
  if (!std::exchange(started_, false)) co_return;
  auto job = [this]() -> Task<bool> {
    for (auto& connector : connectors_) co_await connector->stop();
    co_return true;
  };
  co_await run_on(thread_.executor(), std::move(job));
}

std::vector<cdc::Status> CdcRole::status() const {
  std::vector<cdc::Status> all;
  for (const auto& connector : connectors_) all.push_back(connector->status());
  return all;
}

std::vector<std::string> CdcRole::topic_prefixes() const {
  std::vector<std::string> prefixes;
  for (const auto& connector : connectors_) prefixes.push_back(connector->config().topic_prefix);
  return prefixes;
}

std::optional<sql::TableDescription> CdcRole::describe(std::string_view topic) {
  for (const auto& connector : connectors_) {
    if (const auto shape = connector->describe(topic)) return description_of(*shape);
  }
  return std::nullopt;
}

}  // namespace millrace::app
