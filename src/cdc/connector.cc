#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/event_loop.h"
#include "base/log.h"
#include "cdc/api.h"
#include "cdc/client_log.h"
#include "cdc/worker.h"

namespace millrace::cdc {
namespace {

std::string make_run_id(std::uint64_t seed) {
  const auto random = make_seeded_random(seed);
  const std::uint64_t a = random->next(), b = random->next();
  return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", static_cast<std::uint32_t>(a >> 32), a >> 16 & 0xffff,
                     a & 0xfff, 0x8000 | (b >> 48 & 0x3fff), b & 0xffffffffffff);
}

Task<void> run_worker(Worker& worker, Executor back, Promise<bool> done) {
  worker.run();
  boost::asio::post(back, [done] { done.set(true); });
  co_return;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::kStarting: return "starting";
    case State::kSnapshot: return "snapshot";
    case State::kStreaming: return "streaming";
    case State::kRetrying: return "retrying";
    case State::kFailed: return "failed";
    case State::kStopped: return "stopped";
  }
  return "unknown";
}

bool Report::good() const {
  return std::all_of(findings.begin(), findings.end(), [](const auto& finding) { return finding.good; });
}

struct Connector::Impl {
  Impl(ConnectorConfig config_in, Environment environment_in)
      : config(std::move(config_in)),
        environment(std::move(environment_in)),
        metrics(environment.metrics, config.name) {
    shared.update([&](Status& status) {
      status.name = config.name;
      status.database = config.dbname;
      status.topic_prefix = config.topic_prefix;
      status.slot = config.slot_name;
    });
  }

  std::unique_ptr<LogPort> make_log() {
    ClientLogOptions options;
    options.prefix = config.topic_prefix;
    options.slot = config.slot_name;
    options.positions_topic = environment.positions_topic;
    options.stopping = &shared.stopping;
    return make_on_executor(std::move(options));
  }
  // The client belongs to its executor: it is made and dropped there.
  std::unique_ptr<LogPort> make_on_executor(ClientLogOptions options);
  void drop_log(std::unique_ptr<LogPort> log);

  ConnectorConfig config;
  Environment environment;
  CdcMetrics metrics;
  Shared shared;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<LoopThread> thread;
  Promise<bool> done;
  bool started = false;
};

namespace {

struct Made {
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<LogPort> log;
  bool dropped = false;
};

Task<void> drop_on_executor(std::unique_ptr<LogPort> log, std::shared_ptr<Made> made) {
  co_await static_cast<ClientLog&>(*log).stop();
  log.reset();
  const std::lock_guard lock(made->mutex);
  made->dropped = true;
  made->changed.notify_all();
}

}  // namespace

std::unique_ptr<LogPort> Connector::Impl::make_on_executor(ClientLogOptions options) {
  auto made = std::make_shared<Made>();
  boost::asio::post(environment.executor, [this, made, options] {
    auto log = std::make_unique<ClientLog>(environment.executor, environment.clock, environment.connector,
                                           environment.log, options, metrics, [this] { shared.wakeup.wake(); });
    const std::lock_guard lock(made->mutex);
    made->log = std::move(log);
    made->changed.notify_all();
  });
  std::unique_lock lock(made->mutex);
  made->changed.wait(lock, [&] { return made->log != nullptr; });
  return std::move(made->log);
}

void Connector::Impl::drop_log(std::unique_ptr<LogPort> log) {
  auto made = std::make_shared<Made>();
  spawn_on(environment.executor, drop_on_executor(std::move(log), made));
  std::unique_lock lock(made->mutex);
  made->changed.wait(lock, [&] { return made->dropped; });
}

Connector::Connector(ConnectorConfig config, Environment environment)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(environment))) {}
Connector::~Connector() { CHECK(!impl_->started || impl_->done.ready()); }

void Connector::start() {
  Impl& impl = *impl_;
  CHECK(!impl.started);
  impl.started = true;
  impl.thread = std::make_unique<LoopThread>("cdc");
  impl.worker = std::make_unique<Worker>(
      impl.config, impl.shared, impl.thread->clock(), impl.metrics, make_run_id(impl.environment.seed),
      [&impl] { return impl.make_log(); }, [&impl](std::unique_ptr<LogPort> log) { impl.drop_log(std::move(log)); });
  spawn_on(impl.thread->executor(), run_worker(*impl.worker, impl.environment.executor, impl.done));
}

Task<void> Connector::stop() {
  Impl& impl = *impl_;
  if (!impl.started) co_return;
  impl.shared.stopping = true;
  impl.shared.wakeup.wake();
  co_await impl.done.wait();
}

Status Connector::status() const {
  const std::lock_guard lock(impl_->shared.mutex);
  return impl_->shared.status;
}

std::optional<TableShape> Connector::describe(std::string_view topic) const {
  const std::lock_guard lock(impl_->shared.mutex);
  const auto found = impl_->shared.shapes.find(topic);
  if (found == impl_->shared.shapes.end()) return std::nullopt;
  return found->second;
}

const ConnectorConfig& Connector::config() const { return impl_->config; }

namespace {

Report examine(const ConnectorConfig& config) {
  Report report;
  const auto good = [&](std::string what, std::string text) {
    report.findings.push_back({std::move(what), true, std::move(text)});
  };
  const auto bad = [&](std::string what, const Error& error) {
    report.findings.push_back({std::move(what), false, error.message()});
  };
  auto sql = PgConnection::connect(config, ConnectionKind::kSql);
  if (!sql) return bad("connection", sql.error()), report;
  const int version = (*sql)->server_version();
  good("connection", fmt::format("Postgres {}.{} at {}:{}, database {}", version / 10000, version % 10000,
                                 config.hostname, config.port, config.dbname));
  if (auto server = check_server(**sql); !server) return bad("server", server.error()), report;
  good("server", "wal_level is logical");
  auto replication = PgConnection::connect(config, ConnectionKind::kReplication);
  if (!replication) {
    bad("replication", replication.error());
  } else {
    good("replication", fmt::format("user {} may replicate", config.user));
  }
  const TableSelector selector(config);
  auto tables = read_tables(**sql, selector);
  auto types = read_types(**sql);
  if (!tables) return bad("tables", tables.error()), report;
  if (!types) return bad("types", types.error()), report;
  if (auto some = check_tables(config, *tables); !some) return bad("tables", some.error()), report;
  good("tables", fmt::format("{} tables", tables->size()));
  for (const auto& info : *tables) {
    const std::string name = info.schema + "." + info.name;
    auto table = EventTable::make(config, *types, info, {});
    if (!table) {
      bad("table " + name, table.error());
    } else if (!(*table)->left_out().empty()) {
      good("table " + name,
           fmt::format("columns of types that are left out of the events: {}", fmt::join((*table)->left_out(), ", ")));
    }
  }
  if (auto readable = check_readable(**sql, config, *tables); !readable) bad("rights", readable.error());
  if (auto command = publication_command(**sql, config, *tables); !command) {
    bad("publication", command.error());
  } else {
    good("publication", command->empty() ? fmt::format("publication {} exists", config.publication_name)
                                         : "this will be run: " + *command);
  }
  auto slot = read_slot(**sql, config.slot_name);
  if (!slot) return bad("slot", slot.error()), report;
  if (!*slot) {
    good("slot", fmt::format("slot {} will be made", config.slot_name));
  } else if (auto usable = check_slot(config, **slot); !usable) {
    bad("slot", usable.error());
  } else {
    good("slot", fmt::format("slot {} stands at {}", config.slot_name, lsn_text((*slot)->confirmed)));
  }
  return report;
}

}  // namespace

Task<Result<Report>> check(ConnectorConfig config) {
  BlockingPool pool(1);
  co_return co_await pool.run([&config] { return examine(config); });
}

}  // namespace millrace::cdc
