// The option names of Debezium 3.7's Postgres connector and of the Connect framework around it: what is
// refused as "not supported yet" rather than as unknown. Pure.
#pragma once

#include <string_view>

namespace millrace::cdc {

bool is_debezium_option(std::string_view name);

}  // namespace millrace::cdc
