#include "sql/mysql/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>

namespace millrace::sql::mysql {
namespace {

__extension__ typedef unsigned __int128 UInt128;  // NOLINT
constexpr std::int64_t kDayMicros = 86'400'000'000;

struct TypeRow {
  FieldType type;
  std::uint32_t length;
  std::uint16_t flags;
  std::uint8_t decimals;
};

TypeRow type_row(const ColumnInfo& column) {
  using enum ColumnType;
  constexpr std::uint16_t kNumber = field_flag::kBinary | field_flag::kNumeric;
  constexpr std::uint16_t kUnsigned = kNumber | field_flag::kUnsigned;
  switch (column.type) {
    case kBool: return {FieldType::kTiny, 1, kNumber, 0};
    case kInt8: return {FieldType::kTiny, 4, kNumber, 0};
    case kInt16: return {FieldType::kShort, 6, kNumber, 0};
    case kInt32: return {FieldType::kLong, 11, kNumber, 0};
    case kInt64: return {FieldType::kLongLong, 20, kNumber, 0};
    case kUInt8: return {FieldType::kTiny, 3, kUnsigned, 0};
    case kUInt16: return {FieldType::kShort, 5, kUnsigned, 0};
    case kUInt32: return {FieldType::kLong, 10, kUnsigned, 0};
    case kUInt64: return {FieldType::kLongLong, 20, kUnsigned, 0};
    case kFloat: return {FieldType::kFloat, 12, kNumber, 31};
    case kDouble: return {FieldType::kDouble, 22, kNumber, 31};
    case kDecimal: {
      // Digits, sign and point.
      const std::uint32_t length = column.precision + 1u + (column.scale > 0 ? 1u : 0u);
      return {FieldType::kNewDecimal, length, kNumber, column.scale};
    }
    case kDate: return {FieldType::kDate, 10, field_flag::kBinary, 0};
    case kTime: return {FieldType::kTime, 17, field_flag::kBinary, 6};
    case kTimestamp: return {FieldType::kDatetime, 26, field_flag::kBinary, 6};
    case kText: return {FieldType::kVarString, 262'140, 0, 31};
    case kBlob: return {FieldType::kBlob, 0xffff'ffff, field_flag::kBlob | field_flag::kBinary, 0};
    case kJson: return {FieldType::kJson, 0xffff'ffff, field_flag::kBlob | field_flag::kBinary, 31};
    case kNull: return {FieldType::kNull, 0, field_flag::kBinary, 0};
  }
  return {FieldType::kVarString, 262'140, 0, 31};
}

void append_date(std::string& out, std::int64_t days) {
  const CivilDate date = civil_of(days);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

void append_clock(std::string& out, std::uint64_t micros_of_day) {
  const std::uint64_t seconds = micros_of_day / 1'000'000;
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (const auto micros = micros_of_day % 1'000'000) fmt::format_to(std::back_inserter(out), ".{:06}", micros);
}

void split_timestamp(std::int64_t micros, std::int64_t& days, std::uint64_t& of_day) {
  days = micros / kDayMicros;
  std::int64_t rest = micros % kDayMicros;
  if (rest < 0) {
    rest += kDayMicros;
    --days;
  }
  of_day = static_cast<std::uint64_t>(rest);
}

void append_decimal(std::string& out, Int128 value, std::uint8_t scale) {
  const bool negative = value < 0;
  auto rest = negative ? -static_cast<UInt128>(value) : static_cast<UInt128>(value);
  char digits[48];
  std::size_t at = sizeof digits;
  unsigned count = 0;
  while (rest != 0 || count <= scale) {
    if (scale > 0 && count == scale) digits[--at] = '.';
    digits[--at] = static_cast<char>('0' + static_cast<unsigned>(rest % 10));
    rest /= 10;
    ++count;
  }
  if (negative) out.push_back('-');
  out.append(digits + at, sizeof digits - at);
}

template <class T>
void append_number(std::string& out, T value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

// As MySQL prints doubles: shortest text that reads back, exponent without sign and zeros ("1e20").
template <class T>
void append_real(std::string& out, T value) {
  std::string text = fmt::format("{}", value);
  if (const auto e = text.find('e'); e != std::string::npos) {
    std::string exponent = text.substr(e + 1);
    const bool negative = exponent.starts_with('-');
    exponent.erase(0, exponent.find_first_not_of("+-0"));
    text = text.substr(0, e + 1) + (negative ? "-" : "") + exponent;
  }
  out.append(text);
}

void append_binary_date(std::string& out, std::int64_t days, std::uint64_t of_day, bool with_time) {
  const CivilDate date = civil_of(days);
  const auto micros = static_cast<std::uint32_t>(of_day % 1'000'000);
  const std::uint64_t seconds = of_day / 1'000'000;
  ByteWriter writer(out);
  writer.u8(!with_time || of_day == 0 ? 4 : micros == 0 ? 7 : 11);
  writer.le(static_cast<std::uint16_t>(date.year));
  writer.u8(static_cast<std::uint8_t>(date.month));
  writer.u8(static_cast<std::uint8_t>(date.day));
  if (!with_time || of_day == 0) return;
  writer.u8(static_cast<std::uint8_t>(seconds / 3600));
  writer.u8(static_cast<std::uint8_t>(seconds / 60 % 60));
  writer.u8(static_cast<std::uint8_t>(seconds % 60));
  if (micros) writer.le(micros);
}

void append_binary_time(std::string& out, std::int64_t micros) {
  const bool negative = micros < 0;
  const auto size = static_cast<std::uint64_t>(negative ? -micros : micros);
  ByteWriter writer(out);
  if (size == 0) return writer.u8(0);
  const std::uint64_t seconds = size / 1'000'000;
  writer.u8(size % 1'000'000 ? 12 : 8);
  writer.u8(negative ? 1 : 0);
  writer.le(static_cast<std::uint32_t>(seconds / 86'400));
  writer.u8(static_cast<std::uint8_t>(seconds / 3600 % 24));
  writer.u8(static_cast<std::uint8_t>(seconds / 60 % 60));
  writer.u8(static_cast<std::uint8_t>(seconds % 60));
  if (size % 1'000'000) writer.le(static_cast<std::uint32_t>(size % 1'000'000));
}

void append_binary(std::string& out, const ColumnInfo& column, const Cell& cell) {
  using enum ColumnType;
  ByteWriter writer(out);
  switch (column.type) {
    case kBool:
    case kInt8: return writer.le(static_cast<std::int8_t>(cell.integer));
    case kInt16: return writer.le(static_cast<std::int16_t>(cell.integer));
    case kInt32: return writer.le(static_cast<std::int32_t>(cell.integer));
    case kInt64: return writer.le(cell.integer);
    case kUInt8: return writer.le(static_cast<std::uint8_t>(cell.unsigned_int));
    case kUInt16: return writer.le(static_cast<std::uint16_t>(cell.unsigned_int));
    case kUInt32: return writer.le(static_cast<std::uint32_t>(cell.unsigned_int));
    case kUInt64: return writer.le(cell.unsigned_int);
    case kFloat: return writer.le(static_cast<float>(cell.real));
    case kDouble: return writer.le(cell.real);
    case kDate: return append_binary_date(out, cell.integer, 0, false);
    case kTimestamp: {
      std::int64_t days = 0;
      std::uint64_t of_day = 0;
      split_timestamp(cell.integer, days, of_day);
      return append_binary_date(out, days, of_day, true);
    }
    case kTime: return append_binary_time(out, cell.integer);
    case kDecimal: {
      std::string text;
      append_decimal(text, cell.decimal, column.scale);
      return write_lenenc_string(out, text);
    }
    case kText:
    case kBlob:
    case kJson:
    case kNull: return write_lenenc_string(out, cell.text);
  }
}

}  // namespace

CivilDate civil_of(std::int64_t days) {
  // Howard Hinnant's days-to-civil: eras of 400 years that begin on March 1st.
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

FieldDefinition field_of(const ColumnInfo& column) {
  const TypeRow row = type_row(column);
  const bool text = column.type == ColumnType::kText;
  FieldDefinition field;
  field.schema = column.database;
  field.table = field.org_table = column.table;
  field.name = field.org_name = column.name;
  field.charset = text ? kCharsetUtf8mb4 : kCharsetBinary;
  field.length = row.length;
  field.type = row.type;
  field.flags = static_cast<std::uint16_t>(row.flags | (column.nullable ? 0 : field_flag::kNotNull));
  field.decimals = row.decimals;
  return field;
}

void append_cell_text(std::string& out, const ColumnInfo& column, const Cell& cell) {
  using enum ColumnType;
  switch (column.type) {
    case kBool:
    case kInt8:
    case kInt16:
    case kInt32:
    case kInt64: return append_number(out, cell.integer);
    case kUInt8:
    case kUInt16:
    case kUInt32:
    case kUInt64: return append_number(out, cell.unsigned_int);
    case kFloat: return append_real(out, static_cast<float>(cell.real));
    case kDouble: return append_real(out, cell.real);
    case kDecimal: return append_decimal(out, cell.decimal, column.scale);
    case kDate: return append_date(out, cell.integer);
    case kTimestamp: {
      std::int64_t days = 0;
      std::uint64_t of_day = 0;
      split_timestamp(cell.integer, days, of_day);
      append_date(out, days);
      out.push_back(' ');
      return append_clock(out, of_day);
    }
    case kTime: {
      if (cell.integer < 0) out.push_back('-');
      return append_clock(out, static_cast<std::uint64_t>(cell.integer < 0 ? -cell.integer : cell.integer));
    }
    case kText:
    case kBlob:
    case kJson:
    case kNull: out.append(cell.text); return;
  }
}

void encode_text_row(std::string& out, const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row) {
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Cell cell = chunk.cell(row, i);
    if (cell.is_null) {
      out.push_back('\xfb');
      continue;
    }
    text.clear();
    append_cell_text(text, columns[i], cell);
    write_lenenc_string(out, text);
  }
}

void encode_binary_row(std::string& out, const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row) {
  out.push_back('\0');
  const std::size_t nulls_at = out.size();
  out.append((columns.size() + 9) / 8, '\0');  // the bitmap begins at bit 2
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Cell cell = chunk.cell(row, i);
    if (cell.is_null) {
      char& byte = out[nulls_at + (i + 2) / 8];
      byte = static_cast<char>(byte | 1 << ((i + 2) % 8));
    } else {
      append_binary(out, columns[i], cell);
    }
  }
}

}  // namespace millrace::sql::mysql
