// Which object keys Millrace uses: what every driver can store without escaping. Bytes [A-Za-z0-9._-] in components
// joined by '/', no component empty or beginning with '.', at most 255 bytes a component and 1000 in all.
#pragma once

#include <string_view>

#include "base/result.h"

namespace millrace::object {

// kInvalid names the key and what is odd about it.
Result<void> check_key(std::string_view key);

}  // namespace millrace::object
