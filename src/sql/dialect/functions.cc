#include "sql/dialect/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/dialect/types.h"

namespace millrace::sql::dialect {
namespace {

struct FunctionRow {
  std::string_view name;
  int arguments_min, arguments_max;
  std::string_view duckdb;
  Hint hint = Hint::kUnknown;
};

// NOW() has whole seconds in MySQL.
constexpr std::string_view kNow = "date_trunc('second', CAST(now() AS TIMESTAMP))";
constexpr std::string_view kNowMicros = "CAST(now() AS TIMESTAMP)";
constexpr std::string_view kTimeNow = "CAST(date_trunc('second', CAST(now() AS TIMESTAMP)) AS TIME)";

// Sorted by name within a group; looked up linearly once per call while parsing.
constexpr auto kFunctions = std::to_array<FunctionRow>({
    // Text
    {"ascii", 1, 1, "ascii($s1)", Hint::kNumber},
    {"bit_length", 1, 1, "(strlen($s1) * 8)", Hint::kNumber},
    {"char_length", 1, 1, "length($s1)", Hint::kNumber},
    {"character_length", 1, 1, "length($s1)", Hint::kNumber},
    {"find_in_set", 2, 2,
     "CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE coalesce(list_position(string_split($s2, ','), $s1), 0) END",
     Hint::kNumber},
    {"format", 2, 2, "format('{:,.' || $2 || 'f}', CAST($1 AS DOUBLE))", Hint::kString},
    {"instr", 2, 2, "instr($s1, $s2)", Hint::kNumber},
    {"inet_aton", 1, 1,
     "(TRY_CAST(split_part($s1, '.', 1) AS BIGINT) * 16777216 + TRY_CAST(split_part($s1, '.', 2) AS BIGINT) * 65536 + "
     "TRY_CAST(split_part($s1, '.', 3) AS BIGINT) * 256 + TRY_CAST(split_part($s1, '.', 4) AS BIGINT))",
     Hint::kNumber},
    {"inet_ntoa", 1, 1,
     "(CAST(CAST($1 AS BIGINT) // 16777216 AS VARCHAR) || '.' || CAST(CAST($1 AS BIGINT) // 65536 % 256 AS VARCHAR) || "
     "'.' || CAST(CAST($1 AS BIGINT) // 256 % 256 AS VARCHAR) || '.' || CAST(CAST($1 AS BIGINT) % 256 AS VARCHAR))",
     Hint::kString},
    {"charset", 1, 1, "'utf8mb4'", Hint::kString},
    {"collation", 1, 1, "'utf8mb4_0900_ai_ci'", Hint::kString},
    {"insert", 4, 4,
     "CASE WHEN $2 < 1 OR $2 > length($s1) THEN $s1 WHEN $3 < 0 THEN left($s1, $2 - 1) || $s4 ELSE left($s1, $2 - 1) "
     "|| "
     "$s4 || substring($s1, $2 + $3) END",
     Hint::kString},
    {"lcase", 1, 1, "lower($s1)", Hint::kString},
    {"length", 1, 1, "strlen($s1)", Hint::kNumber},
    {"locate", 2, 2, "instr($s2, $s1)", Hint::kNumber},
    {"locate", 3, 3,
     "CASE WHEN instr(substring($s2, $3), $s1) = 0 THEN 0 ELSE instr(substring($s2, $3), $s1) + $3 - 1 END",
     Hint::kNumber},
    {"lower", 1, 1, "lower($s1)", Hint::kString},
    {"md5", 1, 1, "md5($s1)", Hint::kString},
    {"mid", 2, 3, "substring($s1, $rest)", Hint::kString},
    {"octet_length", 1, 1, "strlen($s1)", Hint::kNumber},
    {"ord", 1, 1, "ascii($s1)", Hint::kNumber},
    {"position", 2, 2, "instr($s2, $s1)", Hint::kNumber},
    {"quote", 1, 1, "(chr(39) || replace($s1, chr(39), chr(92) || chr(39)) || chr(39))", Hint::kString},
    {"regexp_like", 2, 2, "regexp_matches($s1, $2)", Hint::kBool},
    {"regexp_like", 3, 3, "regexp_matches($s1, $2, $3)", Hint::kBool},
    // One more than what stands before the first match.
    {"regexp_instr", 2, 2,
     "CASE WHEN regexp_matches($s1, $2) THEN length(regexp_extract($s1, '(?s)^(.*?)(?:' || $s2 || ')', 1)) + 1 ELSE 0 "
     "END",
     Hint::kNumber},
    {"regexp_replace", 3, 3, "regexp_replace($s1, $2, $3, 'g')", Hint::kString},
    {"regexp_substr", 2, 2, "nullif(regexp_extract($s1, $2), '')", Hint::kString},
    {"repeat", 2, 2, "repeat($s1, $2)", Hint::kString},
    {"replace", 3, 3, "replace($s1, $s2, $s3)", Hint::kString},
    {"reverse", 1, 1, "reverse($s1)", Hint::kString},
    {"sha", 1, 1, "sha1($s1)", Hint::kString},
    {"sha1", 1, 1, "sha1($s1)", Hint::kString},
    {"sha2", 2, 2, "sha256($s1)", Hint::kString},
    {"space", 1, 1, "repeat(' ', $1)", Hint::kString},
    {"strcmp", 2, 2, "CASE WHEN $1 = $2 THEN 0 WHEN $1 < $2 THEN -1 WHEN $1 > $2 THEN 1 END", Hint::kNumber},
    {"substr", 2, 3, "substring($s1, $rest)", Hint::kString},
    {"substring", 2, 3, "substring($s1, $rest)", Hint::kString},
    {"substring_index", 3, 3,
     "CASE WHEN $3 >= 0 THEN array_to_string((string_split($s1, $2))[1:$3], $2) "
     "ELSE array_to_string((string_split($s1, $2))[$3:], $2) END",
     Hint::kString},
    {"to_base64", 1, 1, "to_base64(encode($s1))", Hint::kString},
    {"from_base64", 1, 1, "decode(from_base64($s1))", Hint::kString},
    {"ucase", 1, 1, "upper($s1)", Hint::kString},
    {"upper", 1, 1, "upper($s1)", Hint::kString},
    {"uuid", 0, 0, "CAST(uuid() AS VARCHAR)", Hint::kString},
    // Numbers
    {"abs", 1, 1, "abs($n1)", Hint::kNumber},
    {"atan", 1, 1, "atan($n1)", Hint::kNumber},
    {"atan", 2, 2, "atan2($n1, $n2)", Hint::kNumber},
    {"ceiling", 1, 1, "CAST(ceil($n1) AS BIGINT)", Hint::kNumber},
    {"ceil", 1, 1, "CAST(ceil($n1) AS BIGINT)", Hint::kNumber},
    {"floor", 1, 1, "CAST(floor($n1) AS BIGINT)", Hint::kNumber},
    {"log", 1, 1, "CASE WHEN $1 > 0 THEN ln($1) END", Hint::kNumber},
    {"log", 2, 2, "CASE WHEN $1 > 0 AND $2 > 0 THEN ln($2) / ln($1) END", Hint::kNumber},
    {"ln", 1, 1, "CASE WHEN $1 > 0 THEN ln($1) END", Hint::kNumber},
    {"log10", 1, 1, "CASE WHEN $1 > 0 THEN log10($1) END", Hint::kNumber},
    {"log2", 1, 1, "CASE WHEN $1 > 0 THEN log2($1) END", Hint::kNumber},
    {"mod", 2, 2, "($n1 % $n2)", Hint::kNumber},
    {"oct", 1, 1, "format('{:o}', CAST($1 AS BIGINT))", Hint::kString},
    {"rand", 0, 1, "random()", Hint::kNumber},
    {"round", 1, 2, "round($*)", Hint::kNumber},
    {"sqrt", 1, 1, "CASE WHEN $1 >= 0 THEN sqrt($1) END", Hint::kNumber},
    {"truncate", 2, 2, "trunc($1, $2)", Hint::kNumber},
    // Conditions
    {"isnull", 1, 1, "($1 IS NULL)", Hint::kBool},
    // Dates and times
    {"curdate", 0, 0, "current_date", Hint::kDate},
    {"current_date", 0, 0, "current_date", Hint::kDate},
    {"utc_date", 0, 0, "current_date", Hint::kDate},
    {"curtime", 0, 1, kTimeNow, Hint::kTime},
    {"current_time", 0, 1, kTimeNow, Hint::kTime},
    {"utc_time", 0, 1, kTimeNow, Hint::kTime},
    {"now", 0, 0, kNow, Hint::kTimestamp},
    {"now", 1, 1, kNowMicros, Hint::kTimestamp},
    {"current_timestamp", 0, 0, kNow, Hint::kTimestamp},
    {"current_timestamp", 1, 1, kNowMicros, Hint::kTimestamp},
    {"localtime", 0, 0, kNow, Hint::kTimestamp},
    {"localtimestamp", 0, 1, kNow, Hint::kTimestamp},
    {"sysdate", 0, 1, kNow, Hint::kTimestamp},
    {"utc_timestamp", 0, 0, kNow, Hint::kTimestamp},
    {"utc_timestamp", 1, 1, kNowMicros, Hint::kTimestamp},
    {"convert_tz", 3, 3, "__millrace.convert_tz($t1, $2, $3)", Hint::kTimestamp},
    {"date", 1, 1, "$d1", Hint::kDate},
    {"to_date", 1, 1, "$d1", Hint::kDate},
    {"time", 1, 1, "TRY_CAST($1 AS TIME)", Hint::kTime},
    {"timestamp", 1, 1, "$t1", Hint::kTimestamp},
    {"timestamp", 2, 2, "($t1 + CAST($s2 AS INTERVAL))", Hint::kTimestamp},
    {"datediff", 2, 2, "date_diff('day', $d2, $d1)", Hint::kNumber},
    {"day", 1, 1, "day($d1)", Hint::kNumber},
    {"dayofmonth", 1, 1, "day($d1)", Hint::kNumber},
    {"dayofweek", 1, 1, "(dayofweek($d1) + 1)", Hint::kNumber},
    {"dayofyear", 1, 1, "dayofyear($d1)", Hint::kNumber},
    {"dayname", 1, 1, "dayname($d1)", Hint::kString},
    {"monthname", 1, 1, "monthname($d1)", Hint::kString},
    {"from_days", 1, 1, "(DATE '0001-01-01' + CAST($1 - 366 AS INTEGER))", Hint::kDate},
    {"from_unixtime", 1, 1, "make_timestamp(CAST(CAST($1 AS DECIMAL(30, 6)) * 1000000 AS BIGINT))", Hint::kTimestamp},
    {"hour", 1, 1, "hour($time1)", Hint::kNumber},
    {"last_day", 1, 1, "last_day($d1)", Hint::kDate},
    {"makedate", 2, 2, "(make_date($1, 1, 1) + CAST($2 - 1 AS INTEGER))", Hint::kDate},
    {"maketime", 3, 3, "make_time($1, $2, $3)", Hint::kTime},
    {"microsecond", 1, 1, "(microsecond($time1) % 1000000)", Hint::kNumber},
    {"minute", 1, 1, "minute($time1)", Hint::kNumber},
    {"month", 1, 1, "month($d1)", Hint::kNumber},
    {"period_add", 2, 2,
     "((($1 // 100) * 12 + $1 % 100 - 1 + $2) // 12 * 100 + (($1 // 100) * 12 + $1 % 100 - 1 + $2) % 12 + 1)",
     Hint::kNumber},
    {"period_diff", 2, 2, "(($1 // 100) * 12 + $1 % 100 - ($2 // 100) * 12 - $2 % 100)", Hint::kNumber},
    {"quarter", 1, 1, "quarter($d1)", Hint::kNumber},
    {"sec_to_time", 1, 1, "(TIME '00:00:00' + INTERVAL (CAST($1 AS BIGINT)) SECOND)", Hint::kTime},
    {"second", 1, 1, "CAST(floor(second($time1)) AS BIGINT)", Hint::kNumber},
    {"time_to_sec", 1, 1, "CAST(epoch(TRY_CAST($1 AS TIME)) AS BIGINT)", Hint::kNumber},
    {"timediff", 2, 2, "coalesce($t1 - $t2, TRY_CAST($s1 AS INTERVAL) - TRY_CAST($s2 AS INTERVAL))", Hint::kUnknown},
    {"to_days", 1, 1, "(date_diff('day', DATE '0001-01-01', $d1) + 366)", Hint::kNumber},
    {"to_seconds", 1, 1, "(date_diff('second', TIMESTAMP '0001-01-01', $t1) + 366 * 86400)", Hint::kNumber},
    {"unix_timestamp", 0, 0, "CAST(floor(epoch(now())) AS BIGINT)", Hint::kNumber},
    {"unix_timestamp", 1, 1, "CAST(floor(epoch($t1)) AS BIGINT)", Hint::kNumber},
    {"week", 1, 1, "CAST(strftime($d1, '%U') AS INTEGER)", Hint::kNumber},
    {"week", 2, 2, "__millrace.week_of($d1, $2)", Hint::kNumber},
    {"weekday", 1, 1, "(isodow($d1) - 1)", Hint::kNumber},
    {"weekofyear", 1, 1, "week($d1)", Hint::kNumber},
    {"year", 1, 1, "year($d1)", Hint::kNumber},
    {"yearweek", 1, 1, "__millrace.yearweek_of($d1, 0)", Hint::kNumber},
    {"yearweek", 2, 2, "__millrace.yearweek_of($d1, $2)", Hint::kNumber},
    {"days_add", 2, 2, "($1 + INTERVAL ($2) DAY)", Hint::kUnknown},
    {"days_sub", 2, 2, "($1 - INTERVAL ($2) DAY)", Hint::kUnknown},
    {"hours_add", 2, 2, "($t1 + INTERVAL ($2) HOUR)", Hint::kTimestamp},
    {"hours_sub", 2, 2, "($t1 - INTERVAL ($2) HOUR)", Hint::kTimestamp},
    {"days_diff", 2, 2, "date_diff('day', $d2, $d1)", Hint::kNumber},
    {"seconds_diff", 2, 2, "date_diff('second', $t2, $t1)", Hint::kNumber},
    // JSON
    {"json_arrayagg", 1, 1, "json_group_array($1)"},
    {"json_contains_path", 3, 3, "json_exists($1, $3)", Hint::kBool},
    {"json_keys", 1, 2, "to_json(json_keys($*))"},
    {"json_length", 1, 2, "json_array_length($*)", Hint::kNumber},
    {"json_objectagg", 2, 2, "json_group_object($1, $2)"},
    {"json_unquote", 1, 1, "($1 ->> '$')", Hint::kString},
    {"get_json_string", 2, 2, "($1 ->> $2)", Hint::kString},
    {"get_json_int", 2, 2, "TRY_CAST($1 ->> $2 AS BIGINT)", Hint::kNumber},
    {"get_json_double", 2, 2, "TRY_CAST($1 ->> $2 AS DOUBLE)", Hint::kNumber},
    // Aggregates
    {"avg", 1, 1, "avg($n1)", Hint::kNumber},
    {"sum", 1, 1, "sum($n1)", Hint::kNumber},
    {"std", 1, 1, "stddev_pop($1)", Hint::kNumber},
    {"stddev", 1, 1, "stddev_pop($1)", Hint::kNumber},
    {"variance", 1, 1, "var_pop($1)", Hint::kNumber},
    {"ndv", 1, 1, "approx_count_distinct($1)", Hint::kNumber},
    {"percentile_approx", 2, 3, "approx_quantile($1, $2)", Hint::kNumber},
    {"percentile_cont", 2, 2, "quantile_cont($1, $2)", Hint::kNumber},
    {"bitmap_union_count", 1, 1, "count(DISTINCT $1)", Hint::kNumber},
    {"hll_union_agg", 1, 1, "approx_count_distinct($1)", Hint::kNumber},
});

constexpr std::array<std::string_view, 37> kAggregates = {"count",
                                                          "sum",
                                                          "avg",
                                                          "min",
                                                          "max",
                                                          "group_concat",
                                                          "std",
                                                          "stddev",
                                                          "stddev_pop",
                                                          "stddev_samp",
                                                          "variance",
                                                          "var_pop",
                                                          "var_samp",
                                                          "bit_and",
                                                          "bit_or",
                                                          "bit_xor",
                                                          "any_value",
                                                          "array_agg",
                                                          "json_arrayagg",
                                                          "json_objectagg",
                                                          "ndv",
                                                          "approx_count_distinct",
                                                          "percentile_approx",
                                                          "percentile_cont",
                                                          "quantile_cont",
                                                          "median",
                                                          "mode",
                                                          "first",
                                                          "last",
                                                          "arg_min",
                                                          "arg_max",
                                                          "max_by",
                                                          "min_by",
                                                          "string_agg",
                                                          "corr",
                                                          "bitmap_union_count",
                                                          "hll_union_agg"};

std::string all_of(const std::vector<Expr>& arguments, std::size_t from = 0) {
  std::vector<std::string> parts;
  for (std::size_t i = from; i < arguments.size(); ++i) parts.push_back(arguments[i].sql);
  return join(parts, ", ");
}

std::string filled(std::string_view pattern, const std::vector<Expr>& arguments) {
  std::string out;
  while (!pattern.empty()) {
    const auto dollar = pattern.find('$');
    out += pattern.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    pattern.remove_prefix(dollar + 1);
    const auto is = [&](std::string_view prefix) {
      if (!pattern.starts_with(prefix)) return false;
      pattern.remove_prefix(prefix.size());
      return true;
    };
    if (is("*")) {
      out += all_of(arguments);
    } else if (is("rest")) {
      out += all_of(arguments, 1);
    } else if (pattern.starts_with("'")) {
      out += '$';  // JSON's root path
    } else {
      const bool time = is("time");
      const char kind = time || (pattern[0] >= '0' && pattern[0] <= '9') ? '\0' : pattern[0];
      if (kind != '\0') pattern.remove_prefix(1);
      const Expr& argument = arguments[static_cast<std::size_t>(pattern[0] - '1')];
      pattern.remove_prefix(1);
      const bool text_time = time && argument.hint == Hint::kString;
      // '10:11:12' is a time of no day.
      if (text_time) {
        out += fmt::format("coalesce({}, DATE '2000-01-01' + TRY_CAST({} AS TIME))", as_timestamp(argument),
                           as_text(argument));
        continue;
      }
      out += kind == 's'   ? as_text(argument)
             : kind == 'd' ? as_date(argument)
             : kind == 't' ? as_timestamp(argument)
             : kind == 'n' ? as_number(argument)
                           : operand(argument);
    }
  }
  return out;
}

Result<Expr> conditional(const std::string& name, std::vector<Expr>& arguments) {
  if (name == "if" && arguments.size() == 3) {
    std::vector<Expr> branches = {arguments[1], arguments[2]};
    unify_branches(branches);
    const Hint hint = branches[0].hint == branches[1].hint ? branches[0].hint : Hint::kUnknown;
    return Expr{
        .sql = fmt::format("CASE WHEN {} THEN {} ELSE {} END", arguments[0].sql, branches[0].sql, branches[1].sql),
        .hint = hint};
  }
  if (name == "if") return fail(Code::kInvalid, "You have an error in your SQL syntax; IF takes three arguments");
  unify_branches(arguments);
  return Expr{.sql = "coalesce(" + all_of(arguments) + ")",
              .hint = arguments.empty() ? Hint::kUnknown : arguments.back().hint};
}

Expr concat(const std::vector<Expr>& arguments) {
  std::vector<std::string> parts;
  for (const auto& one : arguments) parts.push_back(as_text(one));
  return {.sql = "(" + join(parts, " || ") + ")", .hint = Hint::kString};
}

// GREATEST and LEAST are NULL when any argument is.
Expr extreme(const std::string& name, const std::vector<Expr>& arguments) {
  std::vector<std::string> nulls;
  for (const auto& one : arguments) nulls.push_back(operand(one) + " IS NULL");
  return {.sql = fmt::format("CASE WHEN {} THEN NULL ELSE {}({}) END", join(nulls, " OR "), name, all_of(arguments)),
          .hint = arguments.empty() ? Hint::kUnknown : arguments[0].hint};
}

Result<Expr> formatted(const std::string& name, const std::vector<Expr>& arguments) {
  const Expr& pattern = arguments[1];
  std::string format = pattern.sql;
  if (pattern.string_literal) {
    TRY(const auto mapped, strftime_format(*pattern.string_literal));
    format = quote_literal(mapped);
  }
  if (name == "str_to_date") {
    const bool clock = pattern.sql.find_first_of("HhIikSsTfrl") != std::string::npos;
    const std::string parsed = fmt::format("try_strptime({}, {})", as_text(arguments[0]), format);
    if (clock || !pattern.string_literal) return Expr{.sql = parsed, .hint = Hint::kTimestamp};
    return Expr{.sql = "CAST(" + parsed + " AS DATE)", .hint = Hint::kDate};
  }
  std::string when = as_timestamp(arguments[0]);
  if (name == "from_unixtime")
    when = fmt::format("make_timestamp(CAST(CAST({} AS DECIMAL(30, 6)) * 1000000 AS BIGINT))", arguments[0].sql);
  if (name == "time_format") when = fmt::format("(DATE '2000-01-01' + CAST({} AS TIME))", arguments[0].sql);
  return Expr{.sql = fmt::format("strftime({}, {})", when, format), .hint = Hint::kString};
}

std::optional<Expr> session_function(const std::string& name, const Context& context) {
  const auto text = [](std::string_view value) { return Expr{.sql = quote_literal(value), .hint = Hint::kString}; };
  const auto number = [](auto value) {
    return Expr{.sql = fmt::format("CAST({} AS BIGINT)", value), .hint = Hint::kNumber};
  };
  if (name == "database" || name == "schema") {
    if (context.database.empty()) return Expr{.sql = "CAST(NULL AS VARCHAR)", .hint = Hint::kNull};
    return text(context.database);
  }
  if (name == "user" || name == "current_user" || name == "session_user" || name == "system_user") {
    return text(context.user + "@" + context.host);
  }
  if (name == "version") return text("8.0.33-millrace");
  if (name == "current_role") return text("NONE");
  if (name == "connection_id") return number(context.connection_id);
  if (name == "last_insert_id") return number(0);
  if (name == "found_rows") return number(context.found_rows);
  if (name == "row_count") return number(context.row_count);
  return std::nullopt;
}

}  // namespace

bool is_aggregate(std::string_view name) { return std::ranges::find(kAggregates, name) != kAggregates.end(); }

std::optional<Expr> bare_function(std::string_view name) {
  for (const std::string_view known : {"current_date", "current_time", "current_timestamp", "localtime",
                                       "localtimestamp", "utc_date", "utc_time", "utc_timestamp"}) {
    if (name != known) continue;
    const auto row = std::ranges::find(kFunctions, name, &FunctionRow::name);
    return Expr{.sql = std::string(row->duckdb), .hint = row->hint};
  }
  return std::nullopt;
}

Result<std::string> strftime_format(std::string_view mysql_format) {
  static constexpr std::string_view kFrom = "abcdefHhIijklMmprSsTUuvWwxYy%";
  static constexpr std::array<std::string_view, 29> kTo = {
      "%a", "%b",          "%-m", "%d", "%-d",      "%f", "%H", "%I", "%I", "%M", "%j", "%-H", "%-I", "%B", "%m",
      "%p", "%I:%M:%S %p", "%S",  "%S", "%H:%M:%S", "%U", "%W", "%V", "%A", "%w", "%G", "%Y",  "%y",  "%%"};
  static_assert(kFrom.size() == kTo.size());
  std::string out;
  for (std::size_t i = 0; i < mysql_format.size(); ++i) {
    if (mysql_format[i] != '%' || i + 1 == mysql_format.size()) {
      out.push_back(mysql_format[i]);
      continue;
    }
    const char c = mysql_format[++i];
    if (c == 'D' || c == 'X' || c == 'V') {
      return fail(Code::kUnsupported, fmt::format("DATE_FORMAT's %{} is not supported yet; use %d, %x or %v", c));
    }
    const auto at = kFrom.find(c);
    out += at == std::string_view::npos ? std::string_view(&c, 1) : kTo[at];
  }
  return out;
}

Result<Expr> call_of(const std::string& name, std::vector<Expr> arguments, const Context& context) {
  if (name == "if" || name == "ifnull" || name == "coalesce" || name == "nvl") return conditional(name, arguments);
  if (name == "concat" && !arguments.empty()) return concat(arguments);
  if (name == "concat_ws" && arguments.size() >= 2) {
    std::vector<std::string> parts;
    for (const auto& one : arguments) parts.push_back(as_text(one));
    return Expr{.sql = "concat_ws(" + join(parts, ", ") + ")", .hint = Hint::kString};
  }
  if ((name == "greatest" || name == "least") && !arguments.empty()) return extreme(name, arguments);
  if ((name == "date_format" || name == "str_to_date" || name == "time_format" || name == "from_unixtime") &&
      arguments.size() == 2) {
    return formatted(name, arguments);
  }
  if (name == "field" && arguments.size() >= 2) {
    return Expr{.sql = fmt::format("coalesce(list_position([{}], {}), 0)", all_of(arguments, 1), arguments[0].sql),
                .hint = Hint::kNumber};
  }
  if (name == "elt" && arguments.size() >= 2) {
    return Expr{.sql = fmt::format("([{}])[{}]", all_of(arguments, 1), arguments[0].sql)};
  }
  if (name == "char" && !arguments.empty()) {
    std::vector<std::string> parts;
    for (const auto& one : arguments) parts.push_back("chr(CAST(" + one.sql + " AS INTEGER))");
    return Expr{.sql = "(" + join(parts, " || ") + ")", .hint = Hint::kString};
  }
  if (name == "sha2" && arguments.size() == 2 && arguments[1].sql != "256" && arguments[1].sql != "0") {
    return fail(Code::kUnsupported, "SHA2() is supported with 256 bits only");
  }
  if (name == "date_trunc" && arguments.size() == 2 && arguments[1].hint == Hint::kString) {
    return Expr{.sql = fmt::format("date_trunc({}, {})", arguments[0].sql, as_timestamp(arguments[1])),
                .hint = Hint::kTimestamp};
  }
  if (arguments.empty() || name == "last_insert_id") {
    if (auto value = session_function(name, context)) return std::move(*value);
  }
  bool known = false;
  for (const auto& row : kFunctions) {
    if (row.name != name) continue;
    known = true;
    const auto count = static_cast<int>(arguments.size());
    if (count < row.arguments_min || count > row.arguments_max) continue;
    return Expr{.sql = filled(row.duckdb, arguments), .hint = row.hint};
  }
  if (known) {
    return fail(Code::kInvalid, fmt::format("Incorrect parameter count in the call to native function '{}'", name));
  }
  return Expr{.sql = name + "(" + all_of(arguments) + ")"};
}

}  // namespace millrace::sql::dialect
