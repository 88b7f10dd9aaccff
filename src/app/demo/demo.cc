#include "app/demo/demo.h"

#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "app/demo/load.h"
#include "app/demo/postgres.h"
#include "app/demo/salon.h"
#include "app/server.h"
#include "app/text_file.h"
#include "base/event_loop.h"
#include "base/log.h"

namespace millrace::app {
namespace {
namespace fs = std::filesystem;

constexpr const char* kPrefix = "salon";  // topic prefix, and so the SQL database
constexpr const char* kMarker = ".millrace-demo";

constexpr const char* kTables =
    "merchants,locations,employees,services,customers,bookings,booking_items,payments,refunds,reviews";

void tick(const char* what, const std::string& detail) {
  fmt::print("  \xe2\x9c\x93 {:<12} {}\n", what, detail);
  std::fflush(stdout);
}
void doing(const std::string& what) {
  fmt::print("  \xe2\x80\xa6 {}\n", what);
  std::fflush(stdout);
}

std::string connector_json(const PrivatePostgres& postgres) {
  std::string tables;
  std::string_view rest = kTables;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    tables += (tables.empty() ? "public." : ",public.") + std::string(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return fmt::format(R"({{"name": "salon", "config": {{
  "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
  "plugin.name": "pgoutput",
  "database.hostname": "127.0.0.1", "database.port": "{}", "database.user": "postgres", "database.password": "",
  "database.dbname": "salon", "topic.prefix": "{}", "slot.name": "millrace_demo", "publication.name": "millrace_demo",
  "publication.autocreate.mode": "filtered", "table.include.list": "{}",
  "key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false",
  "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"
}}}})",
                     postgres.port(), kPrefix, tables);
}

// "public.x" -> "x", to be found through the search path.
std::string unqualified(std::string sql) {
  for (std::size_t at = 0; (at = sql.find("public.", at)) != std::string::npos;) sql.erase(at, 7);
  return sql;
}

// A directory of an earlier demo is replaced; anything else is left alone.
Result<void> prepare_directory(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_empty(directory, error)) {
    if (!fs::exists(directory + "/" + kMarker, error)) {
      return fail(Code::kExists, "'" + directory + "' is not empty and no earlier demo's; choose another with --dir");
    }
    fs::remove_all(directory, error);
  }
  fs::create_directories(directory, error);
  if (error) return fail(Code::kDenied, "cannot create '" + directory + "': " + error.message());
  return replace_text_file(directory + "/" + kMarker, "made by millrace demo; replaced at its next start\n");
}

// Postgres' user must be able to walk down to its directory, which a home folder may forbid.
std::string postgres_directory(const std::string& directory) {
  if (geteuid() != 0) return directory + "/postgres";
  for (fs::path at = fs::absolute(directory); !at.empty() && at != at.root_path(); at = at.parent_path()) {
    if ((fs::status(at).permissions() & fs::perms::others_exec) == fs::perms::none) {
      return fmt::format("/tmp/millrace-demo-postgres-{}", getpid());
    }
  }
  return directory + "/postgres";
}

Config server_config(const DemoOptions& options) {
  Config config;
  const auto set = [&](const char* name, std::string value) {
    (void)config.set(name, std::move(value), Source::kFlag, "demo");
  };
  set("bucket", "file://" + fs::absolute(options.directory + "/bucket").string());
  set("cache.dir", options.directory + "/cache");
  set("kafka.listen", options.kafka_listen);
  set("mysql.listen", options.mysql_listen);
  set("http.listen", options.http_listen);
  set("object.interval.ms", "10000");
  set("connectors", options.directory + "/salon.json");
  return config;
}

struct Demo {
  const DemoOptions& options;
  EventLoop& loop;
  std::unique_ptr<PrivatePostgres> postgres;
  std::unique_ptr<Server> server;
  std::unique_ptr<LoadGenerator> load;
  Event stop;
  int exit_code = 0;

  // Blocking: nothing serves yet.
  Result<void> start_postgres(const std::string& directory) {
    TRY(postgres, PrivatePostgres::start(directory));
    tick("postgres", fmt::format("port {} (private, in {})", postgres->port(), directory));
    doing(fmt::format("filling ten tables with {} rows", options.rows));
    TRY(auto admin, PgSession::connect(postgres->conninfo()));
    TRY_VOID(admin.run("CREATE DATABASE salon"));
    TRY(auto session, PgSession::connect(postgres->conninfo("salon")));
    TRY_VOID(session.run(std::string(salon_schema_sql())));
    TRY_VOID(session.run("SET synchronous_commit = off"));
    TRY_VOID(session.run(salon_rows_sql(options.rows)));
    TRY(const auto exact,
        session.run(
            "SELECT to_char((SELECT count(*) FROM customers) + (SELECT count(*) FROM bookings) + (SELECT count(*) FROM "
            "booking_items) + (SELECT count(*) FROM payments) + (SELECT count(*) FROM refunds) + (SELECT count(*) FROM "
            "reviews) + (SELECT count(*) FROM merchants) + (SELECT count(*) FROM locations) + (SELECT count(*) FROM "
            "employees) + (SELECT count(*) FROM services), 'FM999,999,999')"));
    tick("salon", exact + " rows in merchants, locations, employees, services, customers, bookings, ...");
    return {};
  }

  Task<Result<void>> start_server() {
    CO_TRY_VOID(replace_text_file(options.directory + "/salon.json", connector_json(*postgres)));
    server = std::make_unique<Server>(loop, server_config(options));
    CO_TRY_VOID(co_await server->start());
    const auto& at = server->addresses();
    tick("bucket", "file://" + options.directory + "/bucket");
    tick("log", "Kafka protocol on " + at.at("kafka"));
    tick("sql", "MySQL protocol on " + at.at("mysql") + " (user root, no password, this machine only)");
    co_return Result<void>();
  }

  // Until every captured table has all that Postgres had, or the stop.
  Task<Result<void>> wait_for_snapshot() {
    doing("capturing the snapshot");
    const auto started = loop.clock().now();
    std::string shown;
    while (!stop.is_set()) {
      const auto progress = co_await server->capture_progress();
      if (!progress.error.empty()) co_return fail(Code::kUnavailable, "capture: " + progress.error);
      if (progress.snapshot_done && progress.tables >= 10 && progress.lag_records == 0) {
        tick("captured", fmt::format("{} rows in {} tables after {:.1f} s", progress.rows_applied, progress.tables,
                                     std::chrono::duration<double>(loop.clock().now() - started).count()));
        co_return Result<void>();
      }
      co_await stop.wait_until(loop.clock(), loop.clock().now() + 200ms);
    }
    co_return fail(Code::kCancelled, "stopped");
  }

  Task<Result<void>> create_views() {
    for (const auto& view : salon_views(kPrefix)) {
      auto made =
          co_await server->run_sql(fmt::format("CREATE OR REPLACE VIEW {}.{} AS {}", kPrefix, view.name, view.select));
      if (!made) co_return fail(std::move(made).error().with("view " + view.name));
    }
    server->set_page_views(salon_page_views(kPrefix));
    for (const auto& view : salon_page_views(kPrefix)) {
      auto rows = co_await server->run_sql(view.sql);
      if (!rows) co_return fail(std::move(rows).error().with("view " + view.name));
    }
    tick("views", "revenue_by_day, upcoming_bookings, staff_ranking, payment_log");
    co_return Result<void>();
  }

  void say_what_to_try() const {
    const auto& at = server->addresses();
    const std::string& mysql = at.at("mysql");
    const std::string port = mysql.substr(mysql.rfind(':') + 1);
    fmt::print(
        "\n  Watch:  http://{}/\n\n  Try:    mariadb -h127.0.0.1 -P{} -uroot {} -e 'SELECT * FROM revenue_by_day ORDER "
        "BY day DESC LIMIT 5'\n"
        "          psql -h 127.0.0.1 -p {} -U postgres salon -c \"UPDATE customers SET name = 'You' WHERE id = 1\"\n"
        "          kcat -b {} -t {}.public.bookings -o end -C\n\n"
        "  Data is kept in {} until the next demo. Stop: Ctrl-C.\n\n",
        at.at("http"), port, kPrefix, postgres->port(), at.at("kafka"), kPrefix, options.directory);
    std::fflush(stdout);
  }

  Task<Result<void>> go_live() {
    CO_TRY_VOID(co_await start_server());
    CO_TRY_VOID(co_await wait_for_snapshot());
    CO_TRY_VOID(co_await create_views());
    if (options.rate > 0) {
      load = std::make_unique<LoadGenerator>(postgres->conninfo("salon"), options.rate);
      load->start();
      tick("load", fmt::format("{} transactions/s: inserts, updates, deletes", options.rate));
    }
    if (!options.ready_file.empty()) CO_TRY_VOID(server->write_ready_file(options.ready_file));
    co_return Result<void>();
  }

  Task<void> run() {
    loop.on_stop_signal([this] {
      stop.set();
      loop.on_stop_signal([] { std::_Exit(130); });
    });
    auto live = co_await go_live();
    if (live) {
      say_what_to_try();
      while (!stop.is_set() && !server->failed().is_set())
        co_await stop.wait_until(loop.clock(), loop.clock().now() + 200ms);
      if (server->failed().is_set()) live = fail(Code::kInternal, server->failure());
    }
    if (!live && live.error().code() != Code::kCancelled) {
      std::fprintf(stderr, "millrace demo: %s\n", live.error().message().c_str());
      exit_code = 1;
    }
    const auto stopping = loop.clock().now();
    if (load) load->stop();
    if (server) co_await server->stop();
    postgres->stop();
    fmt::print("  stopped in {:.1f} s\n", std::chrono::duration<double>(loop.clock().now() - stopping).count());
  }
};

}  // namespace

void add_demo_flags(CLI::App& app, DemoOptions& options) {
  app.add_option("--dir", options.directory, "where everything of the demo lives")->capture_default_str();
  app.add_option("--rows", options.rows, "rows to begin with, in all ten tables")
      ->capture_default_str()
      ->check(CLI::Range(10'000L, 100'000'000L));
  app.add_option("--rate", options.rate, "transactions per second of the load generator; 0 for none")
      ->capture_default_str()
      ->check(CLI::Range(0, 100'000));
  app.add_option("--kafka-listen", options.kafka_listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  app.add_option("--mysql-listen", options.mysql_listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  app.add_option("--http-listen", options.http_listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  app.add_option("--ready-file", options.ready_file,
                 "written as JSON with the bound addresses once everything is live");
  app.add_flag("--print-views", options.print_views, "print the views' SQL for Postgres and stop");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")->capture_default_str();
}

int run_demo(const DemoOptions& options) {
  if (options.print_views) {
    fmt::print("CREATE SCHEMA {};\n", kPrefix);
    for (const auto& view : salon_views("public")) {
      // The tables are Postgres' own; the layers below are in the new schema.
      fmt::print("SET search_path = {}, public; CREATE VIEW {}.{} AS {};\n", kPrefix, kPrefix, view.name,
                 unqualified(view.select));
    }
    return 0;
  }
  static const std::map<std::string, LogLevel> levels{
      {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo}, {"warn", LogLevel::kWarn}, {"error", LogLevel::kError}};
  const auto level = levels.find(options.log_level);
  if (level == levels.end()) {
    std::fprintf(stderr, "millrace demo: --log-level must be debug, info, warn or error\n");
    return 2;
  }
  configure_logging(LogFormat::kText, level->second);
  fmt::print("millrace demo: Postgres -> log in a bucket -> SQL, all on this machine\n\n");
  EventLoop loop;
  Demo demo{options, loop, nullptr, nullptr, nullptr, {}, 0};
  auto prepared = prepare_directory(options.directory);
  const std::string postgres_home = postgres_directory(options.directory);
  if (prepared) prepared = demo.start_postgres(postgres_home);
  if (!prepared) {
    std::fprintf(stderr, "millrace demo: %s\n", prepared.error().message().c_str());
    return 1;
  }
  loop.run_until_done(demo.run());
  std::error_code ignored;
  if (postgres_home.starts_with("/tmp/")) fs::remove_all(postgres_home, ignored);
  return demo.exit_code;
}

}  // namespace millrace::app
