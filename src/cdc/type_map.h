// Postgres types to Debezium 3.7's: the Connect schema of a column and its value, both as the JsonConverter
// writes them, straight from Postgres' text output (pg_text.h says under which settings).
//
// Pure. A type that Debezium leaves out of its events (composites, pg_lsn, money[], ..) answers no Encoder. A
// value that does not fit its type's text becomes null, as Debezium's default (`warn`) has it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/config.h"

namespace millrace::cdc {

// A row of pg_type, as far as it matters here.
struct PgType {
  std::uint32_t oid = 0;
  std::string name;
  char kind = 'b';            // typtype: b base, d domain, e enum, c composite, r range, m multirange, p pseudo
  std::uint32_t element = 0;  // of an array
  std::uint32_t base = 0;     // of a domain
  std::int32_t base_typmod = -1;
  std::vector<std::string> labels;  // of an enum, in sort order
};
using TypeRegistry = std::map<std::uint32_t, PgType>;

enum class ValueKind {
  kBool,
  kBit1,
  kBits,
  kInteger,
  kFloat,
  kString,
  kDecimal,
  kVariableDecimal,
  kDecimalText,
  kDecimalDouble,
  kMoney,
  kMoneyText,
  kMoneyDouble,
  kDate,
  kTimeMs,
  kTimeUs,
  kTimeCutToMs,
  kZonedTime,
  kTimestampMs,
  kTimestampUs,
  kZonedTimestamp,
  kInterval,
  kBytes,
  kPoint,
  kBox,
  kSegment,
  kPath,
  kPolygon,
  kCircle,
  kLine,
  kArray,
  kNothing,
};

class Encoder {
 public:
  // `{"type":..,"optional":..,..,"default":..,"field":..}`; `default_json` empty: none.
  std::string schema_json(std::string_view field, bool optional, std::string_view default_json) const;
  // Appends the value; false when the text is not of this type, and then "null" was appended.
  bool append(std::string& out, std::string_view text) const;
  // What stands for a TOASTed value that the change did not carry.
  const std::string& unavailable_json() const { return unavailable_; }
  // What stands for a NOT NULL column in a key-only row.
  const std::string& filler_json() const { return filler_; }
  ValueKind kind() const { return kind_; }

 private:
  friend std::unique_ptr<Encoder> make_encoder(const TypeRegistry&, std::uint32_t, std::int32_t, DecimalMode);
  static std::unique_ptr<Encoder> make_array(const TypeRegistry& types, const PgType& type, std::int32_t typmod,
                                             DecimalMode decimals);
  void become_shape(ValueKind kind);
  bool append_array(std::string& out, std::string_view text) const;
  bool append_decimal(std::string& out, std::string_view text) const;
  bool append_decimal_text(std::string& out, std::string_view text) const;
  bool append_geometry(std::string& out, std::string_view text) const;

  ValueKind kind_ = ValueKind::kString;
  std::int32_t scale_ = 0;      // of a decimal; fraction digits of a zoned timestamp
  bool enum_elements_ = false;  // one null element makes the whole array null
  std::string type_;            // `"type":"int32"`, with fields or items
  std::string semantic_;        // `,"name":..,"version":1..`
  std::string unavailable_ = "null";
  std::string filler_ = "\"\"";
  std::unique_ptr<Encoder> element_;
};

// Nothing for a type that Debezium leaves out.
std::unique_ptr<Encoder> make_encoder(const TypeRegistry& types, std::uint32_t oid, std::int32_t typmod,
                                      DecimalMode decimals);

// The default of a column as Debezium writes it: literals as they are, function calls as 0, "" or 1970; nothing for
// types and expressions that Debezium does not take defaults of. `type` is the column's own (not a domain's base).
std::optional<std::string> default_json(const PgType& type, const Encoder& encoder, std::string_view expression);

inline constexpr std::string_view kUnavailable = "__debezium_unavailable_value";

}  // namespace millrace::cdc
