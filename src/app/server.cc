#include "app/server.h"

#include <fmt/format.h>

#include <set>

#include "app/cdc_role.h"
#include "app/log_stack.h"
#include "app/sql_role.h"
#include "app/status.h"
#include "app/text_file.h"
#include "base/log.h"
#include "console/console.h"
#include "object/file_text.h"

namespace millrace::app {

struct Server::Impl final : console::StatusSource, console::SqlPort {
  Impl(EventLoop& loop_in, Config config_in)
      : loop(loop_in),
        config(std::move(config_in)),
        random(make_system_random()),
        log(loop, *random, metrics),
        background(loop.executor()) {}

  EventLoop& loop;
  Config config;
  std::unique_ptr<Random> random;
  Metrics metrics;
  SteadyTime started_at = loop.clock().now();

  LogStack log;
  std::unique_ptr<client::Connector> remote_log;  // without the broker role
  std::unique_ptr<SqlRoleThread> sql;
  std::unique_ptr<CdcRole> cdc;
  std::unique_ptr<console::Console> console;
  TaskScope background;

  std::set<std::string> roles;
  std::map<std::string, std::string> addresses;
  std::vector<PageView> views;
  std::vector<cdc::ConnectorConfig> connectors;
  bool ready = false;
  std::string not_ready_reason = "starting";
  Event failed;
  std::string failure;
  bool may_rejoin = false;

  Task<Result<void>> start();
  Task<Result<void>> start_log();
  Task<Result<void>> start_sql();
  Task<Result<void>> start_cdc();
  Result<void> read_roles();
  Result<void> read_connectors();
  Result<LogAccess> log_access();
  Task<void> learn_why_fenced();
  Task<void> watch_the_log();
  Task<void> stop();

  bool runs(const char* role) const { return roles.contains(role); }

  console::Readiness readiness() override { return {ready, not_ready_reason}; }
  Task<std::string> status_json() override;
  Task<Result<std::string>> run_json(std::string text) override;
};

Result<void> Server::Impl::read_roles() {
  for (const auto& role : config.get_list("roles")) {
    if (role != "broker" && role != "cdc" && role != "sql") {
      return fail(Code::kInvalid, "there is no role '" + role + "'; roles are broker, cdc and sql");
    }
    roles.insert(role);
  }
  if (roles.empty()) return fail(Code::kInvalid, "no role to run; roles are broker, cdc and sql");
  if (!runs("broker") && config.get("kafka.bootstrap").empty()) {
    return fail(Code::kInvalid, "without the broker role, --kafka-bootstrap must name the Kafka to use");
  }
  if (!runs("cdc") && !config.get_list("connectors").empty()) {
    return fail(Code::kInvalid, "--connector needs the cdc role");
  }
  return {};
}

// Before anything is started or written: a wrong file must change nothing.
Result<void> Server::Impl::read_connectors() {
  for (const auto& file : config.get_list("connectors")) {
    TRY(const auto json, object::read_file_text(file));
    auto parsed = cdc::parse_connector_config(json);
    if (!parsed) return fail(std::move(parsed).error().with(file));
    for (const auto& other : connectors) {
      if (other.slot_name == parsed->slot_name && other.hostname == parsed->hostname && other.port == parsed->port) {
        return fail(Code::kExists, file + ": slot.name '" + parsed->slot_name + "' is used by connector '" +
                                       other.name + "' already; one slot has one reader");
      }
    }
    connectors.push_back(std::move(*parsed));
  }
  return {};
}

Task<Result<void>> Server::Impl::start_log() {
  CO_TRY_VOID(co_await log.start(config));
  addresses["kafka"] = log.broker().bound().to_string();
  background.spawn(watch_the_log());
  co_return Result<void>();
}

Result<LogAccess> Server::Impl::log_access() {
  if (runs("broker")) {
    const auto& bound = log.broker().bound();
    return LogAccess{&log.connector(), bound.host, bound.port};
  }
  TRY(const auto address, net::Address::parse(config.get("kafka.bootstrap")));
  return LogAccess{nullptr, address.host, address.port};
}

// A lost slot may be seen before the Fence that is the reason.
Task<void> Server::Impl::learn_why_fenced() {
  const SteadyTime deadline = loop.clock().now() + 2s;
  auto& cluster = log.cluster();
  while (!cluster.fenced() && loop.clock().now() < deadline) {
    co_await cluster.changed().wait_until(loop.clock(), deadline);
  }
  may_rejoin = cluster.fenced_for_silence();
}

// A fenced incarnation may not write again: the process ends and its successor recovers.
Task<void> Server::Impl::watch_the_log() {
  while (!background.stopping().is_set()) {
    if (log.engine().fenced().is_set()) {
      co_await learn_why_fenced();
      failure = "the log of this broker was fenced: " + log.engine().status().fenced_reason +
                "; nothing acknowledged is lost, start again to recover";
      LOG_ERROR("log.fenced");
      failed.set();
      co_return;
    }
    co_await background.stopping().wait_until(loop.clock(), loop.clock().now() + 200ms);
  }
}

Task<Result<void>> Server::Impl::start() {
  CO_TRY_VOID(read_roles());
  CO_TRY_VOID(read_connectors());
  CO_TRY(const auto http_at, net::Address::parse(config.get("http.listen")));
  CO_TRY(auto http, net::listen(loop.executor(), http_at));
  addresses["http"] = http->bound().to_string();
  console = std::make_unique<console::Console>(loop.executor(), loop.clock(), metrics, std::move(http), *this, this);
  console->start();  // health and the reason for waiting, from the first moment
  if (runs("broker")) {
    not_ready_reason = "the log is recovering";
    CO_TRY_VOID(co_await start_log());
  }
  CO_TRY(const auto access, log_access());
  if (runs("cdc")) {
    cdc = std::make_unique<CdcRole>(metrics, access, random->next());
    for (auto& connector : connectors) cdc->add(std::move(connector));
  }
  if (runs("sql")) {
    not_ready_reason = "the SQL engine is starting";
    sql = std::make_unique<SqlRoleThread>(metrics, access, cdc ? cdc->topic_prefixes() : std::vector<std::string>(),
                                          cdc.get());
    CO_TRY_VOID(co_await sql->start(config));
    addresses["mysql"] = sql->bound().to_string();
  }
  if (runs("cdc")) {
    not_ready_reason = "capture is starting";
    co_await cdc->start();
  }
  ready = true;
  not_ready_reason.clear();
  LOG_INFO("server.ready",
           {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(loop.clock().now() - started_at).count()},
           {"kafka", addresses["kafka"]}, {"mysql", addresses["mysql"]}, {"http", addresses["http"]});
  co_return Result<void>();
}

Task<void> Server::Impl::stop() {
  ready = false;
  not_ready_reason = "stopping";
  if (cdc) co_await cdc->stop();
  if (sql) co_await sql->stop();
  co_await background.stop();
  if (runs("broker")) co_await log.stop();
  if (console) co_await console->stop();
}

Task<std::string> Server::Impl::status_json() {
  ProcessStatus status;
  status.ready = ready;
  status.reason = not_ready_reason;
  status.uptime_ms = std::chrono::duration_cast<std::chrono::milliseconds>(loop.clock().now() - started_at).count();
  status.addresses = addresses;
  if (ready && runs("broker")) {
    status.log = log.engine().status();
    status.broker = log.broker().status();
  }
  if (cdc) status.cdc = cdc->status();
  if (sql) status.sql = sql->status();
  status.views = views;
  co_return to_json(status);
}

Task<Result<std::string>> Server::Impl::run_json(std::string text) {
  if (!sql) co_return fail(Code::kUnsupported, "this process has no sql role");
  co_return co_await sql->run_json(std::move(text));
}

Server::Server(EventLoop& loop, Config config) : impl_(std::make_unique<Impl>(loop, std::move(config))) {}
Server::~Server() = default;

Task<Result<void>> Server::start() { return impl_->start(); }
Task<void> Server::stop() { return impl_->stop(); }
Event& Server::failed() { return impl_->failed; }
const std::string& Server::failure() const { return impl_->failure; }
bool Server::may_rejoin() const { return impl_->may_rejoin; }
const std::map<std::string, std::string>& Server::addresses() const { return impl_->addresses; }

Result<void> Server::write_ready_file(const std::string& path) const {
  std::string json = "{";
  for (const auto& [name, address] : impl_->addresses) {
    json += fmt::format("{}\"{}\": \"{}\"", json.size() > 1 ? ", " : "", name, address);
  }
  return replace_text_file(path, json + "}\n");
}

Task<Result<std::string>> Server::run_sql(std::string sql) { return impl_->run_json(std::move(sql)); }

Task<CaptureProgress> Server::capture_progress() {
  CaptureProgress progress;
  progress.snapshot_done = impl_->cdc != nullptr;
  if (impl_->cdc) {
    for (const auto& connector : impl_->cdc->status()) {
      progress.snapshot_done &= connector.state == cdc::State::kStreaming;
      if (connector.state == cdc::State::kFailed) progress.error = connector.error;
    }
  }
  if (impl_->sql) {
    for (const auto& load : impl_->sql->status().loads) {
      ++progress.tables;
      progress.rows_applied += load.rows_applied;
      progress.lag_records += static_cast<std::uint64_t>(load.lag);
      if (load.state == sql::LoadState::kPaused) progress.error = load.job + ": " + load.reason;
    }
  }
  co_return progress;
}

void Server::set_page_views(std::vector<PageView> views) { impl_->views = std::move(views); }

}  // namespace millrace::app
