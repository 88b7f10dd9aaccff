#include "cdc/config.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <regex>

#include "cdc/debezium_options.h"

namespace millrace::cdc {
namespace {

using Options = std::map<std::string, std::string>;

Error invalid(const std::string& text) { return Error(Code::kInvalid, "connector file: " + text); }

Result<std::string> option_text(std::string_view name, simdjson::dom::element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::STRING: return std::string(std::string_view(value));
    case simdjson::dom::element_type::BOOL: return bool(value) ? "true" : "false";
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64: return std::string(simdjson::minify(value));
    default: return fail(invalid(fmt::format("the value of \"{}\" must be text, a number or true/false", name)));
  }
}

Result<Options> read_options(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const simdjson::padded_string padded(json);
  if (const auto error = parser.parse(padded).get(root)) {
    return fail(invalid(fmt::format("no JSON: {}", simdjson::error_message(error))));
  }
  simdjson::dom::object object;
  if (root.get(object)) return fail(invalid("expected an object: {\"name\": .., \"config\": {..}}"));
  Options options;
  std::string outer_name;
  simdjson::dom::object config;
  if (!object["config"].get(config)) {
    for (const auto field : object) {
      if (field.key == "config") continue;
      if (field.key != "name") return fail(invalid(fmt::format("unknown field \"{}\" beside \"config\"", field.key)));
      TRY(outer_name, option_text(field.key, field.value));
    }
    object = config;
  }
  for (const auto field : object) {
    TRY(auto text, option_text(field.key, field.value));
    if (!options.emplace(std::string(field.key), std::move(text)).second) {
      return fail(invalid(fmt::format("option \"{}\" is given twice", field.key)));
    }
  }
  if (!outer_name.empty()) options["name"] = outer_name;
  return options;
}

// Takes options out one by one; what is left at the end is refused.
class Reader {
 public:
  explicit Reader(Options options) : options_(std::move(options)) {}

  std::string take(const std::string& name, std::string initial = "") {
    const auto found = options_.find(name);
    if (found == options_.end()) return initial;
    std::string value = std::move(found->second);
    options_.erase(found);
    return value;
  }
  Result<std::string> required(const std::string& name) {
    auto value = take(name);
    if (value.empty()) return fail(invalid(fmt::format("option \"{}\" is missing", name)));
    return value;
  }
  Result<bool> flag(const std::string& name, bool initial) {
    const auto value = take(name, initial ? "true" : "false");
    if (value == "true" || value == "false") return value == "true";
    return fail(invalid(fmt::format("\"{}\": expected true or false, found \"{}\"", name, value)));
  }
  // One of `known`, by its index; a value that Debezium has and we do not is kUnsupported.
  Result<int> choice(const std::string& name, const std::string& initial, const std::vector<std::string>& known,
                     const std::vector<std::string>& later = {}) {
    const auto value = take(name, initial);
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i] == value) return static_cast<int>(i);
    }
    if (std::find(later.begin(), later.end(), value) != later.end()) {
      return fail(Code::kUnsupported, fmt::format("connector file: \"{}\": \"{}\" is not supported yet; use {}", name,
                                                  value, fmt::join(known, " or ")));
    }
    return fail(invalid(fmt::format("\"{}\": \"{}\" is none of {}", name, value, fmt::join(known, ", "))));
  }
  Result<void> refuse_the_rest() const {
    for (const auto& [name, value] : options_) {
      if (is_debezium_option(name)) {
        return fail(Code::kUnsupported,
                    fmt::format("connector file: option \"{}\" is not supported yet; remove it", name));
      }
      return fail(invalid(fmt::format("unknown option \"{}\"", name)));
    }
    return {};
  }

 private:
  Options options_;
};

Result<NameFilter> take_filter(Reader& in, const std::string& kind) {
  NameFilter filter{in.take(kind + ".include.list"), in.take(kind + ".exclude.list")};
  if (!filter.include.empty() && !filter.exclude.empty()) {
    return fail(
        invalid(fmt::format("\"{0}.include.list\" and \"{0}.exclude.list\" exclude each other: remove one", kind)));
  }
  try {
    const std::regex check(filter.include + filter.exclude, std::regex::icase);
  } catch (const std::regex_error&) {
    return fail(invalid(fmt::format("\"{}.include.list\" or exclude.list is no valid regular expression", kind)));
  }
  return filter;
}

Result<bool> take_converter(Reader& in, const std::string& side) {
  constexpr std::string_view kJson = "org.apache.kafka.connect.json.JsonConverter";
  const auto name = in.take(side + ".converter", std::string(kJson));
  if (name != kJson) {
    return fail(Code::kUnsupported,
                fmt::format("connector file: \"{}.converter\": {} is not supported yet; use {}", side, name, kJson));
  }
  return in.flag(side + ".converter.schemas.enable", true);
}

bool valid_slot_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}
bool valid_topic_prefix(std::string_view name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

Result<void> read_names(Reader& in, ConnectorConfig& config) {
  TRY(config.hostname, in.required("database.hostname"));
  const auto port = in.take("database.port", "5432");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), config.port);
  if (error != std::errc() || end != port.data() + port.size() || config.port == 0) {
    return fail(invalid(fmt::format("\"database.port\": \"{}\" is no port", port)));
  }
  TRY(config.user, in.required("database.user"));
  config.password = in.take("database.password");
  TRY(config.dbname, in.required("database.dbname"));
  for (const std::string name : {"sslmode", "sslcert", "sslkey", "sslrootcert", "sslpassword"}) {
    if (auto value = in.take("database." + name); !value.empty()) config.ssl.emplace_back(name, std::move(value));
  }
  TRY(config.topic_prefix, in.required("topic.prefix"));
  if (!valid_topic_prefix(config.topic_prefix)) {
    return fail(invalid(
        fmt::format("\"topic.prefix\": \"{}\" may hold letters, digits, '.', '_' and '-' only", config.topic_prefix)));
  }
  config.slot_name = in.take("slot.name", config.slot_name);
  if (!valid_slot_name(config.slot_name)) {
    return fail(
        invalid(fmt::format("\"slot.name\": \"{}\" may hold a-z, 0-9 and '_' only, up to 63", config.slot_name)));
  }
  config.publication_name = in.take("publication.name", config.publication_name);
  if (config.publication_name.size() > 63) return fail(invalid("\"publication.name\" is longer than 63 bytes"));
  return {};
}

}  // namespace

Result<ConnectorConfig> parse_connector_config(std::string_view json) {
  TRY(auto options, read_options(json));
  Reader in(std::move(options));
  ConnectorConfig config;
  constexpr std::string_view kClass = "io.debezium.connector.postgresql.PostgresConnector";
  const auto name_of_class = in.take("connector.class", std::string(kClass));
  if (name_of_class != kClass && name_of_class != "PostgresConnector" && name_of_class != "Postgres") {
    return fail(Code::kUnsupported, fmt::format("connector file: \"connector.class\": {} is not supported; only {} is",
                                                name_of_class, kClass));
  }
  TRY_VOID(read_names(in, config));
  config.name = in.take("name", config.topic_prefix);
  TRY([[maybe_unused]] const int plugin,
      in.choice("plugin.name", "pgoutput", {"pgoutput"}, {"decoderbufs", "wal2json"}));
  TRY([[maybe_unused]] const int tasks, in.choice("tasks.max", "1", {"1"}));
  TRY(const int autocreate,
      in.choice("publication.autocreate.mode", "all_tables", {"all_tables", "filtered", "disabled", "no_tables"}));
  config.autocreate = static_cast<AutocreateMode>(autocreate);
  TRY(const int snapshot, in.choice("snapshot.mode", "initial", {"initial", "no_data", "never"},
                                    {"always", "initial_only", "when_needed", "configuration_based", "custom"}));
  config.snapshot_mode = snapshot == 0 ? SnapshotMode::kInitial : SnapshotMode::kNoData;
  TRY(const int decimals, in.choice("decimal.handling.mode", "precise", {"precise", "double", "string"}));
  config.decimal_mode = decimals == 0   ? DecimalMode::kPrecise
                        : decimals == 1 ? DecimalMode::kDouble
                                        : DecimalMode::kString;
  TRY([[maybe_unused]] const int times,
      in.choice("time.precision.mode", "adaptive", {"adaptive"},
                {"adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds", "structured"}));
  TRY(config.tombstones, in.flag("tombstones.on.delete", true));
  TRY(config.schemas, take_filter(in, "schema"));
  TRY(config.tables, take_filter(in, "table"));
  TRY(config.key_schemas, take_converter(in, "key"));
  TRY(config.value_schemas, take_converter(in, "value"));
  TRY_VOID(in.refuse_the_rest());
  return config;
}

}  // namespace millrace::cdc
