// Postgres' text output (DateStyle ISO, TimeZone UTC, IntervalStyle postgres, lc_monetary C, bytea_output
// hex) turned into the numbers and bytes that Debezium's schema types hold.
//
// Pure; each parser answers nothing when the text is not what its type prints. Limits: infinite dates and
// timestamps become the values that Debezium writes for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cdc {

// Digits of a decimal number as an unscaled integer and its scale: "-12.50" is {-1250, 2}. NaN and Infinity
// are no decimals.
struct Decimal {
  bool negative = false;
  std::string digits;  // no leading zeros; "0" for zero
  std::int32_t scale = 0;
};
std::optional<Decimal> parse_decimal(std::string_view text);
// Appends zeros (or cuts digits) until the scale is `scale`.
void set_scale(Decimal& value, std::int32_t scale);
// Drops zeros at the end of the fraction: never below scale 0.
void strip_zeros(Decimal& value);
// Java's BigInteger.toByteArray: big-endian two's complement, as short as it can be.
std::string unscaled_bytes(const Decimal& value);

std::optional<std::int64_t> parse_date(std::string_view text);       // days since 1970
std::optional<std::int64_t> parse_time(std::string_view text);       // us since midnight, 24:00:00 included
std::optional<std::int64_t> parse_timestamp(std::string_view text);  // us since 1970; not for infinity
// us since 1970 and of "2024-02-29 12:34:56.5+00"; the offset is applied.
std::optional<std::int64_t> parse_timestamptz(std::string_view text);
// "12:34:56.789+02" in UTC as ISO text: "10:34:56.789Z".
std::optional<std::string> timetz_to_utc(std::string_view text);
// us; a month counts 365.25/12 days; capped at the ends of int64.
std::optional<std::int64_t> parse_interval(std::string_view text);
// "2024-02-29T12:34:56.789012Z" with exactly `fraction_digits`.
void append_iso_timestamp(std::string& out, std::int64_t us, int fraction_digits);

// "\\x00ff" to bytes.
std::optional<std::string> parse_bytea(std::string_view text);
// "10110" to bytes, bit 0 (the last digit) first, no zero bytes at the end.
std::optional<std::string> parse_bits(std::string_view text);
// "$1,234.50", "-$1.00" to plain decimal text.
std::string money_to_decimal(std::string_view text);

// One dimension of an array literal: elements unescaped. A nested array is one element with `nested` set.
struct ArrayElement {
  bool null = false;
  bool nested = false;
  std::string text;
};
std::optional<std::vector<ArrayElement>> parse_array(std::string_view text);

// Undoes COPY's escapes (\t, \n, \\ ...).
void unescape_copy(std::string_view field, std::string& out);

// Every number in the text, in order: "((1,2),(3,4))" is 1 2 3 4.
std::optional<std::vector<double>> parse_numbers(std::string_view text);

}  // namespace millrace::cdc
