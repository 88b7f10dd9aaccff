#include "sql/mysql/server.h"

#include <utility>

#include "base/log.h"
#include "sql/mysql/connection.h"

namespace millrace::sql::mysql {

FrontMetrics::FrontMetrics(Metrics& metrics)
    : connections(metrics.gauge("millrace_sql_connections", "MySQL connections open now")),
      connections_total(metrics.counter("millrace_sql_connections_total", "MySQL connections accepted")),
      refused_total(metrics.counter("millrace_sql_connections_refused_total",
                                    "MySQL connections refused: too many, or a login that failed")),
      statements_total(metrics.counter("millrace_sql_statements_total", "MySQL statements run")),
      errors_total(metrics.counter("millrace_sql_errors_total", "MySQL statements answered with an error")),
      rows_total(metrics.counter("millrace_sql_rows_total", "rows sent to MySQL clients")),
      statement_seconds(metrics.histogram("millrace_sql_statement_seconds",
                                          "time from a MySQL statement's arrival to its last row sent",
                                          Metrics::latency_bounds())) {}

MySqlServer::MySqlServer(Executor executor, Clock& clock, Random& random, Metrics& metrics,
                         std::unique_ptr<net::Listener> listener, QueryEngine& engine)
    : executor_(executor),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      listener_(std::move(listener)),
      engine_(engine),
      tasks_(executor) {}

MySqlServer::~MySqlServer() { CHECK(!started_ || stopped_); }

void MySqlServer::start() {
  CHECK(!std::exchange(started_, true));
  LOG_INFO("sql.mysql_listening", {"address", listener_->bound().to_string()});
  tasks_.spawn(accept_loop());
}

Task<void> MySqlServer::stop() {
  tasks_.request_stop();
  listener_->close();
  for (auto& [id, connection] : connections_) connection->kill(Connection::Why::kShutdown);
  co_await tasks_.stop();
  stopped_ = true;
}

Task<void> MySqlServer::accept_loop() {
  while (true) {
    auto stream = co_await listener_->accept();
    if (!stream) break;
    if (tasks_.stopping().is_set()) break;
    tasks_.spawn(serve(std::move(*stream)));
  }
}

Task<void> MySqlServer::serve(std::unique_ptr<net::Stream> stream) {
  metrics_.connections_total.Increment();
  // Ids of connections that live are skipped when the counter comes round.
  do ++last_id_;
  while (last_id_ == 0 || connections_.contains(last_id_));
  const std::uint32_t id = last_id_;
  Connection connection({.id = id,
                         .executor = executor_,
                         .clock = clock_,
                         .engine = engine_,
                         .connections = *this,
                         .metrics = metrics_,
                         .nonce = make_nonce(random_)},
                        std::move(stream));
  if (connections_.size() >= kConnectionsMax) {
    metrics_.refused_total.Increment();
    co_await connection.refuse(1040, "Too many connections");
    co_return;
  }
  connections_.emplace(id, &connection);
  metrics_.connections.Increment();
  co_await connection.run();
  metrics_.connections.Decrement();
  connections_.erase(id);
}

std::vector<dialect::Process> MySqlServer::processes() const {
  std::vector<dialect::Process> out;
  for (const auto& [id, connection] : connections_) out.push_back(connection->process());
  return out;
}

bool MySqlServer::kill(std::uint32_t id, bool query_only) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return false;
  found->second->kill(query_only ? Connection::Why::kKillQuery : Connection::Why::kKill);
  return true;
}

}  // namespace millrace::sql::mysql
