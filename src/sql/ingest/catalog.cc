#include "sql/ingest/catalog.h"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <simdjson.h>

#include <algorithm>

namespace millrace::sql::ingest {
namespace {

namespace dom = simdjson::dom;

// A JSON object being written; nested ones by hand.
class Out {
 public:
  Out() { writer_.StartObject(); }
  Out& text(const char* name, std::string_view value) {
    writer_.Key(name);
    string(value);
    return *this;
  }
  Out& number(const char* name, std::int64_t value) {
    writer_.Key(name);
    writer_.Int64(value);
    return *this;
  }
  Out& truth(const char* name, bool value) {
    writer_.Key(name);
    writer_.Bool(value);
    return *this;
  }
  Out& list(const char* name, const std::vector<std::string>& values) {
    writer_.Key(name);
    writer_.StartArray();
    for (const auto& value : values) string(value);
    writer_.EndArray();
    return *this;
  }
  Out& map(const char* name, const std::map<std::string, std::string>& values) {
    writer_.Key(name);
    writer_.StartObject();
    for (const auto& [key, value] : values) {
      string(key);
      string(value);
    }
    writer_.EndObject();
    return *this;
  }
  Out& name(const TableName& name) { return text("database", name.database).text("name", name.name); }
  void string(std::string_view value) { writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); }
  rapidjson::Writer<rapidjson::StringBuffer>& raw() { return writer_; }
  std::string done() {
    writer_.EndObject();
    return {buffer_.GetString(), buffer_.GetSize()};
  }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

class In {
 public:
  explicit In(dom::element element) : element_(element) {}
  std::string text(std::string_view name) const {
    std::string_view value;
    return element_[name].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
  }
  std::int64_t number(std::string_view name) const {
    std::int64_t value = 0;
    return element_[name].get(value) == simdjson::SUCCESS ? value : 0;
  }
  bool truth(std::string_view name) const {
    bool value = false;
    return element_[name].get(value) == simdjson::SUCCESS && value;
  }
  std::vector<std::string> list(std::string_view name) const {
    std::vector<std::string> values;
    dom::array array;
    if (element_[name].get(array) != simdjson::SUCCESS) return values;
    for (const dom::element item : array) {
      std::string_view value;
      if (item.get(value) == simdjson::SUCCESS) values.emplace_back(value);
    }
    return values;
  }
  std::map<std::string, std::string> map(std::string_view name) const {
    std::map<std::string, std::string> values;
    dom::object object;
    if (element_[name].get(object) != simdjson::SUCCESS) return values;
    for (const auto field : object) {
      std::string_view value;
      if (field.value.get(value) == simdjson::SUCCESS) values.emplace(field.key, value);
    }
    return values;
  }
  TableName name() const { return {text("database"), text("name")}; }
  std::uint64_t version() const { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number("version"))); }
  const dom::element& element() const { return element_; }

 private:
  dom::element element_;
};

Result<TableEntry> read_table(const In& in) {
  TableEntry entry;
  entry.version = in.version();
  entry.schema.table = in.name();
  entry.comment = in.text("comment");
  entry.mysql_text = in.text("mysql_text");
  dom::array columns;
  if (in.element()["columns"].get(columns) != simdjson::SUCCESS) return fail(Code::kCorrupt, "a table without columns");
  for (const dom::element item : columns) {
    const In column_in(item);
    Column column;
    column.name = column_in.text("name");
    TRY(column.type, TypeSpec::parse(column_in.text("type")));
    column.not_null = column_in.truth("not_null");
    if (auto text = column_in.text("default"); !text.empty()) column.default_sql = text;
    if (const auto encoding = column_in.number("encoding"); encoding > 0 && encoding <= 9) {
      column.encoding = static_cast<Encoding>(encoding - 1);
    }
    column.encoded_scale = static_cast<std::int32_t>(std::clamp<std::int64_t>(column_in.number("scale"), -400, 400));
    entry.mysql_types.push_back(column_in.text("mysql_type"));
    entry.comments.push_back(column_in.text("comment"));
    entry.schema.columns.push_back(std::move(column));
  }
  for (const auto& name : in.list("key")) {
    const auto column = entry.schema.find(name);
    if (!column) return fail(Code::kCorrupt, "a table whose key is not among its columns");
    entry.schema.key.push_back(*column);
  }
  return entry;
}

ViewEntry read_view(const In& in) {
  return {in.version(),      in.name(), in.list("columns"), in.text("duckdb_select"), in.text("mysql_select"),
          in.text("comment")};
}

LoadEntry read_load(const In& in) {
  LoadEntry entry;
  entry.version = in.version();
  entry.born = static_cast<std::uint64_t>(in.number("born"));
  entry.job = in.name();
  entry.table = {in.text("database"), in.text("table")};
  entry.topic = in.text("topic");
  entry.brokers = in.text("brokers");
  entry.envelope = in.text("envelope") == "plain" ? Envelope::kPlain : Envelope::kDebezium;
  entry.unknown_fields = in.truth("ignore_unknown_fields") ? UnknownFields::kIgnore : UnknownFields::kRefuse;
  entry.max_error_number = in.number("max_error_number");
  entry.start_at = static_cast<StartAt>(std::clamp<std::int64_t>(in.number("start_at"), 0, 2));
  for (const auto& [partition, offset] : in.map("start_offsets")) {
    entry.start_offsets[std::atoi(partition.c_str())] = std::atoll(offset.c_str());
  }
  entry.automatic = in.truth("automatic");
  entry.paused = in.truth("paused");
  entry.pause_reason = in.text("pause_reason");
  entry.properties = in.map("properties");
  entry.source = in.map("source");
  entry.mysql_text = in.text("mysql_text");
  return entry;
}

// "db.name" of a key; names may hold dots, so a length stands before: "2:db.name".
std::string key_of(std::string_view kind, const TableName& name) {
  return fmt::format("{}:{}:{}.{}", kind, name.database.size(), name.database, name.name);
}
std::optional<TableName> name_of(std::string_view text) {
  std::size_t size = 0;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon > 6) return std::nullopt;
  for (char c : text.substr(0, colon)) {
    if (c < '0' || c > '9') return std::nullopt;
    size = size * 10 + static_cast<std::size_t>(c - '0');
  }
  text.remove_prefix(colon + 1);
  if (text.size() <= size || text[size] != '.') return std::nullopt;
  return TableName{std::string(text.substr(0, size)), std::string(text.substr(size + 1))};
}

}  // namespace

std::string LoadEntry::id() const { return fmt::format("{}#{}", job.to_string(), born); }

const LoadEntry* Catalog::load_of_table(const TableName& table) const {
  for (const auto& [job, load] : loads) {
    if (load.table == table) return &load;
  }
  return nullptr;
}

Result<void> Catalog::apply(std::string_view key, std::optional<std::string_view> value) {
  const auto colon = key.find(':');
  if (colon == std::string_view::npos) return fail(Code::kCorrupt, fmt::format("catalogue record with key {}", key));
  const std::string_view kind = key.substr(0, colon), rest = key.substr(colon + 1);
  const auto name = name_of(rest);
  const bool by_name = kind == "table" || kind == "view" || kind == "load";
  if (by_name && !name) return fail(Code::kCorrupt, fmt::format("catalogue record with key {}", key));
  if (!value) {
    if (kind == "database") databases.erase(std::string(rest));
    if (kind == "table") tables.erase(*name);
    if (kind == "view") views.erase(*name);
    if (kind == "load") loads.erase(*name);
    return {};
  }
  dom::parser parser;
  dom::element root;
  if (parser.parse(value->data(), value->size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return fail(Code::kCorrupt, fmt::format("catalogue record {} is not a JSON object", key));
  }
  const In in(root);
  if (kind == "table") {
    TRY(tables[*name], read_table(in));
  } else if (kind == "view") {
    views[*name] = read_view(in);
  } else if (kind == "load") {
    loads[*name] = read_load(in);
  } else if (kind == "database") {
    databases.insert(std::string(rest));
  } else if (kind == "cluster") {
    cluster = in.text("id");
  } else {
    return fail(Code::kCorrupt, fmt::format("catalogue record of unknown kind {}: made by a newer Millrace?", kind));
  }
  version = std::max(version, in.version());
  return {};
}

CatalogRecord cluster_record(const std::string& id) { return {"cluster:", Out().text("id", id).done()}; }

CatalogRecord database_record(const std::string& name, std::uint64_t version) {
  return {"database:" + name, Out().number("version", static_cast<std::int64_t>(version)).done()};
}

CatalogRecord record_of(const TableEntry& entry) {
  Out out;
  out.name(entry.schema.table).number("version", static_cast<std::int64_t>(entry.version));
  out.text("comment", entry.comment).text("mysql_text", entry.mysql_text);
  std::vector<std::string> key;
  for (std::size_t i : entry.schema.key) key.push_back(entry.schema.columns[i].name);
  out.list("key", key);
  auto& raw = out.raw();
  raw.Key("columns");
  raw.StartArray();
  for (std::size_t i = 0; i < entry.schema.columns.size(); ++i) {
    const Column& column = entry.schema.columns[i];
    raw.StartObject();
    out.text("name", column.name).text("type", column.type.to_sql()).truth("not_null", column.not_null);
    out.text("default", column.default_sql.value_or(""));
    out.number("encoding", column.encoding ? static_cast<int>(*column.encoding) + 1 : 0)
        .number("scale", column.encoded_scale);
    out.text("mysql_type", i < entry.mysql_types.size() ? entry.mysql_types[i] : "");
    out.text("comment", i < entry.comments.size() ? entry.comments[i] : "");
    raw.EndObject();
  }
  raw.EndArray();
  return {key_of("table", entry.schema.table), out.done()};
}

CatalogRecord record_of(const ViewEntry& entry) {
  Out out;
  out.name(entry.view).number("version", static_cast<std::int64_t>(entry.version)).list("columns", entry.columns);
  out.text("duckdb_select", entry.duckdb_select)
      .text("mysql_select", entry.mysql_select)
      .text("comment", entry.comment);
  return {key_of("view", entry.view), out.done()};
}

CatalogRecord record_of(const LoadEntry& entry) {
  Out out;
  out.name(entry.job).number("version", static_cast<std::int64_t>(entry.version));
  out.number("born", static_cast<std::int64_t>(entry.born)).text("table", entry.table.name).text("topic", entry.topic);
  out.text("brokers", entry.brokers).text("envelope", entry.envelope == Envelope::kPlain ? "plain" : "debezium");
  out.truth("ignore_unknown_fields", entry.unknown_fields == UnknownFields::kIgnore);
  out.number("max_error_number", entry.max_error_number).number("start_at", static_cast<int>(entry.start_at));
  std::map<std::string, std::string> offsets;
  for (const auto& [partition, offset] : entry.start_offsets)
    offsets[std::to_string(partition)] = std::to_string(offset);
  out.map("start_offsets", offsets).truth("automatic", entry.automatic).truth("paused", entry.paused);
  out.text("pause_reason", entry.pause_reason).map("properties", entry.properties).map("source", entry.source);
  out.text("mysql_text", entry.mysql_text);
  return {key_of("load", entry.job), out.done()};
}

CatalogRecord dropped_database(const std::string& name) { return {"database:" + name, std::nullopt}; }
CatalogRecord dropped_table(const TableName& table) { return {key_of("table", table), std::nullopt}; }
CatalogRecord dropped_view(const TableName& view) { return {key_of("view", view), std::nullopt}; }
CatalogRecord dropped_load(const TableName& job) { return {key_of("load", job), std::nullopt}; }

}  // namespace millrace::sql::ingest
