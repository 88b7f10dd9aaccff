#include "sql/ingest/load_statement.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace millrace::sql::ingest {
namespace {

constexpr std::array kTuning{
    "desired_concurrent_number", "max_batch_interval",  "max_batch_rows", "max_batch_size",
    "max_filter_ratio",          "strict_mode",         "timezone",       "log_rejected_record_num",
    "task_consume_second",       "task_timeout_second", "trim_space",     "pause_on_fatal_parse_error"};
constexpr std::array kRefused{"jsonpaths",       "json_root", "partial_update",   "partial_update_mode",
                              "merge_condition", "where",     "strip_outer_array"};

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    parts.emplace_back(part);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

Result<bool> truth(const std::string& name, const std::string& value) {
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return fail(Code::kInvalid, fmt::format("property \"{}\" must be true or false, not \"{}\"", name, value));
}

Result<void> set_property(LoadEntry& entry, const std::string& name, const std::string& value) {
  if (name == "format") {
    if (value == "json") return {};
    return fail(Code::kUnsupported, fmt::format("format \"{}\" is not supported yet: use \"json\"", value));
  }
  if (name == "envelope") {
    if (value != "debezium" && value != "plain" && value != "none") {
      return fail(Code::kInvalid, fmt::format("envelope \"{}\": use \"debezium\" or \"plain\"", value));
    }
    entry.envelope = value == "debezium" ? Envelope::kDebezium : Envelope::kPlain;
    return {};
  }
  if (name == "max_error_number") {
    const auto number = whole_number(value);
    if (!number || *number < -1) {
      return fail(Code::kInvalid, "property \"max_error_number\" must be -1 (no bound), 0 or more");
    }
    entry.max_error_number = *number;
    return {};
  }
  if (name == "ignore_unknown_fields") {
    TRY(const bool ignore, truth(name, value));
    entry.unknown_fields = ignore ? UnknownFields::kIgnore : UnknownFields::kRefuse;
    return {};
  }
  for (const auto* known : kTuning) {
    if (name == known) return {};
  }
  for (const auto* known : kRefused) {
    if (name == known) return fail(Code::kUnsupported, fmt::format("property \"{}\" is not supported yet", name));
  }
  return fail(Code::kInvalid, fmt::format("unknown property \"{}\"", name));
}

Result<void> set_offsets(LoadEntry& entry, const std::string& offsets, const std::string& partitions) {
  if (offsets == "OFFSET_BEGINNING" || offsets == "OFFSET_END") {
    entry.start_at = offsets == "OFFSET_END" ? StartAt::kEnd : StartAt::kBeginning;
    return {};
  }
  const auto numbers = split(offsets);
  auto names = split(partitions);
  if (names.empty()) {
    for (std::size_t i = 0; i < numbers.size(); ++i) names.push_back(std::to_string(i));
  }
  if (numbers.size() != names.size()) {
    return fail(Code::kInvalid, "kafka_offsets needs one offset for each of kafka_partitions");
  }
  entry.start_at = StartAt::kOffsets;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto partition = whole_number(names[i]), offset = whole_number(numbers[i]);
    if (!partition || *partition < 0 || *partition > 100'000 || !offset || *offset < 0) {
      return fail(Code::kInvalid,
                  fmt::format("kafka_offsets \"{}\": use OFFSET_BEGINNING, OFFSET_END or numbers", offsets));
    }
    entry.start_offsets[static_cast<std::int32_t>(*partition)] = *offset;
  }
  return {};
}

Result<void> set_source(LoadEntry& entry, const dialect::Properties& source) {
  std::string offsets, partitions;
  for (const auto& [name, value] : source) {
    if (name == "kafka_topic")
      entry.topic = value;
    else if (name == "kafka_broker_list")
      entry.brokers = value;
    else if (name == "kafka_offsets" || name == "property.kafka_default_offsets")
      offsets = value;
    else if (name == "kafka_partitions")
      partitions = value;
    else if (name == "confluent.schema.registry.url")
      return fail(Code::kUnsupported, "a schema registry is not supported yet");
    else if (name == "property.security.protocol" && value != "plaintext" && value != "PLAINTEXT") {
      return fail(Code::kUnsupported, fmt::format("security.protocol \"{}\" is not supported yet", value));
    } else if (!name.starts_with("property."))
      return fail(Code::kInvalid, fmt::format("unknown property \"{}\" of FROM KAFKA", name));
  }
  if (!offsets.empty()) return set_offsets(entry, offsets, partitions);
  return {};
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

}  // namespace

Result<LoadEntry> load_from_statement(const dialect::CreateRoutineLoad& statement, const TableSchema& table) {
  LoadEntry entry;
  entry.job = {statement.job.database, statement.job.name};
  entry.table = table.table;
  entry.envelope = Envelope::kPlain;
  entry.properties = statement.properties;
  entry.source = statement.source;
  entry.mysql_text = statement.mysql_text;
  if (statement.where)
    return fail(Code::kUnsupported, "WHERE in a routine load is not supported yet: filter in a view");
  if (statement.column_separator || statement.row_delimiter || !statement.partitions.empty()) {
    return fail(Code::kUnsupported,
                "COLUMNS TERMINATED BY, ROWS TERMINATED BY and PARTITION are not supported for JSON");
  }
  for (const auto& column : statement.columns) {
    if (column.expression || !table.find(column.name)) {
      return fail(Code::kUnsupported,
                  fmt::format("COLUMNS ({} ..): fields go to columns by name; compute others in a view", column.name));
    }
  }
  for (const auto& [name, value] : statement.properties) TRY_VOID(set_property(entry, name, value));
  TRY_VOID(set_source(entry, statement.source));
  if (entry.topic.empty()) return fail(Code::kInvalid, "FROM KAFKA needs \"kafka_topic\"");
  if (entry.envelope == Envelope::kDebezium && table.key.empty()) {
    return fail(Code::kInvalid, fmt::format("envelope \"debezium\" needs a table with a PRIMARY KEY, and {} has none",
                                            table.table.to_string()));
  }
  return entry;
}

Result<void> alter_load(LoadEntry& entry, const dialect::AlterRoutineLoad& statement) {
  for (const auto& [name, value] : statement.properties) {
    TRY_VOID(set_property(entry, name, value));
    entry.properties[name] = value;
  }
  for (const auto& [name, value] : statement.source) {
    if (!name.starts_with("property.")) {
      return fail(Code::kUnsupported, fmt::format("\"{}\" cannot be altered: stop the load and create another", name));
    }
    entry.source[name] = value;
  }
  return {};
}

const std::vector<std::string>& show_load_columns() {
  static const std::vector<std::string> columns{"Id",
                                                "Name",
                                                "CreateTime",
                                                "PauseTime",
                                                "EndTime",
                                                "DbName",
                                                "TableName",
                                                "State",
                                                "DataSourceType",
                                                "CurrentTaskNum",
                                                "JobProperties",
                                                "DataSourceProperties",
                                                "CustomProperties",
                                                "Statistic",
                                                "Progress",
                                                "ReasonOfStateChanged",
                                                "ErrorLogUrls",
                                                "OtherMsg",
                                                "Lag",
                                                "LatestError"};
  return columns;
}

TextRow show_load_row(const LoadEntry& entry, const LoadStatus& status) {
  std::string progress, lag, properties, source;
  for (const auto& part : status.partitions) {
    progress += fmt::format("{}\"{}\":\"{}\"", progress.empty() ? "" : ",", part.partition, part.next_offset);
    lag += fmt::format("{}\"{}\":\"{}\"", lag.empty() ? "" : ",", part.partition,
                       std::max<std::int64_t>(0, part.end_offset - part.next_offset));
  }
  for (const auto& [name, value] : entry.properties) {
    properties += fmt::format("{}{}:{}", properties.empty() ? "" : ",", json_text(name), json_text(value));
  }
  source = fmt::format("{{\"topic\":{},\"brokerList\":{}}}", json_text(entry.topic), json_text(entry.brokers));
  const auto statistic = fmt::format("{{\"loadedRows\":{},\"errorRows\":{},\"totalLag\":{},\"freshnessMs\":{}}}",
                                     status.rows_applied, status.error_rows, status.lag, status.freshness_ms);
  TextRow row;
  row.cells = {std::to_string(entry.born),
               entry.job.name,
               "",
               "",
               "",
               entry.job.database,
               entry.table.name,
               std::string(to_string(status.state)),
               "KAFKA",
               status.state == LoadState::kRunning ? "1" : "0",
               "{" + properties + "}",
               source,
               "{}",
               statistic,
               "{" + progress + "}",
               status.reason,
               "",
               entry.automatic ? "made for a captured topic" : "",
               "{" + lag + "}",
               status.last_error};
  row.nulls.assign(row.cells.size(), false);
  row.nulls[2] = row.nulls[3] = row.nulls[4] = true;
  return row;
}

TableName auto_table_name(std::string_view prefix, std::string_view schema, std::string_view table) {
  if (schema == "public") return {std::string(prefix), std::string(table)};
  return {fmt::format("{}_{}", prefix, schema), std::string(table)};
}

Result<AutoTable> auto_table(TableName name, std::string topic, std::vector<Column> columns,
                             const std::vector<std::string>& key) {
  AutoTable made;
  made.table.schema.table = name;
  made.table.schema.columns = std::move(columns);
  TableSchema& schema = made.table.schema;
  for (const auto& column : key) {
    const auto found = schema.find(column);
    if (!found) return fail(Code::kInvalid, fmt::format("its key column {} is not in its rows", column));
    schema.key.push_back(*found);
    schema.columns[*found].not_null = true;
  }
  if (schema.key.empty()) return fail(Code::kUnsupported, "it has no primary key");
  made.table.comment = "follows topic " + topic;
  made.load.job = name;
  made.load.table = name;
  made.load.topic = std::move(topic);
  made.load.envelope = Envelope::kDebezium;
  made.load.automatic = true;
  made.load.properties = {{"format", "json"}, {"envelope", "debezium"}};
  return made;
}

}  // namespace millrace::sql::ingest
