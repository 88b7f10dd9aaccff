#include "sql/ingest/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

namespace millrace::sql::ingest {
namespace {

constexpr std::int64_t kDayMicros = 86'400'000'000;
// Debezium writes these for infinite timestamps; DuckDB's own infinities stand for them.
constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kPositiveInfinityMillis = 9223372036825200000;
constexpr std::int64_t kNegativeInfinityMillis = -9223372036832400000;

constexpr std::string_view name_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::kNull: return "null";
    case JsonKind::kBool: return "a boolean";
    case JsonKind::kNumber: return "the number";
    case JsonKind::kString: return "the string";
    case JsonKind::kObject: return "an object";
    case JsonKind::kArray: return "an array";
  }
  return "nothing";
}

std::unexpected<Error> mismatch(const FieldRule& rule, const JsonScalar& json, std::string_view wanted) {
  return fail(Code::kInvalid,
              fmt::format("{} {:.40} does not fit {}: {}", name_of(json.kind), json.text, rule.type.to_sql(), wanted));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at == end) return value;
  // "3.0" and "1e3" are integers to JSON.
  auto wide = parse_decimal(text, 0, 19);
  if (!wide || *wide > kInfinity || *wide < std::numeric_limits<std::int64_t>::min()) return std::nullopt;
  auto exact = parse_decimal(text, 9, 38);
  if (!exact || *exact != *wide * 1'000'000'000) return std::nullopt;
  return static_cast<std::int64_t>(*wide);
}

struct Range {
  Int128 low, high;
};
std::optional<Range> range_of(ColumnType type) {
  switch (type) {
    case ColumnType::kInt8: return Range{-128, 127};
    case ColumnType::kInt16: return Range{-32768, 32767};
    case ColumnType::kInt32: return Range{-2147483648LL, 2147483647LL};
    case ColumnType::kInt64: return Range{std::numeric_limits<std::int64_t>::min(), kInfinity};
    case ColumnType::kUInt8: return Range{0, 255};
    case ColumnType::kUInt16: return Range{0, 65535};
    case ColumnType::kUInt32: return Range{0, 4294967295LL};
    case ColumnType::kUInt64: return Range{0, std::numeric_limits<std::uint64_t>::max()};
    default: return std::nullopt;
  }
}

Result<Value> to_integer(const FieldRule& rule, const JsonScalar& json) {
  const Range range = *range_of(rule.type.type);
  if (json.kind == JsonKind::kBool) return Value::of_integer(json.text == "true");
  if (json.kind != JsonKind::kNumber && json.kind != JsonKind::kString)
    return mismatch(rule, json, "needs a whole number");
  if (rule.type.type == ColumnType::kUInt64) {
    auto wide = parse_decimal(json.text, 0, 20);
    if (!wide || *wide < range.low || *wide > range.high) return mismatch(rule, json, "needs a whole number in range");
    return Value::of_integer(static_cast<std::int64_t>(static_cast<std::uint64_t>(*wide)));
  }
  auto value = parse_integer(json.text);
  if (!value) return mismatch(rule, json, "needs a whole number");
  if (*value < range.low || *value > range.high) return mismatch(rule, json, "out of range");
  return Value::of_integer(*value);
}

Result<Value> to_bool(const FieldRule& rule, const JsonScalar& json) {
  if (json.text == "true" || json.text == "1" || json.text == "t") return Value::of_integer(1);
  if (json.text == "false" || json.text == "0" || json.text == "f") return Value::of_integer(0);
  return mismatch(rule, json, "needs true or false");
}

Result<Value> to_real(const FieldRule& rule, const JsonScalar& json) {
  if (json.kind != JsonKind::kNumber && json.kind != JsonKind::kString) return mismatch(rule, json, "needs a number");
  std::string_view text = json.text;
  if (text == "NaN") return Value::of_real(std::numeric_limits<double>::quiet_NaN());
  if (text == "Infinity") return Value::of_real(std::numeric_limits<double>::infinity());
  if (text == "-Infinity") return Value::of_real(-std::numeric_limits<double>::infinity());
  double value = 0;
  auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size()) return mismatch(rule, json, "needs a number");
  return Value::of_real(value);
}

Result<Value> to_decimal(const FieldRule& rule, const JsonScalar& json) {
  std::optional<Int128> value;
  if (rule.encoding == Encoding::kDecimalBase64 && json.kind == JsonKind::kString) {
    auto bytes = decode_base64(json.text);
    if (!bytes) return mismatch(rule, json, "needs the base64 of a decimal's unscaled value");
    auto unscaled = integer_from_bytes(*bytes);
    if (unscaled) value = rescale(*unscaled, rule.encoded_scale, rule.type.scale, rule.type.precision);
  } else if (json.kind == JsonKind::kNumber || json.kind == JsonKind::kString) {
    value = parse_decimal(json.text, rule.type.scale, rule.type.precision);
    if (!value && !parse_decimal(json.text, 0, 38)) return mismatch(rule, json, "needs a decimal number");
  } else {
    return mismatch(rule, json, "needs a decimal number");
  }
  if (!value) return mismatch(rule, json, "out of range");
  return Value::of_decimal(*value);
}

Result<Value> to_date(const FieldRule& rule, const JsonScalar& json) {
  if (json.kind == JsonKind::kNumber) {
    auto value = parse_integer(json.text);
    if (!value) return mismatch(rule, json, "needs whole days");
    std::int64_t days = *value;
    if (rule.encoding == Encoding::kMillis) days = *value / 86'400'000 - (*value % 86'400'000 < 0);
    if (rule.encoding == Encoding::kMicros) days = *value / kDayMicros - (*value % kDayMicros < 0);
    if (days > std::numeric_limits<std::int32_t>::max() || days < std::numeric_limits<std::int32_t>::min()) {
      return mismatch(rule, json, "out of range");
    }
    return Value::of_integer(days);
  }
  if (json.kind == JsonKind::kString) {
    if (auto days = parse_date(json.text.substr(0, 10));
        days && (json.text.size() == 10 || parse_timestamp(json.text))) {
      return Value::of_integer(*days);
    }
  }
  return mismatch(rule, json, "needs days since 1970 or YYYY-MM-DD");
}

std::optional<std::int64_t> to_micros(std::int64_t value, Encoding encoding) {
  if (encoding == Encoding::kMillis) {
    std::int64_t micros = 0;
    if (value == kPositiveInfinityMillis) return kInfinity;
    if (value == kNegativeInfinityMillis) return -kInfinity;
    if (__builtin_mul_overflow(value, std::int64_t{1000}, &micros)) return std::nullopt;
    return micros;
  }
  if (encoding == Encoding::kNanos) return value / 1000 - (value % 1000 < 0);
  if (value == kPositiveInfinityMillis) return kInfinity;
  if (value == kNegativeInfinityMillis) return -kInfinity;
  return value;
}

Result<Value> to_time(const FieldRule& rule, const JsonScalar& json) {
  std::optional<std::int64_t> micros;
  if (json.kind == JsonKind::kNumber) {
    if (auto value = parse_integer(json.text)) micros = to_micros(*value, rule.encoding);
  } else if (json.kind == JsonKind::kString) {
    micros = parse_time(json.text);
  }
  if (!micros || *micros < 0 || *micros > kDayMicros) return mismatch(rule, json, "needs a time of day");
  return Value::of_integer(*micros);
}

Result<Value> to_timestamp(const FieldRule& rule, const JsonScalar& json) {
  std::optional<std::int64_t> micros;
  if (json.kind == JsonKind::kNumber) {
    if (auto value = parse_integer(json.text)) micros = to_micros(*value, rule.encoding);
  } else if (json.kind == JsonKind::kString) {
    micros = parse_timestamp(json.text);
  }
  if (!micros) return mismatch(rule, json, "needs a timestamp");
  return Value::of_integer(*micros);
}

Result<Value> to_bytes(const FieldRule& rule, const JsonScalar& json, Arena& arena) {
  if (json.kind != JsonKind::kString) return mismatch(rule, json, "needs a string");
  if (rule.encoding != Encoding::kBase64) return Value::of_text(arena.keep(json.text));
  auto bytes = decode_base64(json.text);
  if (!bytes) return mismatch(rule, json, "needs base64");
  return Value::of_text(arena.keep(*bytes));
}

Result<Value> to_text(const FieldRule& rule, const JsonScalar& json, Arena& arena) {
  if (rule.encoding == Encoding::kDecimalBase64 && json.kind == JsonKind::kString) {
    auto bytes = decode_base64(json.text);
    auto unscaled = bytes ? integer_from_bytes(*bytes) : std::nullopt;
    if (!unscaled) return mismatch(rule, json, "needs the base64 of a decimal's unscaled value");
    return Value::of_text(arena.keep(decimal_to_string(*unscaled, rule.encoded_scale)));
  }
  return Value::of_text(arena.keep(json.text));
}

Result<Value> to_json(const FieldRule& rule, const JsonScalar& json, Arena& arena) {
  if (json.kind != JsonKind::kString || rule.encoding == Encoding::kJsonText) {
    return Value::of_text(arena.keep(json.text));
  }
  std::string quoted = "\"";
  for (char c : json.text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  quoted += '"';
  return Value::of_text(arena.keep(quoted));
}

Int128 power_of_ten(int exponent) {
  Int128 value = 1;
  for (int i = 0; i < exponent; ++i) value *= 10;
  return value;
}

// Digits of exactly `count` characters, or nothing.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Z, +hh, +hhmm, +hh:mm, +hh:mm:ss at the end of a time, as microseconds east of UTC.
std::optional<std::int64_t> parse_zone(std::string_view zone) {
  if (zone.empty() || zone == "Z" || zone == "z") return 0;
  if (zone.front() != '+' && zone.front() != '-') return std::nullopt;
  const bool west = zone.front() == '-';
  std::int64_t seconds = 0;
  int unit = 3600;
  std::size_t at = 1;
  for (int part = 0; part < 3 && at < zone.size(); ++part, unit /= 60) {
    if (part > 0 && zone[at] == ':') ++at;
    auto value = digits(zone, at, 2);
    if (!value) return std::nullopt;
    seconds += std::int64_t{*value} * unit;
    at += 2;
  }
  if (at != zone.size() || zone.size() < 3) return std::nullopt;
  return (west ? -seconds : seconds) * 1'000'000;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr auto kTable = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
      table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    table['-'] = 62;
    table['_'] = 63;
    return table;
  }();
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (unsigned char c : text) {
    const int value = kTable[c];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return out;
}

std::optional<Int128> integer_from_bytes(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const unsigned char fill = (bytes.front() & 0x80) ? 0xff : 0;
  while (bytes.size() > 16 && static_cast<unsigned char>(bytes.front()) == fill) bytes.remove_prefix(1);
  if (bytes.size() > 16 || ((bytes.front() & 0x80) ? 0xff : 0) != fill) return std::nullopt;
  __extension__ typedef unsigned __int128 UInt128;  // NOLINT
  UInt128 value = fill ? ~UInt128{0} : 0;
  for (unsigned char c : bytes) value = value << 8 | c;
  return static_cast<Int128>(value);
}

std::optional<Int128> rescale(Int128 unscaled, std::int32_t from_scale, std::int32_t to_scale, int precision) {
  const Int128 limit = power_of_ten(precision);
  if (from_scale < to_scale) {
    if (unscaled == 0) return 0;
    if (to_scale - from_scale > 38) return std::nullopt;
    Int128 value = 0;
    if (__builtin_mul_overflow(unscaled, power_of_ten(to_scale - from_scale), &value)) return std::nullopt;
    unscaled = value;
  } else if (from_scale > to_scale) {
    if (from_scale - to_scale > 38) return 0;
    const Int128 divisor = power_of_ten(from_scale - to_scale);
    const Int128 rest = unscaled % divisor;
    unscaled /= divisor;
    if ((rest < 0 ? -rest : rest) >= divisor - divisor / 2) unscaled += rest < 0 ? -1 : 1;
  }
  if (unscaled >= limit || unscaled <= -limit) return std::nullopt;
  return unscaled;
}

std::optional<Int128> parse_decimal(std::string_view text, std::int32_t scale, int precision) {
  std::size_t at = 0;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  Int128 value = 0;
  std::int32_t digits_after_point = 0, seen = 0, significant = 0;
  bool point = false, dropped_up = false, dropping = false;
  for (; at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9')); ++at) {
    if (text[at] == '.') {
      if (std::exchange(point, true)) return std::nullopt;
      continue;
    }
    ++seen;
    if (significant >= 38) {
      // Beyond 38 digits only fractions may be cut.
      if (!point) return std::nullopt;
      if (!std::exchange(dropping, true)) dropped_up = text[at] >= '5';
      continue;
    }
    value = value * 10 + (text[at] - '0');
    if (value != 0) ++significant;
    if (point) ++digits_after_point;
  }
  if (seen == 0) return std::nullopt;
  std::int32_t exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    if (error != std::errc() || exponent > 400 || exponent < -400) return std::nullopt;
    at = static_cast<std::size_t>(end - text.data());
  }
  if (at != text.size()) return std::nullopt;
  if (dropped_up && digits_after_point - exponent <= scale) value += 1;
  return rescale(negative ? -value : value, digits_after_point - exponent, scale, precision);
}

std::optional<std::int32_t> parse_date(std::string_view text) {
  auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  auto hour = digits(text, 0, 2), minute = digits(text, 3, 2);
  if (!hour || !minute || *hour > 24 || *minute > 59 || text[2] != ':') return std::nullopt;
  std::int64_t micros = (std::int64_t{*hour} * 60 + *minute) * 60'000'000;
  std::size_t at = 5;
  if (at < text.size() && text[at] == ':') {
    auto second = digits(text, 6, 2);
    if (!second || *second > 60) return std::nullopt;
    micros += std::int64_t{*second} * 1'000'000;
    at = 8;
    if (at < text.size() && text[at] == '.') {
      std::int64_t unit = 100'000;
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
        micros += (text[at] - '0') * unit;
      }
    }
  }
  auto zone = parse_zone(text.substr(at));
  if (!zone) return std::nullopt;
  if (*zone == 0) return micros;
  return ((micros - *zone) % kDayMicros + kDayMicros) % kDayMicros;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  if (text == "infinity") return kInfinity;
  if (text == "-infinity") return -kInfinity;
  auto days = parse_date(text.substr(0, 10));
  if (!days) return std::nullopt;
  std::int64_t micros = *days * kDayMicros;
  if (text.size() == 10) return micros;
  if (text[10] != 'T' && text[10] != ' ') return std::nullopt;
  std::string_view time = text.substr(11);
  const auto zone_at = time.find_first_of("Zz+-");
  auto of_day = parse_time(time.substr(0, zone_at));
  auto zone = zone_at == std::string_view::npos ? std::optional<std::int64_t>(0) : parse_zone(time.substr(zone_at));
  if (!of_day || !zone) return std::nullopt;
  return micros + *of_day - *zone;
}

std::string decimal_to_string(Int128 unscaled, std::int32_t scale) {
  const bool negative = unscaled < 0;
  std::string text;
  do {
    const int digit = static_cast<int>(unscaled % 10);
    text.push_back(static_cast<char>('0' + (digit < 0 ? -digit : digit)));
    unscaled /= 10;
  } while (unscaled != 0);
  while (static_cast<std::int32_t>(text.size()) <= scale) text.push_back('0');
  std::reverse(text.begin(), text.end());
  if (scale > 0) text.insert(text.size() - static_cast<std::size_t>(scale), ".");
  if (scale < 0 && text != "0") text.append(static_cast<std::size_t>(-scale), '0');
  return negative ? "-" + text : text;
}

Result<Value> convert(const FieldRule& rule, const JsonScalar& json, Arena& arena) {
  if (json.kind == JsonKind::kNull) return Value::null();
  if (json.text.size() > std::numeric_limits<std::uint32_t>::max()) return mismatch(rule, json, "too large");
  switch (rule.type.type) {
    case ColumnType::kBool: return to_bool(rule, json);
    case ColumnType::kFloat:
    case ColumnType::kDouble: return to_real(rule, json);
    case ColumnType::kDecimal: return to_decimal(rule, json);
    case ColumnType::kDate: return to_date(rule, json);
    case ColumnType::kTime: return to_time(rule, json);
    case ColumnType::kTimestamp: return to_timestamp(rule, json);
    case ColumnType::kBlob: return to_bytes(rule, json, arena);
    case ColumnType::kJson: return to_json(rule, json, arena);
    case ColumnType::kText:
    case ColumnType::kNull: return to_text(rule, json, arena);
    default: return to_integer(rule, json);
  }
}

}  // namespace millrace::sql::ingest
