// Every setting of the program: its name, default, meaning, value, and where the value came from.
//
// Sources, strongest first: a flag, the environment (MILLRACE_ + the name in capitals, dots and dashes as
// underscores), the YAML file of --config (nested keys join with dots), the default. Unknown names are
// errors that name the nearest known one. Broker settings carry Kafka's names (broker/config.h).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/config.h"

namespace millrace::app {

enum class Source { kDefault, kFile, kEnvironment, kFlag };
std::string_view to_string(Source source);

struct Setting {
  std::string name;
  std::string value;
  std::string default_value;
  std::string documentation;
  Source source = Source::kDefault;
  std::string origin;  // the file, variable or flag
};

class Config {
 public:
  // All settings at their defaults.
  Config();

  // kNotFound for an unknown name.
  Result<void> set(std::string_view name, std::string value, Source source, std::string origin);
  Result<void> load_file(const std::string& path);
  // The YAML of a file; `origin` names it in errors.
  Result<void> load_text(const std::string& text, const std::string& origin);
  // `environment`: NAME=value strings, as in environ. Unknown MILLRACE_ names are errors.
  Result<void> load_environment(const std::vector<std::string>& environment);

  const std::string& get(std::string_view name) const;  // the name must exist
  // kInvalid names the setting, its value and its origin.
  Result<std::int64_t> get_int(std::string_view name, std::int64_t lowest, std::int64_t highest) const;
  Result<bool> get_bool(std::string_view name) const;
  std::vector<std::string> get_list(std::string_view name) const;  // comma-separated
  Result<broker::BrokerConfig> broker_config() const;
  // `cache.dir`, or its default beside the bucket; empty for a bucket in memory.
  std::string cache_directory() const;

  const std::vector<Setting>& settings() const { return settings_; }

 private:
  Setting* find(std::string_view name);
  std::vector<Setting> settings_;
};

}  // namespace millrace::app
