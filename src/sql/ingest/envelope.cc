#include "sql/ingest/envelope.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <string>

#include "sql/ingest/connect_schema.h"
#include "sql/ingest/convert.h"

namespace millrace::sql::ingest {
namespace {

namespace od = simdjson::ondemand;

constexpr std::string_view kUnavailable = "__debezium_unavailable_value";
constexpr std::string_view kUnavailableBase64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";
constexpr std::string_view kUnavailableList = "[\"__debezium_unavailable_value\"]";
constexpr std::string_view kUnavailableNumbers =
    "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]";
constexpr std::size_t kNoColumn = static_cast<std::size_t>(-1);
constexpr std::size_t kShownBytes = 120;

struct Field {
  std::string name;
  std::size_t column = kNoColumn;  // kNoColumn: known to the schema of the record, not to the table
  FieldRule rule;
};

std::unexpected<Error> bad_json(simdjson::error_code error) {
  return fail(Code::kInvalid, fmt::format("broken JSON: {}", simdjson::error_message(error)));
}

std::string_view trimmed(std::string_view raw) {
  while (!raw.empty() && (raw.back() == ' ' || raw.back() == '\n' || raw.back() == '\r' || raw.back() == '\t')) {
    raw.remove_suffix(1);
  }
  return raw;
}

// Whether the object begins as JsonConverter writes a record with its schema. Cheaper than looking for the
// field in each record.
bool begins_with_schema(std::string_view json) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto skip = [&] { json.remove_prefix(std::min(json.find_first_not_of(kSpace), json.size())); };
  skip();
  if (!json.starts_with('{')) return false;
  json.remove_prefix(1);
  skip();
  return json.starts_with("\"schema\"") || json.starts_with("\"payload\"");
}

// False when there is no such field. After any other error the document must not be touched again.
Result<bool> look_up(od::object& object, std::string_view name, od::value& value) {
  const auto error = object.find_field_unordered(name).get(value);
  if (error == simdjson::SUCCESS) return true;
  if (error == simdjson::NO_SUCH_FIELD) return false;
  return bad_json(error);
}

bool is_placeholder(const JsonScalar& json) {
  if (json.kind == JsonKind::kString) return json.text == kUnavailable || json.text == kUnavailableBase64;
  if (json.kind == JsonKind::kArray) return json.text == kUnavailableList || json.text == kUnavailableNumbers;
  return false;
}

bool is_number(std::string_view text) {
  return !text.empty() && (text.front() == '-' || (text.front() >= '0' && text.front() <= '9')) &&
         text.find_first_not_of("+-.0123456789eE") == std::string_view::npos;
}

}  // namespace

struct EnvelopeDecoder::Impl {
  Impl(TableSchema schema_in, DecodeOptions options_in) : schema(std::move(schema_in)), options(options_in) {
    is_key.resize(schema.columns.size());
    for (std::size_t column : schema.key) is_key[column] = true;
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      const Column& column = schema.columns[i];
      const auto encoding = column.encoding.value_or(conventional_encoding(options.envelope, column.type));
      const auto scale = column.encoding ? column.encoded_scale : std::int32_t{column.type.scale};
      own_fields.push_back({column.name, i, {column.type, encoding, scale}});
    }
  }

  // The rules for a record with this schema text; remembered, as one topic repeats one schema.
  Result<const std::vector<Field>*> fields_for(std::string_view schema_text, bool& is_envelope) {
    if (schema_text != known_schema || schema_text.empty()) {
      TRY(ConnectSchema parsed, parse_connect_schema(schema_text));
      known_schema = schema_text;
      known_is_envelope = parsed.is_envelope;
      schema_fields.clear();
      for (const Column& source : parsed.columns) {
        const auto column = schema.find(source.name);
        const TypeSpec type = column ? schema.columns[*column].type : source.type;
        schema_fields.push_back({source.name,
                                 column.value_or(kNoColumn),
                                 {type, source.encoding.value_or(Encoding::kPlain), source.encoded_scale}});
      }
      schema_columns = std::move(parsed.columns);
    }
    is_envelope = known_is_envelope;
    return &schema_fields;
  }

  Result<JsonScalar> scalar(od::value& value) {
    od::json_type type{};
    if (auto error = value.type().get(type)) return bad_json(error);
    switch (type) {
      case od::json_type::null: {
        if (trimmed(value.raw_json_token()) != "null")
          return fail(Code::kInvalid, "broken JSON: not null, true or false");
        bool is_null = false;
        if (auto error = value.is_null().get(is_null)) return bad_json(error);
        return JsonScalar{};
      }
      case od::json_type::boolean: {
        bool truth = false;
        if (auto error = value.get_bool().get(truth)) return bad_json(error);
        return JsonScalar{JsonKind::kBool, truth ? "true" : "false"};
      }
      case od::json_type::number: {
        const std::string_view raw = trimmed(value.raw_json_token());
        if (!is_number(raw)) return fail(Code::kInvalid, fmt::format("broken JSON: {:.40} is not a number", raw));
        double ignored = 0;
        // Moves past the number. Those too large for a double are still read from their text.
        if (auto error = value.get_double().get(ignored); error && error != simdjson::NUMBER_ERROR)
          return bad_json(error);
        return JsonScalar{JsonKind::kNumber, raw};
      }
      case od::json_type::string: {
        std::string_view text;
        if (auto error = value.get_string().get(text)) return bad_json(error);
        return JsonScalar{JsonKind::kString, text};
      }
      default: {
        std::string_view raw;
        if (auto error = simdjson::to_json_string(value).get(raw)) return bad_json(error);
        const bool is_array = type == od::json_type::array;
        raw = trimmed(raw);
        if (raw.size() < 2 || raw.back() != (is_array ? ']' : '}'))
          return fail(Code::kInvalid, "broken JSON: not closed");
        return JsonScalar{is_array ? JsonKind::kArray : JsonKind::kObject, raw};
      }
    }
  }

  // {"scale": n, "value": base64}
  Result<Value> variable_decimal(const FieldRule& rule, od::value& value, Arena& arena) {
    od::object object;
    if (auto error = value.get_object().get(object)) return bad_json(error);
    std::int64_t scale = 0;
    std::string_view digits;
    if (object["scale"].get(scale) != simdjson::SUCCESS || object["value"].get(digits) != simdjson::SUCCESS ||
        scale > 400 || scale < -400) {
      return fail(Code::kInvalid, "a variable scale decimal needs \"scale\" and \"value\"");
    }
    const FieldRule fixed{rule.type, Encoding::kDecimalBase64, static_cast<std::int32_t>(scale)};
    return convert(fixed, {JsonKind::kString, digits}, arena);
  }

  Result<Value> field_value(const FieldRule& rule, od::value& value, Arena& arena) {
    if (rule.encoding == Encoding::kVariableDecimal ||
        (rule.encoding == Encoding::kDecimalBase64 && rule.type.type == ColumnType::kDecimal)) {
      od::json_type type{};
      if (auto error = value.type().get(type)) return bad_json(error);
      if (type == od::json_type::object) return variable_decimal(rule, value, arena);
    }
    TRY(JsonScalar json, scalar(value));
    if (is_placeholder(json)) return Value::unchanged();
    return convert(rule, json, arena);
  }

  const Field* find(const std::vector<Field>& fields, std::string_view name, std::size_t& expected) {
    if (expected < fields.size() && fields[expected].name == name) return &fields[expected++];
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].name != name) continue;
      expected = i + 1;
      return &fields[i];
    }
    return nullptr;
  }

  void note_missing(std::string_view name, od::value& value) {
    for (const Column& column : schema_columns) {
      if (column.name == name && !known_schema.empty()) {
        missing.push_back(column);
        return;
      }
    }
    // Without a schema the JSON itself is the best there is.
    Column column;
    column.name = name;
    od::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return;
    if (type == od::json_type::boolean) column.type = {ColumnType::kBool};
    if (type == od::json_type::number) {
      const auto raw = trimmed(value.raw_json_token());
      column.type = {raw.find_first_of(".eE") == std::string_view::npos ? ColumnType::kInt64 : ColumnType::kDouble};
    }
    if (type == od::json_type::array || type == od::json_type::object) column.type = {ColumnType::kJson};
    if (type == od::json_type::null) column.type = {ColumnType::kNull};
    missing.push_back(std::move(column));
  }

  enum class Part { kRow, kKeyOnly };
  // Fills `row` from an object. Columns that it does not name stay null.
  Result<std::size_t> read_row(od::object object, const std::vector<Field>& fields, Part part, ChangeBatch& batch,
                               std::uint32_t row, bool& has_unchanged) {
    std::size_t expected = 0, filled = 0;
    for (auto entry : object) {
      od::field field;
      if (auto error = std::move(entry).get(field)) return bad_json(error);
      std::string_view name;
      if (auto error = field.unescaped_key().get(name)) return bad_json(error);
      const Field* target = find(fields, name, expected);
      if (!target || target->column == kNoColumn) {
        if (part == Part::kKeyOnly || options.unknown_fields == UnknownFields::kIgnore || is_operation(name)) continue;
        note_missing(name, field.value());
        continue;
      }
      if (part == Part::kKeyOnly && !is_key[target->column]) continue;
      auto value = field_value(target->rule, field.value(), batch.arena());
      if (!value) return fail(std::move(value).error().with(fmt::format("column {}", name)));
      has_unchanged |= value->tag == Value::Tag::kUnchanged;
      batch.row(row)[target->column] = *value;
      ++filled;
    }
    return filled;
  }

  bool is_operation(std::string_view name) const { return options.envelope == Envelope::kPlain && name == "__op"; }

  Result<void> check_key(const Value* row) const {
    for (std::size_t column : schema.key) {
      if (row[column].is_null() || row[column].tag == Value::Tag::kUnchanged) {
        return fail(Code::kInvalid,
                    fmt::format("the record has no value for key column {}", schema.columns[column].name));
      }
    }
    return {};
  }
  Result<void> check_row(const Value* row) const {
    TRY_VOID(check_key(row));
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      const Column& column = schema.columns[i];
      if (column.not_null && !column.default_sql && row[i].is_null()) {
        return fail(Code::kInvalid,
                    fmt::format("column {} is NOT NULL and the record has no value for it", column.name));
      }
    }
    return {};
  }

  bool same_key(const Value* a, const Value* b) const {
    return std::ranges::all_of(schema.key, [&](std::size_t i) {
      if (a[i].tag != b[i].tag) return false;
      if (a[i].tag == Value::Tag::kText) return a[i].view() == b[i].view();
      if (a[i].tag == Value::Tag::kReal) return a[i].real == b[i].real;
      return a[i].integer == b[i].integer && a[i].decimal == b[i].decimal;
    });
  }

  // Reads a key record ({"id": 1}, or with schema and payload) into a row's key cells.
  Result<void> read_key(std::string_view key, ChangeBatch& batch, std::uint32_t row) {
    const simdjson::padded_string padded(key);
    od::document document;
    if (auto error = key_parser.iterate(padded).get(document)) return bad_json(error);
    od::object object;
    if (auto error = document.get_object().get(object)) return bad_json(error);
    const std::vector<Field>* fields = &own_fields;
    std::vector<Field> from_schema;
    od::value schema_value;
    if (begins_with_schema(key) && !schema.find("schema") && !schema.find("payload")) {
      TRY(const bool has_schema, look_up(object, "schema", schema_value));
      if (!has_schema) return fail(Code::kInvalid, "the key has a \"payload\" and no \"schema\"");
      std::string_view text;
      if (auto error = simdjson::to_json_string(schema_value).get(text)) return bad_json(error);
      TRY(ConnectSchema parsed, parse_connect_schema(text));
      for (const Column& source : parsed.columns) {
        if (auto column = schema.find(source.name)) {
          from_schema.push_back(
              {source.name,
               *column,
               {schema.columns[*column].type, source.encoding.value_or(Encoding::kPlain), source.encoded_scale}});
        }
      }
      fields = &from_schema;
      od::object payload;
      if (auto error = object.find_field_unordered("payload").get_object().get(payload)) return bad_json(error);
      bool unchanged = false;
      TRY_VOID(read_row(payload, *fields, Part::kKeyOnly, batch, row, unchanged));
      return check_key(batch.row(row));
    }
    bool unchanged = false;
    TRY_VOID(read_row(object, *fields, Part::kKeyOnly, batch, row, unchanged));
    return check_key(batch.row(row));
  }

  Result<void> refuse_unknown() const {
    if (missing.empty()) return {};
    return fail(
        Code::kInvalid,
        fmt::format("field {} is not a column of {}: add the column, or set \"ignore_unknown_fields\" = \"true\"",
                    missing.front().name, schema.table.to_string()));
  }

  struct Parts {
    char op = 0;
    bool has_before = false, has_after = false, unchanged = false;
    bool saw_envelope = false;
    std::uint32_t before = 0, after = 0;
    std::int64_t source_ms = 0, event_ms = 0;
  };

  Result<void> read_part(std::string_view name, od::value& value, const std::vector<Field>& fields, ChangeBatch& batch,
                         Parts& parts) {
    if (name == "op") {
      std::string_view op;
      if (value.get_string().get(op) != simdjson::SUCCESS) return fail(Code::kInvalid, "\"op\" is not a string");
      parts.op = op.size() == 1 ? op[0] : '?';
      return {};
    }
    if (name == "ts_ms") {
      if (value.get_int64().get(parts.event_ms) != simdjson::SUCCESS) parts.event_ms = 0;
      return {};
    }
    if (name == "source") {
      od::json_type type{};
      if (auto error = value.type().get(type)) return bad_json(error);
      if (type != od::json_type::object) return {};
      od::object source;
      if (auto error = value.get_object().get(source)) return bad_json(error);
      od::value time;
      TRY(const bool has_time, look_up(source, "ts_ms", time));
      if (has_time && time.get_int64().get(parts.source_ms) != simdjson::SUCCESS) parts.source_ms = 0;
      return {};
    }
    const bool is_after = name == "after";
    if (!is_after && name != "before") return {};
    parts.saw_envelope = true;
    od::json_type type{};
    if (auto error = value.type().get(type)) return bad_json(error);
    if (type == od::json_type::null) {
      TRY_VOID(scalar(value));
      return {};
    }
    od::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS)
      return fail(Code::kInvalid, fmt::format("\"{}\" is not an object", name));
    const std::uint32_t row = batch.add_row();
    (is_after ? parts.after : parts.before) = row;
    (is_after ? parts.has_after : parts.has_before) = true;
    bool ignored = false;
    auto read = read_row(object, fields, is_after ? Part::kRow : Part::kKeyOnly, batch, row,
                         is_after ? parts.unchanged : ignored);
    if (!read) return fail(std::move(read).error().with(name));
    return {};
  }

  Result<void> read_envelope(od::object object, const std::vector<Field>& fields, const RecordView& record,
                             ChangeBatch& batch) {
    Parts parts;
    for (auto entry : object) {
      od::field field;
      if (auto error = std::move(entry).get(field)) return bad_json(error);
      std::string_view name;
      if (auto error = field.unescaped_key().get(name)) return bad_json(error);
      TRY_VOID(read_part(name, field.value(), fields, batch, parts));
    }
    if (const auto ms = parts.source_ms ? parts.source_ms : parts.event_ms) batch.note_source_time(ms);
    switch (parts.op) {
      case 'c':
      case 'r':
      case 'u': return upserted(parts, record, batch);
      case 'd': return deleted(parts, record, batch);
      case 't': batch.changes.push_back({Change::Op::kTruncate}); return {};
      case 'm': return {};
      case 0:
        if (!parts.saw_envelope && is_heartbeat) return {};
        return fail(Code::kInvalid,
                    "not a Debezium envelope: it has no \"op\"; for plain rows set \"envelope\" = \"plain\"");
      default: return fail(Code::kInvalid, fmt::format("unknown \"op\" {}", parts.op));
    }
  }
  bool is_heartbeat = false;

  Result<void> upserted(const Parts& parts, const RecordView& record, ChangeBatch& batch) {
    if (!parts.has_after) return fail(Code::kInvalid, fmt::format("\"op\" is {} and \"after\" is null", parts.op));
    TRY_VOID(refuse_unknown());
    TRY_VOID(check_row(batch.row(parts.after)));
    Change change{Change::Op::kUpsert, parts.unchanged, parts.after};
    const bool keyed = !schema.key.empty();
    if (keyed && parts.has_before && check_key(batch.row(parts.before)) &&
        !same_key(batch.row(parts.before), batch.row(parts.after))) {
      batch.changes.push_back({Change::Op::kDelete, false, parts.before});
      change.moved_from = static_cast<std::int32_t>(parts.before);
    } else if (keyed && parts.unchanged && record.old_key) {
      const std::uint32_t row = batch.add_row();
      if (read_key(*record.old_key, batch, row)) change.moved_from = static_cast<std::int32_t>(row);
    }
    batch.changes.push_back(change);
    return {};
  }

  Result<void> deleted(const Parts& parts, const RecordView& record, ChangeBatch& batch) {
    if (schema.key.empty()) {
      return fail(Code::kInvalid,
                  fmt::format("a delete cannot be applied: {} has no primary key", schema.table.to_string()));
    }
    std::uint32_t row = parts.before;
    if (!parts.has_before || !check_key(batch.row(row))) {
      if (!record.key)
        return fail(Code::kInvalid, "a delete has the old key neither in \"before\" nor in the record's key");
      row = batch.add_row();
      TRY_VOID(read_key(*record.key, batch, row));
    }
    batch.changes.push_back({Change::Op::kDelete, false, row});
    return {};
  }

  Result<void> read_plain(od::object object, const std::vector<Field>& fields, ChangeBatch& batch) {
    const std::uint32_t row = batch.add_row();
    // __op as StarRocks has it: 0 upsert, 1 delete. It may stand anywhere, so look before the columns.
    std::int64_t operation = 0;
    if (!schema.find("__op")) {
      od::value op;
      TRY(const bool has_op, look_up(object, "__op", op));
      if (has_op) {
        std::string_view text;
        od::json_type type{};
        if (auto error = op.type().get(type)) return bad_json(error);
        if (type == od::json_type::string && op.get_string().get(text) == simdjson::SUCCESS) {
          operation = text == "1" || text == "delete" ? 1 : text == "0" || text == "upsert" ? 0 : 2;
        } else if (op.get_int64().get(operation) != simdjson::SUCCESS) {
          operation = 2;
        }
      }
      if (operation != 0 && operation != 1) return fail(Code::kInvalid, "\"__op\" must be 0 (upsert) or 1 (delete)");
      if (auto error = object.reset().error()) return bad_json(error);
    }
    bool unchanged = false;
    TRY_VOID(read_row(object, fields, operation == 1 ? Part::kKeyOnly : Part::kRow, batch, row, unchanged));
    if (operation == 1) {
      TRY_VOID(check_key(batch.row(row)));
      batch.changes.push_back({Change::Op::kDelete, false, row});
      return {};
    }
    TRY_VOID(refuse_unknown());
    TRY_VOID(check_row(batch.row(row)));
    batch.changes.push_back({Change::Op::kUpsert, unchanged, row});
    return {};
  }

  // Everything behind the outer checks; `batch` is rewound by the caller on failure.
  Result<void> read_value(const RecordView& record, ChangeBatch& batch) {
    const simdjson::padded_string padded(*record.value);
    od::document document;
    if (auto error = parser.iterate(padded).get(document)) return bad_json(error);
    od::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) {
      return fail(Code::kInvalid, fmt::format("not a JSON object: {:.40}", *record.value));
    }
    const std::vector<Field>* fields = &own_fields;
    bool is_envelope = options.envelope == Envelope::kDebezium;
    od::value first;
    std::string_view schema_text;
    if (begins_with_schema(*record.value) && !schema.find("schema") && !schema.find("payload")) {
      TRY(const bool has_schema, look_up(object, "schema", first));
      if (!has_schema) return fail(Code::kInvalid, "the record has a \"payload\" and no \"schema\"");
      if (auto error = simdjson::to_json_string(first).get(schema_text)) return bad_json(error);
      bool schema_says = false;
      if (trimmed(schema_text) != "null") {
        TRY(fields, fields_for(schema_text, schema_says));
        is_heartbeat = is_envelope && !schema_says;
      }
      od::object payload;
      if (object.find_field_unordered("payload").get_object().get(payload) != simdjson::SUCCESS) {
        return fail(Code::kInvalid, "the record has a \"schema\" and no object in \"payload\"");
      }
      TRY_VOID(is_envelope ? read_envelope(payload, *fields, record, batch) : read_plain(payload, *fields, batch));
    } else {
      known_schema.clear();
      TRY_VOID(is_envelope ? read_envelope(object, *fields, record, batch) : read_plain(object, *fields, batch));
      if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
        return fail(Code::kInvalid, "broken JSON: something follows the object");
    }
    return {};
  }

  TableSchema schema;
  DecodeOptions options;
  std::vector<bool> is_key;
  std::vector<Field> own_fields;
  std::string known_schema;
  bool known_is_envelope = false;
  std::vector<Field> schema_fields;
  std::vector<Column> schema_columns;
  std::vector<Column> missing;
  od::parser parser, key_parser;
};

EnvelopeDecoder::EnvelopeDecoder(TableSchema schema, DecodeOptions options)
    : impl_(std::make_unique<Impl>(std::move(schema), options)) {}
EnvelopeDecoder::~EnvelopeDecoder() = default;
EnvelopeDecoder::EnvelopeDecoder(EnvelopeDecoder&&) noexcept = default;
EnvelopeDecoder& EnvelopeDecoder::operator=(EnvelopeDecoder&&) noexcept = default;

const std::vector<Column>& EnvelopeDecoder::missing_columns() const { return impl_->missing; }
const TableSchema& EnvelopeDecoder::schema() const { return impl_->schema; }

Result<void> EnvelopeDecoder::decode(const RecordView& record, ChangeBatch& batch) {
  impl_->missing.clear();
  impl_->is_heartbeat = false;
  const auto mark = batch.mark();
  if (!record.value) {
    // A tombstone: after a Debezium delete it says nothing new; in plain topics it is the delete.
    if (impl_->options.envelope == Envelope::kDebezium || impl_->schema.key.empty()) return {};
    if (!record.key) return fail(Code::kInvalid, "a record with neither key nor value");
    const std::uint32_t row = batch.add_row();
    if (auto read = impl_->read_key(*record.key, batch, row); !read) {
      batch.rewind(mark);
      return fail(std::move(read).error().with("the key of a tombstone"));
    }
    batch.changes.push_back({Change::Op::kDelete, false, row});
    return {};
  }
  auto read = impl_->read_value(record, batch);
  if (!read) {
    batch.rewind(mark);
    return fail(std::move(read).error().with(fmt::format("value {:.{}}", *record.value, kShownBytes)));
  }
  return read;
}

std::optional<RecordShape> shape_of_record(const RecordView& record) {
  const auto schema_of = [](std::string_view json) -> std::optional<ConnectSchema> {
    simdjson::dom::parser parser;
    simdjson::dom::element schema;
    if (parser.parse(json.data(), json.size())["schema"].get(schema) != simdjson::SUCCESS) return std::nullopt;
    auto parsed = parse_connect_schema(simdjson::minify(schema));
    if (!parsed) return std::nullopt;
    return std::move(*parsed);
  };
  if (!record.value) return std::nullopt;
  auto value = schema_of(*record.value);
  if (!value) return std::nullopt;
  RecordShape shape{std::move(value->columns), {}};
  if (record.key) {
    if (auto key = schema_of(*record.key)) {
      for (const Column& column : key->columns) shape.key.push_back(column.name);
    }
  }
  return shape;
}

}  // namespace millrace::sql::ingest
