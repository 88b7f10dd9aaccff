// Structured logging to stderr: LOG_INFO("wal.slot_sealed", {"slot", 7}, {"broker", 1}).
//
// A stable dotted event and fields, no prose. error = an operator must act (and a simulation run fails);
// warn = degraded but handled; info = lifecycle; debug = per operation. Never per record, never secrets.
// Thread-safe.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace millrace {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

void configure_logging(LogFormat format, LogLevel lowest);
bool log_enabled(LogLevel level);

struct LogField {
  template <class T>
  LogField(std::string_view key_in, const T& value_in)  // NOLINT: fields are written as braced pairs
      : key(key_in), value(fmt::format("{}", value_in)), number(std::is_arithmetic_v<T> && !std::is_same_v<T, char>) {}
  std::string_view key;
  std::string value;
  bool number;
};

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

}  // namespace millrace

#define MILLRACE_LOG_(level, event, ...) \
  (::millrace::log_enabled(level) ? ::millrace::log_event(level, event, __VA_ARGS__) : void(0))
#define LOG_DEBUG(event, ...) MILLRACE_LOG_(::millrace::LogLevel::kDebug, event, {__VA_ARGS__})
#define LOG_INFO(event, ...) MILLRACE_LOG_(::millrace::LogLevel::kInfo, event, {__VA_ARGS__})
#define LOG_WARN(event, ...) MILLRACE_LOG_(::millrace::LogLevel::kWarn, event, {__VA_ARGS__})
#define LOG_ERROR(event, ...) MILLRACE_LOG_(::millrace::LogLevel::kError, event, {__VA_ARGS__})
