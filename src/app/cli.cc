#include "app/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "app/bucket_probe.h"
#include "app/cdc_check.h"
#include "app/cluster_commands.h"
#include "app/completion.h"
#include "app/config.h"
#include "app/demo/demo.h"
#include "app/server.h"
#include "app/version.h"
#include "base/event_loop.h"
#include "base/log.h"

namespace millrace::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Flags that set a setting of config.h each; --set reaches the others.
struct FlagSetting {
  const char* flag;
  const char* setting;
  const char* help;
};
constexpr FlagSetting kFlagSettings[] = {
    {"--bucket", "bucket", "file://DIR[?sync=on|off], s3://BUCKET/PREFIX[?region=..&endpoint=..] or mem:"},
    {"--wal", "wal.place", "bucket, or disk:PATH for a WAL on a local disk or a volume that one host mounts at a time"},
    {"--roles", "roles", "comma-separated: broker, cdc, sql"},
    {"--node-id", "node.id", "this broker's id"},
    {"--cache-dir", "cache.dir", "local files that can be rebuilt from the bucket"},
    {"--kafka-listen", "kafka.listen", "HOST:PORT; port 0 picks a free one"},
    {"--mysql-listen", "mysql.listen", "HOST:PORT; port 0 picks a free one"},
    {"--http-listen", "http.listen", "HOST:PORT; port 0 picks a free one"},
    {"--kafka-bootstrap", "kafka.bootstrap", "HOST:PORT of the Kafka to use without the broker role"},
    {"--log-format", "log.format", "text or json"},
    {"--log-level", "log.level", "debug, info, warn or error"},
};

struct ConfigFlags {
  std::string file;
  std::map<std::string, std::string> values;  // by flag
  std::vector<std::string> sets;
  std::vector<std::string> connectors;

  void add_to(CLI::App& app) {
    app.add_option("--config", file, "YAML file of settings (see `millrace config`)")->type_name("FILE");
    for (const auto& flag : kFlagSettings) app.add_option(flag.flag, values[flag.flag], flag.help);
    app.add_option("--connector", connectors, "Debezium connector JSON for the cdc role; repeatable")
        ->type_name("FILE");
    app.add_option("--set", sets, "NAME=VALUE of any setting; repeatable")->type_name("NAME=VALUE");
  }

  Result<Config> resolve(char** environment) const {
    Config config;
    if (!file.empty()) TRY_VOID(config.load_file(file));
    std::vector<std::string> variables;
    for (char** entry = environment; *entry; ++entry) variables.emplace_back(*entry);
    TRY_VOID(config.load_environment(variables));
    for (const auto& flag : kFlagSettings) {
      const auto value = values.find(flag.flag);
      if (value != values.end() && !value->second.empty()) {
        TRY_VOID(config.set(flag.setting, value->second, Source::kFlag, flag.flag));
      }
    }
    if (!connectors.empty()) {
      TRY_VOID(config.set("connectors", fmt::format("{}", fmt::join(connectors, ",")), Source::kFlag, "--connector"));
    }
    for (const auto& assignment : sets) {
      const auto equals = assignment.find('=');
      if (equals == std::string::npos) return fail(Code::kInvalid, "--set wants NAME=VALUE, not '" + assignment + "'");
      TRY_VOID(config.set(assignment.substr(0, equals), assignment.substr(equals + 1), Source::kFlag, "--set"));
    }
    return config;
  }
};

int report(const Error& error) {
  std::fprintf(stderr, "millrace: %s\n", error.message().c_str());
  return error.code() == Code::kInvalid || error.code() == Code::kNotFound ? kUsage : kFailed;
}

Result<void> set_up_logging(const Config& config) {
  const std::string& format = config.get("log.format");
  const std::string& level = config.get("log.level");
  static const std::map<std::string, LogLevel> levels{
      {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo}, {"warn", LogLevel::kWarn}, {"error", LogLevel::kError}};
  if (format != "text" && format != "json")
    return fail(Code::kInvalid, "log.format must be text or json, not '" + format + "'");
  if (!levels.contains(level))
    return fail(Code::kInvalid, "log.level must be debug, info, warn or error, not '" + level + "'");
  configure_logging(format == "json" ? LogFormat::kJson : LogFormat::kText, levels.at(level));
  return {};
}

// How a Server ended.
struct Ended {
  bool asked = false;  // by a signal
  bool failed = false;
  bool may_rejoin = false;
};

// Runs until a stop signal or a failure.
Task<void> serve(EventLoop& loop, Server& server, std::string ready_file, Ended& ended) {
  Event finished;
  bool& asked = ended.asked;
  loop.on_stop_signal([&] {
    asked = true;
    LOG_INFO("server.stopping");
    finished.set();
    // The second signal does not wait.
    loop.on_stop_signal([] { std::_Exit(130); });
  });
  auto started = co_await server.start();
  if (started && !ready_file.empty()) started = server.write_ready_file(ready_file);
  if (!started) {
    std::fprintf(stderr, "millrace: %s\n", started.error().message().c_str());
    ended.failed = true;
    ended.may_rejoin = started.error().retriable();
  } else {
    while (!finished.is_set() && !server.failed().is_set()) {
      const auto deadline = loop.clock().now() + 1s;
      co_await finished.wait_until(loop.clock(), deadline);
    }
    if (!asked) {
      std::fprintf(stderr, "millrace: %s\n", server.failure().c_str());
      ended.failed = true;
      ended.may_rejoin = server.may_rejoin();
    }
  }
  co_await server.stop();
  LOG_INFO("server.stopped");
}

int start(const ConfigFlags& flags, const std::string& ready_file, char** environment) {
  auto config = flags.resolve(environment);
  if (!config) return report(config.error());
  if (auto logging = set_up_logging(*config); !logging) return report(logging.error());
  EventLoop loop;
  // A broker that was paused or cut off comes back as a new incarnation, and goes on trying: what it was part of lives.
  for (bool rejoins = false;; rejoins = true) {
    Server server(loop, *config);
    Ended ended;
    loop.run_until_done(serve(loop, server, ready_file, ended));
    if (!ended.failed) return 0;
    const bool again = ended.may_rejoin && !ended.asked && (rejoins || server.may_rejoin());
    if (!again) return kFailed;
    LOG_WARN("server.rejoining");
    // On the ports that clients know, also when the first start was given any free one.
    for (const auto& [name, address] : server.addresses()) {
      if (auto kept = config->set(name + ".listen", address, Source::kFlag, "rejoin"); !kept)
        return report(kept.error());
    }
    loop.on_stop_signal([] { std::_Exit(0); });  // nothing runs
    loop.run_until_done(sleep_for(loop.clock(), 1s));
  }
}

int show_config(const ConfigFlags& flags, const std::string& format, char** environment) {
  auto config = flags.resolve(environment);
  if (!config) return report(config.error());
  if (format == "yaml") {
    for (const auto& setting : config->settings()) {
      fmt::print("# {} Default: {}\n{}: \"{}\"\n", setting.documentation, setting.default_value, setting.name,
                 setting.value);
    }
    return 0;
  }
  for (const auto& setting : config->settings()) {
    fmt::print("{:<36} {:<28} {:<12} {}\n", setting.name, setting.value.empty() ? "-" : setting.value,
               to_string(setting.source), setting.origin);
  }
  return 0;
}

}  // namespace

int run(int argc, char** argv, char** environment) {
  CLI::App app{"Millrace: a Postgres commit answers a MySQL query through a diskless Kafka-compatible log.",
               "millrace"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(kVersionLine));
  app.footer(
      "Try: millrace demo          everything at once, on this machine\n     millrace start         serve with the "
      "defaults\n     millrace VERB --help   what a verb takes");

  ConfigFlags start_flags, config_flags;
  std::string ready_file, config_format = "text", connector_file, shell, bucket_url;
  int probe_rounds = 10;
  DemoOptions demo_options;

  auto* start_verb = app.add_subcommand("start", "Run the roles of this process until SIGTERM");
  start_flags.add_to(*start_verb);
  start_verb->add_option("--ready-file", ready_file, "written as JSON with the bound addresses once everything serves")
      ->type_name("PATH");

  auto* demo_verb = app.add_subcommand("demo", "A salon-booking Postgres, captured, live in SQL, with a page to watch");
  add_demo_flags(*demo_verb, demo_options);

  auto* config_verb = app.add_subcommand("config", "Every setting, its value and where it came from");
  config_flags.add_to(*config_verb);
  config_verb->add_option("--format", config_format, "text, or yaml (a file to start from)")
      ->check(CLI::IsMember({"text", "yaml"}));

  auto* cdc_verb = app.add_subcommand("cdc", "Change capture")->require_subcommand(1);
  auto* check_verb = cdc_verb->add_subcommand("check", "Try a connector file against its database without starting it");
  check_verb->add_option("FILE", connector_file, "Debezium connector JSON")->required();

  auto* bucket_verb = app.add_subcommand("bucket", "Object stores")->require_subcommand(1);
  auto* probe_verb = bucket_verb->add_subcommand("probe", "Try whether a store keeps what Millrace's safety rests on");
  probe_verb->add_option("URL", bucket_url, "as --bucket takes it")->required();
  probe_verb->add_option("--rounds", probe_rounds, "races of 32 creators of one key; 200 for a thorough probe")
      ->check(CLI::Range(1, 10'000));

  ClusterFlags cluster_flags;
  add_cluster_verbs(app, cluster_flags);
  auto* version_verb = app.add_subcommand("version", "Version and build");
  auto* completion_verb = app.add_subcommand("completion", "Shell completion script on stdout");
  completion_verb->add_option("SHELL", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));

  const auto verbs = app.get_subcommands({});
  const auto is_it = [&](const CLI::App* verb) { return verb->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && std::none_of(verbs.begin(), verbs.end(), is_it)) {
    std::fprintf(stderr, "millrace: there is no verb '%s'; `millrace --help` lists them\n", argv[1]);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsage;
  }
  if (*start_verb) return start(start_flags, ready_file, environment);
  if (*demo_verb) return run_demo(demo_options);
  if (*config_verb) return show_config(config_flags, config_format, environment);
  if (*check_verb) return check_connector(connector_file);
  if (*probe_verb) return probe_bucket(bucket_url, probe_rounds);
  if (is_cluster_verb(cluster_flags)) return run_cluster_verb(cluster_flags);
  if (*completion_verb) {
    fmt::print("{}", completion_script(app, shell));
    return 0;
  }
  if (*version_verb) fmt::print("{}\n", kVersionLine);
  return 0;
}

}  // namespace millrace::app
