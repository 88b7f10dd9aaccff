// MySQL's and StarRocks' functions in DuckDB's words: a table of templates, and a few written out.
//
// In a template $1..$9 are arguments as operands; $s1 as text, $t1 as timestamp, $d1 as date, $n1 as
// number; $* all arguments. A name that the table does not know goes to DuckDB as it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/dialect/select.h"

namespace millrace::sql::dialect {

// Without parentheses: CURRENT_DATE, CURRENT_TIMESTAMP, ...
std::optional<Expr> bare_function(std::string_view lower_name);

// A call of an ordinary function. kInvalid for a wrong number of arguments, kUnsupported for what has no
// counterpart.
Result<Expr> call_of(const std::string& lower_name, std::vector<Expr> arguments, const Context& context);

bool is_aggregate(std::string_view lower_name);

// '%Y-%m-%d %H:%i' of DATE_FORMAT as strftime has it; kUnsupported for %D, %X, %V.
Result<std::string> strftime_format(std::string_view mysql_format);

}  // namespace millrace::sql::dialect
