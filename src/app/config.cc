#include "app/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/check.h"
#include "object/file_text.h"

namespace millrace::app {
namespace {

struct Known {
  std::string_view name, value, documentation;
};
constexpr Known kKnown[] = {
    {"bucket", "file://./millrace-data",
     "Where everything durable lives: file://DIR[?sync=on|off], s3://BUCKET/PREFIX[?region=..&endpoint=..] or mem: "
     "(nothing survives). sync=off acknowledges from the page cache."},
    {"roles", "broker,cdc,sql", "Which roles run in this process."},
    {"node.id", "1", "This broker's id; one process per id and bucket."},
    {"broker.rack", "", "The broker's rack or availability zone, as clients see it."},
    {"broker.session.timeout.ms", "6000",
     "A broker that the controller has not heard for so long is fenced, and others go on with its partitions; the "
     "controller is replaced after a third of it."},
    {"broker.drain.timeout.ms", "30000",
     "At a stop, longest wait for other brokers to take the partitions over; 0: do not hand them over."},
    {"auto.leader.rebalance.enable", "true",
     "The controller moves partitions so that brokers carry alike, by partitions, bytes and CPU."},
    {"cache.dir", "",
     "Local files that can be rebuilt from the bucket (the SQL engine's, cached blocks); empty: beside a file:// "
     "bucket, as DIR-cache, and BUCKET-PREFIX-cache in the working directory for s3://."},
    {"kafka.listen", "127.0.0.1:9092", "Kafka listener; port 0 picks a free one."},
    {"kafka.advertised", "", "HOST:PORT that clients are told; empty: the bound address."},
    {"kafka.bootstrap", "", "Kafka cluster that cdc and sql use when this process has no broker role."},
    {"mysql.listen", "127.0.0.1:9030", "MySQL listener of the sql role."},
    {"http.listen", "127.0.0.1:8080", "Health, metrics, status and the page."},
    {"log.format", "text", "text or json, on stderr."},
    {"log.level", "info", "debug, info, warn or error."},
    {"connectors", "", "Debezium connector files (JSON), comma-separated, run by the cdc role."},
    {"wal.place", "bucket",
     "Where acknowledged records lie until they are in data objects: bucket, or disk:PATH (a directory of this process "
     "alone; lower latency, but they are lost with the disk)."},
    {"wal.drain", "",
     "PATH of a disk that an earlier start used as --wal disk:PATH: its records are read and moved to the bucket."},
    {"wal.lost", "",
     "BROKER.INCARNATION, comma-separated: WALs that lay on a disk that is gone for good; what only it held is given "
     "up."},
    {"wal.segment.bytes", "67108864", "Size of the files of a WAL on a disk."},
    {"wal.cut.interval.ms", "1", "Least time between two slots under load; the first after a pause never waits."},
    {"wal.linger.ms", "5", "Longest wait of a batch for company while PUTs are in flight."},
    {"wal.puts.per.second", "50",
     "PUTs of slots a second that little traffic may cost, and as many again for each 3 MiB a second; batches wait for "
     "the next one (of a bucket that charges for requests: one a second is 13 USD a month on S3)."},
    {"wal.slot.bytes", "8388608", "A WAL slot is cut at this size."},
    {"wal.puts.inflight", "16", "PUTs of WAL slots in flight."},
    {"wal.tail.bytes", "268435456", "Memory for the newest batches, from which tail reads are served."},
    {"wal.unacked.bytes", "268435456", "Memory for batches that are not durable yet; beyond, producers are throttled."},
    {"object.bytes", "134217728", "WAL bytes after which a sorted data object is written."},
    {"object.interval.ms", "60000", "...or this time, whichever comes first."},
    {"object.merge.fan.in", "16",
     "So many neighbouring data objects with short extents are merged into one; 0: none are."},
    {"log.cleaner.enable", "true", "Key compaction of topics with cleanup.policy=compact."},
    {"log.cleaner.backoff.ms", "15000", "Between two looks for data objects to merge or to compact by key."},
    {"log.cleaner.dedupe.buffer.size", "33554432",
     "Memory for the keys of a partition that is compacted, 40 bytes for each; with more keys it takes several "
     "passes."},
    {"cache.bytes", "134217728", "Memory for blocks of data objects that were read."},
    {"cache.disk.bytes", "0",
     "Space in cache.dir for blocks that no longer fit into memory, on a local disk that is faster than the bucket; 0: "
     "none. Gone with the process."},
    {"cache.reads.inflight.bytes", "67108864",
     "Bytes of objects that are being read from the bucket for consumers that catch up; beyond, they wait in turn."},
    {"sql.threads", "0", "Threads of the SQL engine; 0: one per core."},
    {"sql.memory", "2GB", "Memory of the SQL engine."},
};

std::string described(const Setting& setting) {
  return setting.name + " = '" + setting.value + "' (" + (setting.origin.empty() ? "default" : setting.origin) + ")";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::string variable_name(std::string_view setting) {
  std::string name = "MILLRACE_";
  for (char c : setting) name += c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

// Joins nested keys with dots; sequences of scalars become comma-separated values. Anchors may make a short file
// endless, so what is looked at is counted.
class Flattener {
 public:
  Result<void> add(const YAML::Node& node, const std::string& name) {
    if (++seen_ > kNodesMax) return fail(Code::kInvalid, fmt::format("holds more than {} values", kNodesMax));
    if (name.size() > kNameBytesMax) return fail(Code::kInvalid, "a name of " + std::to_string(name.size()) + " bytes");
    switch (node.Type()) {
      case YAML::NodeType::Map:
        for (const auto& entry : node) {
          const auto key = entry.first.as<std::string>();
          // So a name grows with each level, and its length bounds how deep an anchor may lead into itself.
          if (key.empty()) return fail(Code::kInvalid, "an empty name below '" + name + "'");
          TRY_VOID(add(entry.second, name.empty() ? key : name + "." + key));
        }
        return {};
      case YAML::NodeType::Sequence: {
        std::string joined;
        for (const auto& item : node) {
          if (!item.IsScalar()) return fail(Code::kInvalid, "'" + name + "' must be a list of plain values");
          joined += (joined.empty() ? "" : ",") + item.as<std::string>();
        }
        values[name] = joined;
        return {};
      }
      case YAML::NodeType::Scalar: values[name] = node.as<std::string>(); return {};
      case YAML::NodeType::Null: values[name] = ""; return {};
      default: return fail(Code::kInvalid, "'" + name + "' has no value");
    }
  }

  std::map<std::string, std::string> values;

 private:
  static constexpr int kNodesMax = 10'000;
  static constexpr std::size_t kNameBytesMax = 255;
  int seen_ = 0;
};

// Without its options, which hold endpoints and files, and without what could be a password.
std::string place_of_bucket(const std::string& url) {
  std::string place = url.substr(0, url.find('?'));
  const auto scheme = place.find("://");
  const auto at = place.find('@');
  const auto slash = scheme == std::string::npos ? scheme : place.find('/', scheme + 3);
  if (scheme != std::string::npos && at != std::string::npos && at < slash) place.erase(scheme + 3, at - scheme - 2);
  return place;
}

}  // namespace

std::string_view to_string(Source source) {
  constexpr std::string_view names[] = {"default", "file", "environment", "flag"};
  return names[static_cast<int>(source)];
}

Config::Config() {
  for (const auto& known : kKnown) {
    settings_.push_back({std::string(known.name), std::string(known.value), std::string(known.value),
                         std::string(known.documentation), Source::kDefault, ""});
  }
  const broker::BrokerConfig defaults;
  for (const auto& key : broker::broker_config_keys()) {
    const std::string value = broker::get_config(defaults, key);
    settings_.push_back({std::string(key.name), value, value, std::string(key.documentation), Source::kDefault, ""});
  }
}

Setting* Config::find(std::string_view name) {
  for (auto& setting : settings_) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

Result<void> Config::set(std::string_view name, std::string value, Source source, std::string origin) {
  if (Setting* setting = find(name)) {
    setting->value = std::move(value);
    setting->source = source;
    setting->origin = std::move(origin);
    return {};
  }
  const auto nearest = std::min_element(settings_.begin(), settings_.end(), [&](const auto& a, const auto& b) {
    return edit_distance(a.name, name) < edit_distance(b.name, name);
  });
  return fail(Code::kNotFound, origin + ": there is no setting '" + std::string(name) + "'; did you mean '" +
                                   nearest->name + "'? `millrace config` lists all");
}

Result<void> Config::load_file(const std::string& path) {
  TRY(const std::string text, object::read_file_text(path));
  return load_text(text, path);
}

Result<void> Config::load_text(const std::string& text, const std::string& origin) {
  Flattener flat;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsNull() && !root.IsMap()) return fail(Code::kInvalid, origin + ": must hold 'name: value' lines");
    if (auto added = flat.add(root, ""); !added) return fail(std::move(added).error().with(origin));
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalid, origin + ": " + error.what());
  }
  for (auto& [name, value] : flat.values) TRY_VOID(set(name, value, Source::kFile, origin));
  return {};
}

Result<void> Config::load_environment(const std::vector<std::string>& environment) {
  for (const auto& entry : environment) {
    const auto equals = entry.find('=');
    if (!entry.starts_with("MILLRACE_") || equals == std::string::npos) continue;
    const std::string variable = entry.substr(0, equals);
    const auto setting = std::find_if(settings_.begin(), settings_.end(),
                                      [&](const auto& s) { return variable_name(s.name) == variable; });
    if (setting == settings_.end()) {
      return fail(Code::kNotFound,
                  "the environment sets " + variable + ", which is no setting; `millrace config` lists all");
    }
    TRY_VOID(set(setting->name, entry.substr(equals + 1), Source::kEnvironment, variable));
  }
  return {};
}

const std::string& Config::get(std::string_view name) const {
  const Setting* setting = const_cast<Config*>(this)->find(name);
  CHECK(setting != nullptr);
  return setting->value;
}

Result<bool> Config::get_bool(std::string_view name) const {
  const Setting& setting = *const_cast<Config*>(this)->find(name);
  if (setting.value == "true" || setting.value == "false") return setting.value == "true";
  return fail(Code::kInvalid, described(setting) + " must be true or false");
}

Result<std::int64_t> Config::get_int(std::string_view name, std::int64_t lowest, std::int64_t highest) const {
  const Setting& setting = *const_cast<Config*>(this)->find(name);
  std::int64_t value = 0;
  const char* end = setting.value.data() + setting.value.size();
  const auto [at, error] = std::from_chars(setting.value.data(), end, value);
  if (error != std::errc() || at != end || value < lowest || value > highest) {
    return fail(Code::kInvalid, described(setting) + " must be a number from " + std::to_string(lowest) + " to " +
                                    std::to_string(highest));
  }
  return value;
}

std::vector<std::string> Config::get_list(std::string_view name) const {
  std::vector<std::string> items;
  std::string_view text = get(name);
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return items;
}

std::string Config::cache_directory() const {
  const std::string& directory = get("cache.dir");
  const std::string& bucket = get("bucket");
  if (!directory.empty() || bucket == "mem:") return directory;
  const bool remote = bucket.starts_with("s3://");
  std::string path = bucket.starts_with("file://") ? bucket.substr(7) : remote ? bucket.substr(5) : bucket;
  path = path.substr(0, path.find('?'));
  if (remote) std::replace(path.begin(), path.end(), '/', '-');
  return path + "-cache";
}

Result<broker::BrokerConfig> Config::broker_config() const {
  broker::BrokerConfig config;
  config.log_place = place_of_bucket(get("bucket"));
  for (const auto& key : broker::broker_config_keys()) {
    const Setting& setting = *const_cast<Config*>(this)->find(key.name);
    if (setting.source == Source::kDefault) continue;
    if (auto done = broker::set_config(config, key.name, setting.value); !done) {
      return fail(std::move(done).error().with(setting.origin));
    }
  }
  return config;
}

}  // namespace millrace::app
