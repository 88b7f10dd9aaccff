// System variables: the values that an 8.0.33 server without replication, TLS or plugins would show, as
// far as clients look at them; what a session SET overrides them. Also where MySQL's system databases
// live in DuckDB.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/dialect/translate.h"

namespace millrace::sql::dialect {

// All variables with their defaults, by name in lower case.
const std::map<std::string, std::string, std::less<>>& system_variables();

// The session's value; nothing for an unknown variable.
std::optional<std::string> variable_value(const Context& context, std::string_view name);
// `value` unset: back to the default (or NULL, for character_set_results). kInvalid for unknown variables
// (1193), read-only ones and values out of range.
Result<void> set_variable(Context& context, const std::string& name, const std::optional<std::string>& value);

// `information_schema` and `mysql` are schemas of ours under other names; other databases keep theirs.
std::string engine_database(std::string_view mysql_name);

// A user variable's value as a literal in both lexes: a number stays one.
std::string quote_user_value(std::string_view text);

}  // namespace millrace::sql::dialect
