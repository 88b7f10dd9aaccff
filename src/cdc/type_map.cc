#include "cdc/type_map.h"

#include <fmt/format.h>

#include <cstring>

#include "cdc/json_out.h"
#include "cdc/pg_text.h"

namespace millrace::cdc {
namespace {

constexpr std::string_view kUnavailableUuid = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";  // name-based, of kUnavailable
constexpr std::string_view kPointFields =
    R"("type":"struct","fields":[{"type":"double","optional":false,"field":"x"},{"type":"double","optional":false,"field":"y"},)"
    R"({"type":"bytes","optional":true,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}])";
constexpr std::string_view kPointName =
    R"x(,"name":"io.debezium.data.geometry.Point","version":1,"doc":"Geometry (POINT)")x";

void append_base64_string(std::string& out, std::string_view bytes) {
  out.push_back('"');
  append_base64(out, bytes);
  out.push_back('"');
}

// Postgres' shortest text of a float is JSON already, but for whole numbers (Java writes "1.0") and the specials.
void append_float(std::string& out, std::string_view text) {
  if (text == "NaN" || text.ends_with("nfinity")) {
    append_json_string(out, text);
  } else {
    out.append(text);
    if (text.find_first_of(".e") == std::string_view::npos) out.append(".0");
  }
}

void append_double(std::string& out, double value) { append_float(out, fmt::format("{}", value)); }

// Little-endian well-known binary.
class Wkb {
 public:
  explicit Wkb(std::uint32_t type) { out_.push_back(1), u32(type); }
  void u32(std::uint32_t v) { out_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void point(double x, double y) {
    out_.append(reinterpret_cast<const char*>(&x), sizeof x);
    out_.append(reinterpret_cast<const char*>(&y), sizeof y);
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

void append_point(std::string& out, double x, double y) {
  Wkb wkb(1);
  wkb.point(x, y);
  out += "{\"x\":";
  append_double(out, x);
  out += ",\"y\":";
  append_double(out, y);
  out += ",\"wkb\":";
  append_base64_string(out, wkb.bytes());
  out += ",\"srid\":null}";
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

template <class T>
bool append_parsed(std::string& out, const std::optional<T>& value) {
  if (value)
    append_number(out, *value);
  else
    out += "null";
  return value.has_value();
}

constexpr std::int64_t kPositiveInfinityMs = 9223372036825200000, kNegativeInfinityMs = -9223372036832400000;

bool append_timestamp(std::string& out, std::string_view text, bool ms) {
  if (text == "infinity") return append_number(out, ms ? kPositiveInfinityMs : INT64_MAX), true;
  if (text == "-infinity") return append_number(out, ms ? kNegativeInfinityMs : INT64_MIN), true;
  auto us = parse_timestamp(text);
  if (us && ms) us = *us >= 0 ? *us / 1000 : -((-*us + 999) / 1000);
  return append_parsed(out, us);
}

bool append_zoned_timestamp(std::string& out, std::string_view text, int digits) {
  if (text == "infinity" || text == "-infinity") return append_json_string(out, text), true;
  const auto us = parse_timestamptz(text);
  if (!us) return out += "null", false;
  out.push_back('"');
  append_iso_timestamp(out, *us, digits);
  out.push_back('"');
  return true;
}

}  // namespace

std::string Encoder::schema_json(std::string_view field, bool optional, std::string_view default_json) const {
  std::string out = "{" + type_ + (optional ? ",\"optional\":true" : ",\"optional\":false") + semantic_;
  if (!default_json.empty()) out.append(",\"default\":").append(default_json);
  if (!field.empty()) {
    out += ",\"field\":";
    append_json_string(out, field);
  }
  return out + "}";
}

bool Encoder::append_decimal(std::string& out, std::string_view text) const {
  auto value = parse_decimal(text);
  if (!value) return out += "null", false;
  if (kind_ == ValueKind::kVariableDecimal) {
    strip_zeros(*value);
    out += "{\"scale\":";
    append_number(out, value->scale);
    out += ",\"value\":";
    append_base64_string(out, unscaled_bytes(*value));
    out.push_back('}');
  } else {
    set_scale(*value, scale_);
    append_base64_string(out, unscaled_bytes(*value));
  }
  return true;
}

bool Encoder::append_decimal_text(std::string& out, std::string_view text) const {
  // The specials by the names that Debezium has for them.
  if (text == "NaN") return out += "\"NAN\"", true;
  if (text.ends_with("nfinity")) return out += text[0] == '-' ? "\"NEGATIVE_INFINITY\"" : "\"POSITIVE_INFINITY\"", true;
  auto value = parse_decimal(text);
  if (!value || scale_ < 0) return append_json_string(out, text), value.has_value();
  set_scale(*value, scale_);
  std::string& digits = value->digits;
  const auto scale = static_cast<std::size_t>(scale_);
  if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
  if (scale > 0) digits.insert(digits.size() - scale, ".");
  out.append(value->negative ? "\"-" : "\"").append(digits).push_back('"');
  return true;
}

bool Encoder::append_array(std::string& out, std::string_view text) const {
  const auto elements = parse_array(text);
  const std::size_t start = out.size();
  bool good = elements.has_value();
  out.push_back('[');
  for (std::size_t i = 0; good && i < elements->size(); ++i) {
    const auto& element = (*elements)[i];
    if (i > 0) out.push_back(',');
    if (element.null || element.nested) {
      good = !enum_elements_;
      out += "null";
    } else {
      good = element_->append(out, element.text) || !enum_elements_;
    }
  }
  out.push_back(']');
  if (good) return true;
  out.resize(start);
  out += "null";
  return false;
}

bool Encoder::append_geometry(std::string& out, std::string_view text) const {
  const auto parsed = parse_numbers(text);
  const std::size_t least = kind_ == ValueKind::kBox || kind_ == ValueKind::kSegment ? 4
                            : kind_ == ValueKind::kPoint                             ? 2
                                                                                     : 3;
  const bool pairs = kind_ == ValueKind::kPath || kind_ == ValueKind::kPolygon;
  if (!parsed || (pairs ? parsed->size() < 2 || parsed->size() % 2 != 0 : parsed->size() != least))
    return out += "null", false;
  const auto& n = *parsed;
  std::string_view extensions;
  std::string bytes;
  switch (kind_) {
    case ValueKind::kPoint: return append_point(out, n[0], n[1]), true;
    case ValueKind::kCircle:
      out += "{\"center\":";
      append_point(out, n[0], n[1]);
      out += ",\"radius\":";
      append_double(out, n[2]);
      out.push_back('}');
      return true;
    case ValueKind::kLine:
      out += "{\"a\":", append_double(out, n[0]);
      out += ",\"b\":", append_double(out, n[1]);
      out += ",\"c\":", append_double(out, n[2]);
      out.push_back('}');
      return true;
    case ValueKind::kBox: {
      Wkb wkb(3);
      wkb.u32(1), wkb.u32(5);
      wkb.point(n[0], n[1]), wkb.point(n[0], n[3]), wkb.point(n[2], n[3]), wkb.point(n[2], n[1]), wkb.point(n[0], n[1]);
      bytes = wkb.bytes();
      extensions = R"({"type":"box"})";
      break;
    }
    case ValueKind::kPolygon: {
      Wkb wkb(3);
      wkb.u32(1), wkb.u32(static_cast<std::uint32_t>(n.size() / 2 + 1));
      for (std::size_t i = 0; i + 1 < n.size(); i += 2) wkb.point(n[i], n[i + 1]);
      wkb.point(n[0], n[1]);
      bytes = wkb.bytes();
      extensions = R"({"type":"polygon"})";
      break;
    }
    default: {
      Wkb wkb(2);
      wkb.u32(static_cast<std::uint32_t>(n.size() / 2));
      for (std::size_t i = 0; i + 1 < n.size(); i += 2) wkb.point(n[i], n[i + 1]);
      bytes = wkb.bytes();
      extensions = kind_ == ValueKind::kSegment ? R"({"type":"lseg"})"
                   : text.starts_with('(')      ? R"({"type":"path","closed":"true"})"
                                                : R"({"type":"path","closed":"false"})";
    }
  }
  out += "{\"wkb\":";
  append_base64_string(out, bytes);
  out.append(",\"srid\":null,\"extensions\":").append(extensions).push_back('}');
  return true;
}

bool Encoder::append(std::string& out, std::string_view text) const {
  switch (kind_) {
    case ValueKind::kString: return append_json_string(out, text), true;
    case ValueKind::kDecimalText: return append_decimal_text(out, text);
    case ValueKind::kInteger:
      if (!is_integer(text)) return out += "null", false;
      return out.append(text), true;
    case ValueKind::kBool: return out.append(text == "t" || text == "true" ? "true" : "false"), true;
    case ValueKind::kBit1: return out.append(text == "1" ? "true" : "false"), true;
    case ValueKind::kBits: {
      const auto bits = parse_bits(text);
      if (!bits) return out += "null", false;
      return append_base64_string(out, *bits), true;
    }
    case ValueKind::kFloat:
    case ValueKind::kDecimalDouble: return append_float(out, text), true;
    case ValueKind::kDecimal:
    case ValueKind::kVariableDecimal: return append_decimal(out, text);
    case ValueKind::kMoney: return append_decimal(out, money_to_decimal(text));
    case ValueKind::kMoneyDouble: return append_float(out, money_to_decimal(text)), true;
    case ValueKind::kMoneyText: return append_json_string(out, money_to_decimal(text)), true;
    case ValueKind::kDate: return append_parsed(out, parse_date(text));
    case ValueKind::kTimeMs:
    case ValueKind::kTimeUs:
    case ValueKind::kTimeCutToMs: {
      auto us = parse_time(text);
      if (us && kind_ == ValueKind::kTimeMs) *us /= 1000;
      if (us && kind_ == ValueKind::kTimeCutToMs) *us -= *us % 1000;
      return append_parsed(out, us);
    }
    case ValueKind::kZonedTime: {
      const auto time = timetz_to_utc(text);
      if (!time) return out += "null", false;
      return append_json_string(out, *time), true;
    }
    case ValueKind::kTimestampMs: return append_timestamp(out, text, true);
    case ValueKind::kTimestampUs: return append_timestamp(out, text, false);
    case ValueKind::kZonedTimestamp: return append_zoned_timestamp(out, text, scale_);
    case ValueKind::kInterval: return append_parsed(out, parse_interval(text));
    case ValueKind::kBytes: {
      const auto bytes = parse_bytea(text);
      if (!bytes) return out += "null", false;
      return append_base64_string(out, *bytes), true;
    }
    case ValueKind::kArray: return append_array(out, text);
    case ValueKind::kNothing: return out += "null", false;
    default: return append_geometry(out, text);
  }
}

namespace {

struct Simple {
  std::string_view name;
  ValueKind kind;
  std::string_view type;      // Connect's
  std::string_view semantic;  // name of the schema, version 1
  std::string_view filler;
};

constexpr Simple kSimple[] = {
    {"bool", ValueKind::kBool, "boolean", "", "false"},
    {"int2", ValueKind::kInteger, "int16", "", "0"},
    {"int4", ValueKind::kInteger, "int32", "", "0"},
    {"int8", ValueKind::kInteger, "int64", "", "0"},
    {"oid", ValueKind::kInteger, "int64", "", "0"},
    {"float4", ValueKind::kFloat, "float", "", "0.0"},
    {"float8", ValueKind::kFloat, "double", "", "0.0"},
    {"char", ValueKind::kString, "string", "", "\"\""},
    {"bpchar", ValueKind::kString, "string", "", "\"\""},
    {"varchar", ValueKind::kString, "string", "", "\"\""},
    {"text", ValueKind::kString, "string", "", "\"\""},
    {"name", ValueKind::kString, "string", "", "\"\""},
    {"citext", ValueKind::kString, "string", "", "\"\""},
    {"inet", ValueKind::kString, "string", "", "\"\""},
    {"cidr", ValueKind::kString, "string", "", "\"\""},
    {"macaddr", ValueKind::kString, "string", "", "\"\""},
    {"macaddr8", ValueKind::kString, "string", "", "\"\""},
    {"int4range", ValueKind::kString, "string", "", "\"\""},
    {"int8range", ValueKind::kString, "string", "", "\"\""},
    {"numrange", ValueKind::kString, "string", "", "\"\""},
    {"tsrange", ValueKind::kString, "string", "", "\"\""},
    {"tstzrange", ValueKind::kString, "string", "", "\"\""},
    {"daterange", ValueKind::kString, "string", "", "\"\""},
    {"json", ValueKind::kString, "string", "io.debezium.data.Json", "\"\""},
    {"jsonb", ValueKind::kString, "string", "io.debezium.data.Json", "\"\""},
    {"xml", ValueKind::kString, "string", "io.debezium.data.Xml", "\"\""},
    {"uuid", ValueKind::kString, "string", "io.debezium.data.Uuid", "\"\""},
    {"tsvector", ValueKind::kString, "string", "io.debezium.data.Tsvector", "\"\""},
    {"bytea", ValueKind::kBytes, "bytes", "", "\"\""},
    {"date", ValueKind::kDate, "int32", "io.debezium.time.Date", "0"},
    {"timetz", ValueKind::kZonedTime, "string", "io.debezium.time.ZonedTime", "\"00:00:00Z\""},
    {"timestamptz", ValueKind::kZonedTimestamp, "string", "io.debezium.time.ZonedTimestamp",
     "\"1970-01-01T00:00:00Z\""},
    {"interval", ValueKind::kInterval, "int64", "io.debezium.time.MicroDuration", "0"},
};

constexpr std::string_view kGeometryFields =
    R"("type":"struct","fields":[{"type":"bytes","optional":false,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"},)"
    R"({"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":false},"optional":true,"field":"extensions"}])";

struct Shape {
  std::string_view name;
  ValueKind kind;
};
constexpr Shape kShapes[] = {{"point", ValueKind::kPoint},     {"box", ValueKind::kBox},
                             {"lseg", ValueKind::kSegment},    {"path", ValueKind::kPath},
                             {"polygon", ValueKind::kPolygon}, {"circle", ValueKind::kCircle},
                             {"line", ValueKind::kLine}};

std::string named(std::string_view name, std::string_view parameters = {}) {
  std::string out = fmt::format(R"(,"name":"{}","version":1)", name);
  if (!parameters.empty()) out.append(",\"parameters\":").append(parameters);
  return out;
}
std::string type_json(std::string_view type) { return fmt::format("\"type\":\"{}\"", type); }

// Arrays of these have no schema in Debezium.
bool left_out_in_arrays(const PgType& type) {
  for (const auto name : {"money", "name", "interval", "varbit", "xml", "point", "refcursor", "tsvector", "box", "lseg",
                          "path", "polygon", "circle", "line"}) {
    if (type.name == name) return true;
  }
  return type.kind == 'd';
}

}  // namespace

std::unique_ptr<Encoder> Encoder::make_array(const TypeRegistry& types, const PgType& type, std::int32_t typmod,
                                             DecimalMode decimals) {
  auto encoder = std::make_unique<Encoder>();
  Encoder& e = *encoder;
  const auto element = types.find(type.element);
  if (element == types.end() || left_out_in_arrays(element->second)) return nullptr;
  e.element_ = make_encoder(types, type.element, typmod, decimals);
  if (!e.element_) return nullptr;
  const std::string& name = element->second.name;
  if (name == "bit") {  // Debezium gives bit[] the schema of bit, and no value ever fits that
    auto bits = std::move(e.element_);
    bits->kind_ = ValueKind::kNothing;
    return bits;
  }
  e.kind_ = ValueKind::kArray;
  e.enum_elements_ = element->second.kind == 'e';
  e.type_ = "\"type\":\"array\",\"items\":" + e.element_->schema_json("", !e.enum_elements_, "");
  e.filler_ = "[]";
  if (e.element_->kind_ == ValueKind::kTimeUs) e.element_->kind_ = ValueKind::kTimeCutToMs;
  if (name == "uuid") {
    e.unavailable_ = fmt::format("[\"{}\"]", kUnavailableUuid);
  } else if (name == "int4" || name == "int8" || name == "date" || name == "oid") {
    e.unavailable_ = "[";
    for (const char c : kUnavailable)
      e.unavailable_ += fmt::format("{}{}", e.unavailable_.size() > 1 ? "," : "", static_cast<int>(c));
    e.unavailable_ += "]";
  } else if (e.element_->kind_ == ValueKind::kString && !e.enum_elements_) {
    e.unavailable_ = fmt::format("[\"{}\"]", kUnavailable);
  }
  return encoder;
}

void Encoder::become_shape(ValueKind kind) {
  kind_ = kind;
  if (kind == ValueKind::kPoint) {
    type_ = kPointFields;
    semantic_ = kPointName;
    filler_ = R"({"x":0.0,"y":0.0,"wkb":"AQEAAAAAAAAAAAAAAAAAAAAAAAAA","srid":null})";
  } else if (kind == ValueKind::kCircle) {
    type_ = fmt::format(
        R"("type":"struct","fields":[{{{},"optional":false{},"field":"center"}},{{"type":"double","optional":false,"field":"radius"}}])",
        kPointFields, kPointName);
    semantic_ = named("io.debezium.data.geometry.Circle") + R"x(,"doc":"Geometry (CIRCLE)")x";
    filler_ = "null";
  } else if (kind == ValueKind::kLine) {
    type_ =
        R"("type":"struct","fields":[{"type":"double","optional":false,"field":"a"},{"type":"double","optional":false,"field":"b"},{"type":"double","optional":false,"field":"c"}])";
    semantic_ = named("io.debezium.data.geometry.Line") + R"x(,"doc":"Geometry (LINE)")x";
    filler_ = "null";
  } else {
    type_ = kGeometryFields;
    semantic_ = R"(,"name":"io.debezium.data.geometry.Geometry","version":2,"doc":"Geometry")";
    filler_ = "null";
  }
}

std::unique_ptr<Encoder> make_encoder(const TypeRegistry& types, std::uint32_t oid, std::int32_t typmod,
                                      DecimalMode decimals) {
  const auto found = types.find(oid);
  if (found == types.end()) return nullptr;
  const PgType& type = found->second;
  if (type.kind == 'd') return make_encoder(types, type.base, type.base_typmod, decimals);
  auto encoder = std::make_unique<Encoder>();
  Encoder& e = *encoder;
  const auto set = [&](ValueKind kind, std::string_view connect_type, std::string semantic, std::string_view filler) {
    e.kind_ = kind;
    e.type_ = type_json(connect_type);
    e.semantic_ = std::move(semantic);
    e.filler_ = filler;
    return std::move(encoder);
  };
  if (type.element != 0) return Encoder::make_array(types, type, typmod, decimals);
  if (type.kind == 'e') {
    std::string labels;
    for (const auto& label : type.labels) labels.append(labels.empty() ? "" : ",").append(label);
    return set(ValueKind::kString, "string",
               named("io.debezium.data.Enum", "{\"allowed\":" + json_string(labels) + "}"), "\"\"");
  }
  if (type.name == "numeric") {
    if (decimals == DecimalMode::kDouble) return set(ValueKind::kDecimalDouble, "double", "", "0.0");
    if (decimals == DecimalMode::kString) {
      e.scale_ = typmod < 4 ? -1 : (typmod - 4) & 0x7ff;
      e.kind_ = ValueKind::kDecimalText;
      std::string zero;
      e.append(zero, "0");
      return set(ValueKind::kDecimalText, "string", "", zero);
    }
    if (typmod < 4) {
      e.type_ =
          R"("type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},{"type":"bytes","optional":false,"field":"value"}])";
      e.semantic_ = named("io.debezium.data.VariableScaleDecimal") + R"(,"doc":"Variable scaled decimal")";
      e.kind_ = ValueKind::kVariableDecimal;
      e.filler_ = R"({"scale":0,"value":"AA=="})";
      return encoder;
    }
    e.scale_ = (typmod - 4) & 0x7ff;  // a negative scale comes out as 2048 less, as in Debezium
    return set(ValueKind::kDecimal, "bytes",
               named("org.apache.kafka.connect.data.Decimal",
                     fmt::format(R"({{"scale":"{}","connect.decimal.precision":"{}"}})", e.scale_, (typmod - 4) >> 16)),
               "\"AA==\"");
  }
  if (type.name == "money") {
    if (decimals == DecimalMode::kDouble) return set(ValueKind::kMoneyDouble, "double", "", "0.0");
    if (decimals == DecimalMode::kString) return set(ValueKind::kMoneyText, "string", "", "\"0.00\"");
    e.scale_ = 2;
    return set(ValueKind::kMoney, "bytes", named("org.apache.kafka.connect.data.Decimal", R"({"scale":"2"})"),
               "\"AA==\"");
  }
  if (type.name == "bit" || type.name == "varbit") {
    const std::int32_t length = typmod > 0 ? typmod : type.name == "bit" ? 1 : 2147483647;
    if (length == 1) return set(ValueKind::kBit1, "boolean", "", "false");
    return set(ValueKind::kBits, "bytes", named("io.debezium.data.Bits", fmt::format(R"({{"length":"{}"}})", length)),
               "\"\"");
  }
  const int precision = typmod < 0 ? 6 : typmod & 0xffff;
  if (type.name == "time") {
    if (precision <= 3) return set(ValueKind::kTimeMs, "int32", named("io.debezium.time.Time"), "0");
    return set(ValueKind::kTimeUs, "int64", named("io.debezium.time.MicroTime"), "0");
  }
  if (type.name == "timestamp") {
    if (precision <= 3) return set(ValueKind::kTimestampMs, "int64", named("io.debezium.time.Timestamp"), "0");
    return set(ValueKind::kTimestampUs, "int64", named("io.debezium.time.MicroTimestamp"), "0");
  }
  for (const auto& simple : kSimple) {
    if (simple.name != type.name) continue;
    e.scale_ = precision;
    if (simple.kind == ValueKind::kBytes) {
      e.unavailable_ = "\"";
      append_base64(e.unavailable_, kUnavailable);
      e.unavailable_ += "\"";
    } else if (simple.kind == ValueKind::kString) {
      e.unavailable_ = fmt::format("\"{}\"", kUnavailable);
    }
    return set(simple.kind, simple.type, simple.semantic.empty() ? "" : named(simple.semantic), simple.filler);
  }
  for (const auto& shape : kShapes) {
    if (shape.name != type.name) continue;
    e.become_shape(shape.kind);
    return encoder;
  }
  return nullptr;
}

namespace {

bool is_function_call(std::string_view text) {
  if (text.starts_with('(')) text.remove_prefix(1);
  std::size_t i = 0;
  while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_' || text[i] == '.'))
    ++i;
  if (i > 0 && i < text.size() && text[i] == '(' && text.find(')', i) != std::string_view::npos) return true;
  for (const auto word : {"CURRENT_TIMESTAMP", "CURRENT_TIME", "CURRENT_DATE", "LOCALTIME", "LOCALTIMESTAMP"}) {
    if (text == word) return true;
  }
  return false;
}

// 'it''s'::text is it's; 7 is 7; nothing for NULL::text.
std::optional<std::string> literal(std::string_view text) {
  const auto open = text.find('\'');
  if (open == std::string_view::npos) {
    if (text.starts_with("NULL")) return std::nullopt;
    return std::string(text);
  }
  std::string out;
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    if (text[i] != '\'') {
      out.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\'') {
      out.push_back(text[i++]);
    } else {
      return out;
    }
  }
  return std::nullopt;
}

constexpr std::pair<std::string_view, std::string_view> kGenerated[] = {
    {"bit", "00"},
    {"varbit", "0"},
    {"bool", "false"},
    {"bpchar", ""},
    {"varchar", ""},
    {"text", ""},
    {"numeric", "0"},
    {"float4", "0"},
    {"float8", "0"},
    {"int2", "0"},
    {"int4", "0"},
    {"int8", "0"},
    {"json", "{}"},
    {"jsonb", "{}"},
    {"xml", ""},
    {"uuid", "00000000-0000-0000-0000-000000000000"},
    {"date", "1970-01-01"},
    {"time", "00:00:00"},
    {"timestamp", "1970-01-01 00:00:00"},
    {"timestamptz", "1970-01-01 00:00:00+00"},
    {"interval", "00:00:00"}};

}  // namespace

std::optional<std::string> default_json(const PgType& type, const Encoder& encoder, std::string_view expression) {
  if (expression.empty() || encoder.kind() == ValueKind::kVariableDecimal) return std::nullopt;
  std::optional<std::string> text;
  if (type.kind == 'e') {
    if (expression.starts_with('\'')) text = literal(expression);
  } else {
    for (const auto& [name, generated] : kGenerated) {
      if (type.kind != 'b' || name != type.name) continue;
      text = is_function_call(expression) ? std::string(generated) : literal(expression);
    }
  }
  if (!text) return std::nullopt;
  std::string json;
  if (encoder.kind() == ValueKind::kFloat || encoder.kind() == ValueKind::kDecimalDouble) {
    if (!parse_decimal(*text)) return std::nullopt;
  }
  if (encoder.kind() == ValueKind::kInteger && !is_integer(*text)) return std::nullopt;
  if (!encoder.append(json, *text)) return std::nullopt;
  return json;
}

}  // namespace millrace::cdc
