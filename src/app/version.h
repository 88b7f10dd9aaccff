// What this program calls itself.
#pragma once

#include <string_view>

namespace millrace::app {
constexpr std::string_view kVersion = "0.1.0";
constexpr std::string_view kVersionLine = "millrace 0.1.0 (Kafka 4.3 protocol, MySQL 8.0 protocol)";
}  // namespace millrace::app
