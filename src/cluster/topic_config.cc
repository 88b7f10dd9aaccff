#include "cluster/topic_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace millrace::cluster {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> list_of(std::string_view text) {
  std::vector<std::string_view> items;
  if (trimmed(text).empty()) return items;
  for (;;) {
    const std::size_t comma = text.find(',');
    items.push_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

std::unexpected<Error> odd(std::string_view name, std::string_view value, std::string_view why) {
  return fail(Code::kInvalid, fmt::format("Invalid value {} for configuration {}: {}", value, name, why));
}

// `*`, or partition:broker pairs.
Result<void> check_throttled_replicas(std::string_view name, std::string_view value) {
  const auto items = list_of(value);
  if (items.size() == 1 && items.front() == "*") return {};
  for (const auto item : items) {
    const std::size_t colon = item.find(':');
    const bool fits = colon != std::string_view::npos && number_of<std::int32_t>(item.substr(0, colon)) &&
                      number_of<std::int32_t>(item.substr(colon + 1));
    if (!fits) return odd(name, value, "Must be the literal '*' or a list of replicas [partitionId]:[brokerId]");
  }
  return {};
}

Result<void> check_list(const TopicConfigDef& def, std::string_view value) {
  if (def.name.ends_with(".throttled.replicas")) return check_throttled_replicas(def.name, value);
  std::set<std::string_view> seen;
  for (const auto item : list_of(value)) {
    if (item.empty()) return odd(def.name, value, "Configuration values must not be empty");
    if (!seen.insert(item).second) return odd(def.name, value, "Configuration values must not be duplicated");
    if (!def.allowed.empty() && std::find(def.allowed.begin(), def.allowed.end(), item) == def.allowed.end())
      return odd(def.name, item, fmt::format("String must be one of: {}", fmt::join(def.allowed, ", ")));
  }
  return {};
}

Result<void> check_whole_number(const TopicConfigDef& def, std::string_view value) {
  const auto number = number_of<std::int64_t>(value);
  const bool is_int = def.type == ConfigType::kInt;
  if (!number || (is_int && (*number < INT32_MIN || *number > INT32_MAX)))
    return odd(def.name, value, fmt::format("Not a number of type {}", is_int ? "INT" : "LONG"));
  const auto as_double = static_cast<double>(*number);
  if (as_double < def.min) return odd(def.name, value, fmt::format("Value must be at least {:.0f}", def.min));
  if (as_double > def.max) return odd(def.name, value, fmt::format("Value must be no more than {:.0f}", def.max));
  if (def.name == "compression.gzip.level" && *number == 0)
    return odd(def.name, value, "Value must be between 1 and 9 or equal to -1");
  return {};
}

Result<void> check_value(const TopicConfigDef& def, std::string_view value) {
  switch (def.type) {
    case ConfigType::kBoolean:
      if (!same_ignoring_case(trimmed(value), "true") && !same_ignoring_case(trimmed(value), "false"))
        return odd(def.name, value, "Expected value to be either true or false");
      return {};
    case ConfigType::kString:
      if (!def.allowed.empty() && std::find(def.allowed.begin(), def.allowed.end(), value) == def.allowed.end())
        return odd(def.name, value, fmt::format("String must be one of: {}", fmt::join(def.allowed, ", ")));
      return {};
    case ConfigType::kList: return check_list(def, value);
    case ConfigType::kInt:
    case ConfigType::kLong: return check_whole_number(def, value);
    case ConfigType::kDouble: {
      const auto number = number_of<double>(value);
      if (!number || !std::isfinite(*number)) return odd(def.name, value, "Not a number of type DOUBLE");
      if (*number < def.min) return odd(def.name, value, fmt::format("Value must be at least {}", def.min));
      if (*number > def.max) return odd(def.name, value, fmt::format("Value must be no more than {}", def.max));
      return {};
    }
  }
  return {};
}

std::string_view value_or_default(const std::map<std::string, std::string>& configs, std::string_view name) {
  const auto set = configs.find(std::string(name));
  return set == configs.end() ? find_topic_config(name)->default_value : std::string_view(set->second);
}

template <class T>
void take(const std::map<std::string, std::string>& configs, const char* name, T& out) {
  const auto set = configs.find(name);
  if (set == configs.end()) return;
  if (const auto number = number_of<T>(set->second)) out = *number;
}

}  // namespace

const TopicConfigDef* find_topic_config(std::string_view name) {
  const auto defs = topic_config_defs();
  const auto at = std::lower_bound(defs.begin(), defs.end(), name,
                                   [](const TopicConfigDef& def, std::string_view n) { return def.name < n; });
  return at != defs.end() && at->name == name ? &*at : nullptr;
}

Result<void> check_topic_config(std::string_view name, std::string_view value) {
  const TopicConfigDef* def = find_topic_config(name);
  if (!def) return fail(Code::kInvalid, fmt::format("Unknown topic config name: {}", name));
  return check_value(*def, value);
}

Result<void> check_topic_configs(const std::map<std::string, std::string>& configs) {
  for (const auto& [name, value] : configs) TRY_VOID(check_topic_config(name, value));
  const auto long_of = [&configs](std::string_view name) {
    return number_of<std::int64_t>(value_or_default(configs, name)).value_or(0);
  };
  const std::int64_t lag_min = long_of("min.compaction.lag.ms"), lag_max = long_of("max.compaction.lag.ms");
  if (lag_min > lag_max) {
    return fail(Code::kInvalid,
                fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                            lag_min, lag_max));
  }
  if (same_ignoring_case(trimmed(value_or_default(configs, "remote.storage.enable")), "true")) {
    return fail(Code::kInvalid,
                "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
                "remote log storage: everything is in the bucket already.");
  }
  return {};
}

Result<ConfigChanges> alter_topic_configs(const std::map<std::string, std::string>& now,
                                          std::span<const ConfigAlteration> alterations) {
  ConfigChanges changes;
  auto result = now;
  for (const auto& alteration : alterations) {
    const TopicConfigDef* def = find_topic_config(alteration.name);
    if (!def) return fail(Code::kInvalid, fmt::format("Unknown topic config name: {}", alteration.name));
    if (changes.contains(alteration.name))
      return fail(Code::kInvalid, fmt::format("Error due to duplicate config keys: {}", alteration.name));
    if (alteration.op == ConfigOp::kDelete) {
      changes[alteration.name] = std::nullopt;
      result.erase(alteration.name);
      continue;
    }
    if (!alteration.value)
      return fail(Code::kInvalid, fmt::format("Null value not supported for : {}", alteration.name));
    std::string value = *alteration.value;
    if (alteration.op != ConfigOp::kSet) {
      if (def->type != ConfigType::kList) {
        return fail(Code::kInvalid,
                    fmt::format("Config value {} is not allowed for config key: {}, which is no list",
                                alteration.op == ConfigOp::kAppend ? "append" : "subtract", alteration.name));
      }
      auto items = list_of(value_or_default(now, alteration.name));
      for (const auto item : list_of(value)) {
        const auto at = std::find(items.begin(), items.end(), item);
        if (alteration.op == ConfigOp::kAppend && at == items.end()) items.push_back(item);
        if (alteration.op == ConfigOp::kSubtract && at != items.end()) items.erase(at);
      }
      value = fmt::format("{}", fmt::join(items, ","));
    }
    changes[alteration.name] = value;
    result[alteration.name] = std::move(value);
  }
  TRY_VOID(check_topic_configs(result));
  return changes;
}

TopicSettings topic_settings(const std::map<std::string, std::string>& configs) {
  TopicSettings settings;
  if (configs.empty()) return settings;
  if (const auto set = configs.find("cleanup.policy"); set != configs.end()) {
    const auto policies = list_of(set->second);
    settings.cleanup_delete = std::find(policies.begin(), policies.end(), "delete") != policies.end();
    settings.cleanup_compact = std::find(policies.begin(), policies.end(), "compact") != policies.end();
  }
  if (const auto set = configs.find("message.timestamp.type"); set != configs.end() && set->second == "LogAppendTime")
    settings.message_timestamp_type = TimestampType::kLogAppendTime;
  if (const auto set = configs.find("compression.type"); set != configs.end()) settings.compression_type = set->second;
  take(configs, "retention.ms", settings.retention_ms);
  take(configs, "retention.bytes", settings.retention_bytes);
  take(configs, "max.message.bytes", settings.max_message_bytes);
  take(configs, "message.timestamp.before.max.ms", settings.message_timestamp_before_max_ms);
  take(configs, "message.timestamp.after.max.ms", settings.message_timestamp_after_max_ms);
  take(configs, "delete.retention.ms", settings.delete_retention_ms);
  take(configs, "min.compaction.lag.ms", settings.min_compaction_lag_ms);
  take(configs, "max.compaction.lag.ms", settings.max_compaction_lag_ms);
  take(configs, "min.cleanable.dirty.ratio", settings.min_cleanable_dirty_ratio);
  take(configs, "compression.gzip.level", settings.compression_gzip_level);
  take(configs, "compression.lz4.level", settings.compression_lz4_level);
  take(configs, "compression.zstd.level", settings.compression_zstd_level);
  take(configs, "segment.bytes", settings.segment_bytes);
  take(configs, "segment.ms", settings.segment_ms);
  take(configs, "min.insync.replicas", settings.min_insync_replicas);
  return settings;
}

}  // namespace millrace::cluster
