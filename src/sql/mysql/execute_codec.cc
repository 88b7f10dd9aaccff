// COM_STMT_EXECUTE: the null bitmap, types and values of parameters.
#include <fmt/format.h>

#include <cmath>

#include "sql/mysql/codec.h"

namespace millrace::sql::mysql {
namespace {

std::string fraction(std::uint32_t micros) { return micros ? fmt::format(".{:06}", micros) : std::string(); }

Parameter text_of(std::string text) { return {Parameter::Kind::kText, std::move(text)}; }

template <class Signed>
Parameter integer(ByteReader& reader, bool is_unsigned) {
  const auto raw = reader.le<std::make_unsigned_t<Signed>>();
  if (is_unsigned) return {Parameter::Kind::kNumber, fmt::format("{}", std::uint64_t{raw})};
  return {Parameter::Kind::kNumber, fmt::format("{}", std::int64_t{static_cast<Signed>(raw)})};
}

// node's drivers send every number as a double: a whole one becomes an integer literal, so that keys
// compare as integers.
Parameter real(double value) {
  if (!std::isfinite(value)) return {};
  if (std::trunc(value) == value && std::abs(value) < 9007199254740992.0) {
    return {Parameter::Kind::kNumber, fmt::format("{}", static_cast<std::int64_t>(value))};
  }
  return {Parameter::Kind::kNumber, fmt::format("{:e}", value)};
}

Parameter date(ByteReader& reader, FieldType type) {
  const std::uint8_t size = reader.u8();
  ByteReader body(reader.bytes(size));
  if (size != 0 && size != 4 && size != 7 && size != 11) {
    reader.set_bad();
    return {};
  }
  if (size == 0) return text_of("0000-00-00");
  const auto year = body.le<std::uint16_t>();
  const unsigned month = body.u8(), day = body.u8();
  std::string text = fmt::format("{:04}-{:02}-{:02}", year, month, day);
  if (size >= 7) {
    const unsigned hour = body.u8(), minute = body.u8(), second = body.u8();
    text += fmt::format(" {:02}:{:02}:{:02}", hour, minute, second);
  } else if (type != FieldType::kDate) {
    text += " 00:00:00";
  }
  if (size == 11) text += fraction(body.le<std::uint32_t>());
  return text_of(std::move(text));
}

Parameter time(ByteReader& reader) {
  const std::uint8_t size = reader.u8();
  ByteReader body(reader.bytes(size));
  if (size != 0 && size != 8 && size != 12) {
    reader.set_bad();
    return {};
  }
  if (size == 0) return text_of("00:00:00");
  const bool negative = body.u8() != 0;
  const auto days = body.le<std::uint32_t>();
  const unsigned hour = body.u8(), minute = body.u8(), second = body.u8();
  std::string text =
      fmt::format("{}{:02}:{:02}:{:02}", negative ? "-" : "", std::uint64_t{days} * 24 + hour, minute, second);
  if (size == 12) text += fraction(body.le<std::uint32_t>());
  return text_of(std::move(text));
}

Parameter value_of(ByteReader& reader, ParameterType type) {
  switch (type.type) {
    case FieldType::kNull: return {};
    case FieldType::kTiny: return integer<std::int8_t>(reader, type.is_unsigned);
    case FieldType::kShort:
    case FieldType::kYear: return integer<std::int16_t>(reader, type.is_unsigned);
    case FieldType::kLong:
    case FieldType::kInt24: return integer<std::int32_t>(reader, type.is_unsigned);
    case FieldType::kLongLong: return integer<std::int64_t>(reader, type.is_unsigned);
    case FieldType::kFloat: {
      // The shortest decimal that is this float: 0.1f is meant as 0.1.
      const auto value = reader.le<float>();
      if (!std::isfinite(value)) return {};
      return std::trunc(value) == value && std::abs(value) < 16777216.0f
                 ? real(value)
                 : Parameter{Parameter::Kind::kNumber, fmt::format("{}", value)};
    }
    case FieldType::kDouble: return real(reader.le<double>());
    case FieldType::kDate:
    case FieldType::kDatetime:
    case FieldType::kTimestamp: return date(reader, type.type);
    case FieldType::kTime: return time(reader);
    case FieldType::kTinyBlob:
    case FieldType::kMediumBlob:
    case FieldType::kLongBlob:
    case FieldType::kBlob: return {Parameter::Kind::kBytes, std::string(read_lenenc_string(reader))};
    case FieldType::kDecimal:
    case FieldType::kNewDecimal:
    case FieldType::kVarchar:
    case FieldType::kBit:
    case FieldType::kJson:
    case FieldType::kEnum:
    case FieldType::kSet:
    case FieldType::kVarString:
    case FieldType::kString: return text_of(std::string(read_lenenc_string(reader)));
  }
  reader.set_bad();
  return {};
}

}  // namespace

Result<std::uint32_t> decode_statement_id(std::string_view body) {
  ByteReader reader(body);
  const auto id = reader.le<std::uint32_t>();
  if (!reader.ok()) return fail(Code::kCorrupt, "a command without a statement id");
  return id;
}

Result<Execute> decode_execute(std::string_view body, std::size_t parameter_count, std::vector<ParameterType>& types,
                               const std::vector<std::optional<std::string>>& long_data) {
  ByteReader reader(body);
  Execute execute;
  execute.statement_id = reader.le<std::uint32_t>();
  execute.flags = reader.u8();
  reader.le<std::uint32_t>();  // iteration count, always 1
  if (!reader.ok()) return fail(Code::kCorrupt, "a truncated COM_STMT_EXECUTE");
  if (parameter_count == 0) return execute;

  const std::string_view nulls = reader.bytes((parameter_count + 7) / 8);
  const bool new_types = reader.u8() == 1;
  if (!reader.ok()) return fail(Code::kCorrupt, "a truncated COM_STMT_EXECUTE");
  if (new_types) {
    if (reader.remaining() < 2 * parameter_count) return fail(Code::kCorrupt, "COM_STMT_EXECUTE without all types");
    types.clear();
    for (std::size_t i = 0; i < parameter_count; ++i) {
      const auto type = static_cast<FieldType>(reader.u8());
      types.push_back({type, (reader.u8() & 0x80) != 0});
    }
  }
  if (types.size() != parameter_count) return fail(Code::kCorrupt, "COM_STMT_EXECUTE without parameter types");
  for (std::size_t i = 0; i < parameter_count; ++i) {
    if (i < long_data.size() && long_data[i]) {
      const bool bytes = types[i].type >= FieldType::kTinyBlob && types[i].type <= FieldType::kBlob;
      execute.parameters.push_back({bytes ? Parameter::Kind::kBytes : Parameter::Kind::kText, *long_data[i]});
    } else if (static_cast<std::uint8_t>(nulls[i / 8]) >> (i % 8) & 1) {
      execute.parameters.push_back({});
    } else {
      execute.parameters.push_back(value_of(reader, types[i]));
    }
  }
  if (!reader.ok()) return fail(Code::kCorrupt, "a COM_STMT_EXECUTE whose values are cut short or of unknown type");
  return execute;
}

}  // namespace millrace::sql::mysql
