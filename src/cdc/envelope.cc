#include "cdc/envelope.h"

#include <fmt/format.h>

#include <algorithm>

#include "cdc/json_out.h"

namespace millrace::cdc {
namespace {

// The Debezium release whose envelope this is.
constexpr std::string_view kEnvelopeVersion = "3.7.0.Final";

constexpr std::string_view kSourceSchema =
    R"({"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"},)"
    R"({"type":"string","optional":false,"field":"name"},{"type":"int64","optional":false,"field":"ts_ms"},)"
    R"({"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":)"
    R"("true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},)"
    R"({"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"sequence"},)"
    R"({"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"},)"
    R"({"type":"string","optional":false,"field":"schema"},{"type":"string","optional":false,"field":"table"},)"
    R"({"type":"int64","optional":true,"field":"txId"},{"type":"int64","optional":true,"field":"lsn"},)"
    R"({"type":"int64","optional":true,"field":"xmin"},{"type":"string","optional":true,"field":"origin"},)"
    R"({"type":"int64","optional":true,"field":"origin_lsn"}],"optional":false,)"
    R"("name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"})";
constexpr std::string_view kEnvelopeTail =
    R"({"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":false,"field":"total_order"},)"
    R"({"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,"name":"event.block","version":1,"field":"transaction"},)"
    R"({"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"},)"
    R"({"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"}])";

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out.append(out.empty() ? "" : ",").append(part);
  return out;
}

void append_field(std::string& out, std::string_view label, std::int64_t value) {
  out.append(label);
  append_number(out, value);
}

void append_times(std::string& out, std::int64_t us) {
  append_field(out, ",\"ts_us\":", us);
  append_field(out, ",\"ts_ns\":", us);
  out += "000";
}

std::int64_t floor_ms(std::int64_t us) { return us >= 0 ? us / 1000 : -((-us + 999) / 1000); }

}  // namespace

std::string topic_name(std::string_view prefix, std::string_view schema, std::string_view table) {
  std::string out = fmt::format("{}.{}.{}", prefix, schema, table);
  // Java replaces each UTF-16 unit that a topic must not hold by one '_'.
  std::string clean;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    if (c < 0x80) {
      clean.push_back(std::isalnum(c) || c == '.' || c == '_' || c == '-' ? static_cast<char>(c) : '_');
    } else if (c >= 0xc0) {
      clean.append(c >= 0xf0 ? "__" : "_");
    }
  }
  return clean;
}

Result<std::unique_ptr<EventTable>> EventTable::make(const ConnectorConfig& config, const TypeRegistry& types,
                                                     const TableInfo& info,
                                                     std::vector<client::Header> context_headers) {
  std::unique_ptr<EventTable> table(new EventTable);
  table->topic_ = topic_name(config.topic_prefix, info.schema, info.name);
  table->tombstones_ = config.tombstones;
  table->headers_ = std::move(context_headers);
  std::vector<std::string> schemas, all_schemas;
  for (const auto& column : info.columns) {
    Column out;
    out.label = json_string(column.name) + ":";
    out.encoder = make_encoder(types, column.type_oid, column.typmod, config.decimal_mode);
    std::string schema;
    if (!out.encoder) {
      table->left_out_.push_back(column.name);
    } else {
      const auto initial = default_json(types.at(column.type_oid), *out.encoder, column.default_expression);
      schema = out.encoder->schema_json(column.name, !column.not_null, initial.value_or(""));
      out.null_json = initial.value_or("null");
      out.missing_json = initial.value_or(column.not_null ? out.encoder->filler_json() : "null");
      schemas.push_back(schema);
    }
    all_schemas.push_back(schema);
    table->columns_.push_back(std::move(out));
  }
  std::vector<std::string> key_schemas;
  for (const auto& name : info.key) {
    const auto at =
        std::find_if(info.columns.begin(), info.columns.end(), [&](const auto& c) { return c.name == name; });
    const auto index = static_cast<std::size_t>(at - info.columns.begin());
    if (at == info.columns.end()) continue;  // a key from the future: the column is not in this version
    if (!table->columns_[index].encoder) {
      return fail(
          Code::kUnsupported,
          fmt::format("column {} of {}.{} is part of the key, and its type {} cannot be captured: exclude the table "
                      "with table.exclude.list",
                      name, info.schema, info.name,
                      types.contains(at->type_oid) ? types.at(at->type_oid).name : std::to_string(at->type_oid)));
    }
    table->key_.push_back(index);
    key_schemas.push_back(all_schemas[index]);
  }
  table->shape_ = TableShape{info.schema, info.name, schemas, {}};
  for (const auto index : table->key_) table->shape_.key.push_back(info.columns[index].name);
  table->build_schemas(config, schemas, key_schemas);
  table->source_start_ = fmt::format(R"({{"version":"{}","connector":"postgresql","name":{},"ts_ms":)",
                                     kEnvelopeVersion, json_string(config.topic_prefix));
  table->source_db_ = fmt::format(",\"db\":{},\"sequence\":\"[", json_string(config.dbname));
  table->source_table_ =
      fmt::format(",\"schema\":{},\"table\":{},\"txId\":", json_string(info.schema), json_string(info.name));
  return table;
}

void EventTable::build_schemas(const ConnectorConfig& config, const std::vector<std::string>& column_schemas,
                               const std::vector<std::string>& key_schemas) {
  if (config.key_schemas && !key_.empty()) {
    key_schema_ =
        fmt::format(R"({{"schema":{{"type":"struct","fields":[{}],"optional":false,"name":"{}.Key"}},"payload":)",
                    join(key_schemas), topic_);
  }
  if (config.value_schemas) {
    const std::string row = fmt::format(R"({{"type":"struct","fields":[{}],"optional":true,"name":"{}.Value","field":)",
                                        join(column_schemas), topic_);
    value_schema_ = fmt::format(
        R"({{"schema":{{"type":"struct","fields":[{0}"before"}},{0}"after"}},{1},{2},"optional":false,"name":"{3}.Envelope","version":2}},"payload":)",
        row, kSourceSchema, kEnvelopeTail, topic_);
  }
}

void EventTable::append_column(std::string& out, const Column& column, const TupleColumn& value, Row kind) const {
  switch (value.kind) {
    case 't': column.encoder->append(out, value.value); break;
    case 'u': out.append(column.encoder->unavailable_json()); break;
    default: out.append(kind == Row::kKeyOnly ? column.missing_json : column.null_json);
  }
}

void EventTable::append_row(std::string& out, const std::vector<TupleColumn>& row, Row kind) const {
  char separator = '{';
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    if (!column.encoder) continue;
    out.push_back(separator);
    separator = ',';
    out.append(column.label);
    append_column(out, column, i < row.size() ? row[i] : TupleColumn{}, kind);
  }
  if (separator == '{') out.push_back('{');
  out.push_back('}');
}

std::optional<std::string> EventTable::key_of(const std::vector<TupleColumn>& row) const {
  if (key_.empty()) return std::nullopt;
  std::string out;
  char separator = '{';
  for (const auto index : key_) {
    out.push_back(separator);
    separator = ',';
    out.append(columns_[index].label);
    append_column(out, columns_[index], index < row.size() ? row[index] : TupleColumn{}, Row::kKeyOnly);
  }
  out.push_back('}');
  return out;
}

void EventTable::append_source(std::string& out, const Origin& origin) const {
  out.append(source_start_);
  append_number(out, floor_ms(origin.source_us));
  out.append(",\"snapshot\":\"").append(origin.snapshot).push_back('"');
  out.append(source_db_);
  if (origin.sequence_first) {
    out += "\\\"";
    append_number(out, static_cast<std::int64_t>(*origin.sequence_first));
    out += "\\\"";
  } else {
    out += "null";
  }
  out += ",\\\"";
  append_number(out, static_cast<std::int64_t>(origin.lsn));
  out += "\\\"]\"";
  append_times(out, origin.source_us);
  append_field(out, source_table_, origin.xid);
  append_field(out, ",\"lsn\":", static_cast<std::int64_t>(origin.lsn));
  out += ",\"xmin\":null,\"origin\":";
  if (origin.origin_name.empty()) {
    out += "null,\"origin_lsn\":null}";
  } else {
    append_json_string(out, origin.origin_name);
    append_field(out, ",\"origin_lsn\":", static_cast<std::int64_t>(origin.origin_lsn));
    out += "}";
  }
}

std::string EventTable::value(char op, const std::vector<TupleColumn>* before, Row before_kind,
                              const std::vector<TupleColumn>* after, const Origin& origin) const {
  std::string out;
  std::size_t size = value_schema_.size() + 640 + columns_.size() * 24;
  for (const auto* row : {before, after}) {
    if (row != nullptr) {
      for (const auto& column : *row) size += column.value.size();
    }
  }
  out.reserve(size);
  out.append(value_schema_);
  out += "{\"before\":";
  if (before != nullptr)
    append_row(out, *before, before_kind);
  else
    out += "null";
  out += ",\"after\":";
  if (after != nullptr)
    append_row(out, *after, Row::kWhole);
  else
    out += "null";
  out += ",\"source\":";
  append_source(out, origin);
  out += ",\"transaction\":null,\"op\":\"";
  out.push_back(op);
  out += "\"";
  append_field(out, ",\"ts_ms\":", floor_ms(origin.now_us));
  append_times(out, origin.now_us);
  out.push_back('}');
  if (!value_schema_.empty()) out.push_back('}');
  return out;
}

client::Record EventTable::record(std::optional<std::string> key, std::optional<std::string> value) const {
  client::Record out;
  if (key && !key_schema_.empty()) key = key_schema_ + *key + "}";
  out.key = std::move(key);
  out.value = std::move(value);
  out.headers = headers_;
  return out;
}

client::Record EventTable::read(const std::vector<TupleColumn>& row, const Origin& origin) const {
  return record(key_of(row), value('r', nullptr, Row::kWhole, &row, origin));
}

client::Record EventTable::create(const std::vector<TupleColumn>& row, const Origin& origin) const {
  return record(key_of(row), value('c', nullptr, Row::kWhole, &row, origin));
}

void EventTable::update(char old_kind, const std::vector<TupleColumn>& old_row, std::vector<TupleColumn>& new_row,
                        const Origin& origin, std::vector<client::Record>& out) const {
  if (old_kind == 'O') {
    for (std::size_t i = 0; i < new_row.size() && i < old_row.size(); ++i) {
      if (new_row[i].kind == 'u') new_row[i] = old_row[i];
    }
  }
  auto key = key_of(new_row);
  if (old_kind != 0) {
    auto old_key = key_of(old_row);
    if (old_key != key) {
      const auto header = [](const char* name, const std::optional<std::string>& value) {
        return client::Header{name, value.value_or("")};
      };
      const Row kind = old_kind == 'K' ? Row::kKeyOnly : Row::kWhole;
      auto gone = record(old_key, value('d', &old_row, kind, nullptr, origin));
      gone.headers.insert(gone.headers.begin(), header("__debezium.newkey", key));
      auto tombstone = record(old_key, std::nullopt);
      tombstone.headers = gone.headers;
      auto born = record(key, value('c', nullptr, Row::kWhole, &new_row, origin));
      born.headers.insert(born.headers.begin(), header("__debezium.oldkey", old_key));
      out.push_back(std::move(gone));
      if (tombstones_) out.push_back(std::move(tombstone));
      out.push_back(std::move(born));
      return;
    }
  }
  // A key-only old row says nothing that the key does not.
  const bool whole = old_kind == 'O';
  out.push_back(record(std::move(key), value('u', whole ? &old_row : nullptr, Row::kWhole, &new_row, origin)));
}

void EventTable::remove(char old_kind, const std::vector<TupleColumn>& old_row, const Origin& origin,
                        std::vector<client::Record>& out) const {
  auto key = key_of(old_row);
  out.push_back(record(key, value('d', &old_row, old_kind == 'K' ? Row::kKeyOnly : Row::kWhole, nullptr, origin)));
  if (tombstones_) out.push_back(record(std::move(key), std::nullopt));
}

}  // namespace millrace::cdc
