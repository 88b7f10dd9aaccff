#include "cdc/pg_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

namespace millrace::cdc {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads digits off the front of `text`; false when there is none or too many.
bool take_number(std::string_view& text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || text.empty() || !is_digit(text.front())) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}
bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text, std::int64_t& year, std::int64_t& month, std::int64_t& day) {
  return take_number(text, year) && take(text, '-') && take_number(text, month) && take(text, '-') &&
         take_number(text, day) && year <= 9'999'999 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

// ".789" in microseconds; nothing to read is zero.
bool take_fraction(std::string_view& text, std::int64_t& us) {
  us = 0;
  if (!take(text, '.')) return true;
  std::int64_t unit = 100'000;
  std::size_t digits = 0;
  while (!text.empty() && is_digit(text.front())) {
    us += unit * (text.front() - '0');
    unit /= 10;
    ++digits;
    text.remove_prefix(1);
  }
  return digits > 0;
}

bool take_time(std::string_view& text, std::int64_t& us) {
  std::int64_t hours = 0, minutes = 0, seconds = 0, fraction = 0;
  if (!take_number(text, hours) || !take(text, ':') || !take_number(text, minutes)) return false;
  if (take(text, ':') && (!take_number(text, seconds) || !take_fraction(text, fraction))) return false;
  if (hours > 9'000'000 || minutes > 59 || seconds > 60) return false;
  us = ((hours * 60 + minutes) * 60 + seconds) * kSecond + fraction;
  return true;
}

// "+02", "-05:30", "+01:02:03" in seconds.
bool take_offset(std::string_view& text, std::int64_t& seconds) {
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  const bool minus = text.front() == '-';
  text.remove_prefix(1);
  std::int64_t hours = 0, minutes = 0, rest = 0;
  if (!take_number(text, hours) || hours > 24) return false;
  if (take(text, ':') && (!take_number(text, minutes) || (take(text, ':') && !take_number(text, rest)))) return false;
  if (minutes > 59 || rest > 59) return false;
  seconds = hours * 3600 + minutes * 60 + rest;
  if (minus) seconds = -seconds;
  return true;
}

std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

bool take_bc(std::string_view& text) {
  if (!text.ends_with(" BC")) return false;
  text.remove_suffix(3);
  return true;
}

std::optional<std::int64_t> timestamp_with(std::string_view text, bool zone) {
  const bool bc = take_bc(text);
  std::int64_t year = 0, month = 0, day = 0, time = 0, offset = 0;
  if (!take_date(text, year, month, day)) return std::nullopt;
  if (!text.empty() && (!take(text, ' ') || !take_time(text, time))) return std::nullopt;
  if (zone && !text.empty() && !take_offset(text, offset)) return std::nullopt;
  if (!text.empty()) return std::nullopt;
  const std::int64_t days = days_from_civil(bc ? 1 - year : year, month, day);
  std::int64_t us = 0;
  if (__builtin_mul_overflow(days, kDay, &us)) return std::nullopt;
  return us + time - offset * kSecond;
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal value;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    value.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (is_digit(c)) {
      value.digits.push_back(c);
      value.scale += point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (value.digits.empty()) return std::nullopt;
  value.digits.erase(0, std::min(value.digits.find_first_not_of('0'), value.digits.size() - 1));
  if (value.digits == "0") value.negative = false;
  return value;
}

void set_scale(Decimal& value, std::int32_t scale) {
  if (scale > value.scale) {
    if (value.digits != "0") value.digits.append(static_cast<std::size_t>(scale - value.scale), '0');
  } else {
    const auto cut = static_cast<std::size_t>(value.scale - scale);
    value.digits = cut >= value.digits.size() ? "0" : value.digits.substr(0, value.digits.size() - cut);
  }
  value.scale = scale;
}

void strip_zeros(Decimal& value) {
  if (value.digits == "0") value.scale = 0;
  while (value.scale > 0 && value.digits.back() == '0') {
    value.digits.pop_back();
    --value.scale;
  }
}

std::string unscaled_bytes(const Decimal& value) {
  std::vector<std::uint32_t> words;  // least first, base 2^32
  if (value.digits.size() <= 18) {
    std::uint64_t number = 0;
    std::from_chars(value.digits.data(), value.digits.data() + value.digits.size(), number);
    words = {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32)};
  } else {
    for (std::size_t i = 0; i < value.digits.size(); i += 9) {
      const std::size_t size = std::min<std::size_t>(9, value.digits.size() - i);
      std::uint32_t chunk = 0, power = 1;
      for (std::size_t k = 0; k < size; ++k) {
        chunk = chunk * 10 + static_cast<std::uint32_t>(value.digits[i + k] - '0');
        power *= 10;
      }
      std::uint64_t carry = chunk;
      for (auto& word : words) {
        carry += std::uint64_t{word} * power;
        word = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
      if (carry != 0) words.push_back(static_cast<std::uint32_t>(carry));
    }
  }
  std::string bytes;  // least first
  for (const auto word : words) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(word >> shift));
  }
  bytes.push_back(0);
  if (value.negative) {
    bool carry = true;
    for (char& byte : bytes) {
      byte = static_cast<char>(~byte);
      if (carry) carry = ++byte == 0;
    }
  }
  const char sign = value.negative ? '\xff' : '\0';
  while (bytes.size() > 1 && bytes.back() == sign && ((bytes[bytes.size() - 2] ^ sign) & 0x80) == 0) bytes.pop_back();
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  if (text == "infinity") return std::numeric_limits<std::int32_t>::max();
  if (text == "-infinity") return std::numeric_limits<std::int32_t>::min();
  const bool bc = take_bc(text);
  std::int64_t year = 0, month = 0, day = 0;
  if (!take_date(text, year, month, day) || !text.empty()) return std::nullopt;
  return days_from_civil(bc ? 1 - year : year, month, day);
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  std::int64_t us = 0;
  if (!take_time(text, us) || !text.empty() || us > kDay) return std::nullopt;
  return us;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) { return timestamp_with(text, false); }
std::optional<std::int64_t> parse_timestamptz(std::string_view text) { return timestamp_with(text, true); }

std::optional<std::string> timetz_to_utc(std::string_view text) {
  std::int64_t us = 0, offset = 0;
  if (!take_time(text, us) || !take_offset(text, offset) || !text.empty() || us > kDay) return std::nullopt;
  if (us == kDay && offset == 0) return "24:00:00Z";
  us = ((us - offset * kSecond) % kDay + kDay) % kDay;
  const std::int64_t seconds = us / kSecond;
  std::string out = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (us % kSecond != 0) {
    out += fmt::format(".{:06}", us % kSecond);
    while (out.back() == '0') out.pop_back();
  }
  return out + "Z";
}

std::optional<std::int64_t> parse_interval(std::string_view text) {
  // "1 year 2 mons -3 days 04:05:06.789"
  long double months = 0, days = 0, us = 0;
  bool any = false;
  while (!text.empty()) {
    if (take(text, ' ')) continue;
    bool minus = false;
    if (text.front() == '-' || text.front() == '+') {
      minus = text.front() == '-';
      text.remove_prefix(1);
    }
    std::string_view time = text;
    std::int64_t number = 0;
    if (!take_number(text, number)) return std::nullopt;
    any = true;
    if (!text.empty() && text.front() == ':') {
      std::int64_t value = 0;
      if (!take_time(time, value)) return std::nullopt;
      us += static_cast<long double>(minus ? -value : value);
      text = time;
      continue;
    }
    if (!take(text, ' ')) return std::nullopt;
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    const auto signed_number = static_cast<long double>(minus ? -number : number);
    if (word.starts_with("year")) {
      months += 12 * signed_number;
    } else if (word.starts_with("mon")) {
      months += signed_number;
    } else if (word.starts_with("day")) {
      days += signed_number;
    } else {
      return std::nullopt;
    }
  }
  if (!any) return std::nullopt;
  const long double total =
      months * 30.4375L * static_cast<long double>(kDay) + days * static_cast<long double>(kDay) + us;
  if (total >= 9223372036854775807.0L) return std::numeric_limits<std::int64_t>::max();
  if (total <= -9223372036854775808.0L) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(total);
}

void append_iso_timestamp(std::string& out, std::int64_t us, int fraction_digits) {
  std::int64_t days = us / kDay, rest = us % kDay;
  if (rest < 0) rest += kDay, --days;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  // year_month_day holds 16 bits of year; Postgres reaches 294276.
  std::int64_t year = static_cast<int>(date.year());
  if (days > 11'000'000 || days < -12'000'000) {
    const std::int64_t z = days + 719'468;
    const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
    const std::int64_t doe = z - era * 146'097;
    const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
    const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    year = yoe + era * 400 + ((5 * doy + 2) / 153 >= 10 ? 1 : 0);
  }
  if (year > 9999) out.push_back('+');
  if (year < 0) {
    fmt::format_to(std::back_inserter(out), "-{:04}", -year);
  } else {
    fmt::format_to(std::back_inserter(out), "{:04}", year);
  }
  const std::int64_t seconds = rest / kSecond;
  fmt::format_to(std::back_inserter(out), "-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (fraction_digits > 0) {
    const std::string digits = fmt::format("{:06}", rest % kSecond);
    out.push_back('.');
    out.append(digits, 0, static_cast<std::size_t>(std::min(fraction_digits, 6)));
  }
  out.push_back('Z');
}

std::optional<std::string> parse_bytea(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
  const auto nibble = [](char c) -> int {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return out;
}

std::optional<std::string> parse_bits(std::string_view text) {
  std::string out((text.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char bit = text[text.size() - 1 - i];
    if (bit != '0' && bit != '1') return std::nullopt;
    if (bit == '1') out[i / 8] = static_cast<char>(out[i / 8] | 1 << i % 8);
  }
  while (!out.empty() && out.back() == 0) out.pop_back();
  return out;
}

std::string money_to_decimal(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '(') out.insert(0, "-");
    if (is_digit(c) || c == '.') out.push_back(c);
  }
  return out;
}

std::optional<std::vector<ArrayElement>> parse_array(std::string_view text) {
  if (!text.empty() && text.front() == '[') {  // "[2:3]={..}": the bounds are lost
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    text.remove_prefix(equals + 1);
  }
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<ArrayElement> out;
  std::size_t i = 0;
  while (i < text.size()) {
    ArrayElement element;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
        element.text.push_back(text[i]);
      }
      if (i++ >= text.size()) return std::nullopt;
    } else if (text[i] == '{') {
      int depth = 0;
      bool quoted = false;
      const std::size_t from = i;
      for (; i < text.size(); ++i) {
        if (text[i] == '\\') {
          ++i;
        } else if (text[i] == '"') {
          quoted = !quoted;
        } else if (!quoted && text[i] == '{') {
          ++depth;
        } else if (!quoted && text[i] == '}' && --depth == 0) {
          break;
        }
      }
      if (i >= text.size()) return std::nullopt;
      element.text = text.substr(from, ++i - from);
      element.nested = true;
    } else {
      const std::size_t end = std::min(text.find(',', i), text.size());
      for (; i < end; ++i) {
        if (text[i] == '\\' && ++i >= end) return std::nullopt;
        element.text.push_back(text[i]);
      }
      element.null = element.text == "NULL";
    }
    out.push_back(std::move(element));
    if (i == text.size()) break;
    if (text[i] != ',' || ++i == text.size()) return std::nullopt;
  }
  return out;
}

void unescape_copy(std::string_view field, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 1 == field.size()) {
      out.push_back(field[i]);
      continue;
    }
    switch (const char c = field[++i]) {
      case 'b': out.push_back('\b'); break;
      case 'f': out.push_back('\f'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 't': out.push_back('\t'); break;
      case 'v': out.push_back('\v'); break;
      default: out.push_back(c);
    }
  }
}

std::optional<std::vector<double>> parse_numbers(std::string_view text) {
  std::vector<double> out;
  while (!text.empty()) {
    const char c = text.front();
    if (is_digit(c) || c == '-' || c == '+' || c == 'I' || c == 'N') {
      double value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc()) return std::nullopt;
      out.push_back(value);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    } else {
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace millrace::cdc
