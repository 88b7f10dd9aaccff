#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace millrace {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};
std::atomic<LogFormat> output_format{LogFormat::kText};

spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("millrace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

std::string_view name_of(LogLevel level) {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(level)];
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

void append_text_value(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of(" \"=\n\r\t") == std::string_view::npos) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

}  // namespace

void configure_logging(LogFormat format, LogLevel lowest) {
  output_format = format;
  lowest_level = lowest;
  sink().set_pattern(format == LogFormat::kJson ? "{\"ts\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}" : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                     spdlog::pattern_time_type::utc);
}

bool log_enabled(LogLevel level) { return level >= lowest_level.load(std::memory_order_relaxed); }

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line;
  if (output_format == LogFormat::kJson) {
    line = fmt::format("\"level\":\"{}\",\"event\":", name_of(level));
    append_json_string(line, event);
    for (const auto& field : fields) {
      line += ',';
      append_json_string(line, field.key);
      line += ':';
      if (field.number) {
        line += field.value;
      } else {
        append_json_string(line, field.value);
      }
    }
  } else {
    line = fmt::format("{:<5} {}", name_of(level), event);
    for (const auto& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      append_text_value(line, field.value);
    }
  }
  sink().log(spdlog::level::info, "{}", line);
}

}  // namespace millrace
