// The MySQL front: accepts clients and serves each until it leaves.
//
// Belongs to one thread (`executor`); the engine does blocking work elsewhere. A client that sends
// garbage, a message over its limit, or nothing while it should log in loses its connection only; one
// that goes away has its query cancelled. At most kConnectionsMax at once, then ERR 1040.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"
#include "net/tcp.h"
#include "sql/mysql/client_session.h"
#include "sql/session.h"

namespace millrace::sql::mysql {

class Connection;

constexpr std::size_t kConnectionsMax = 1000;

// millrace_sql_*: what the front counts.
struct FrontMetrics {
  explicit FrontMetrics(Metrics& metrics);
  Gauge& connections;
  Counter& connections_total;
  Counter& refused_total;
  Counter& statements_total;
  Counter& errors_total;
  Counter& rows_total;
  Histogram& statement_seconds;
};

class MySqlServer final : public ConnectionTable {
 public:
  // All references outlive the server.
  MySqlServer(Executor executor, Clock& clock, Random& random, Metrics& metrics,
              std::unique_ptr<net::Listener> listener, QueryEngine& engine);
  ~MySqlServer() override;

  void start();
  // Stops accepting, cancels running statements (ERR 1053), closes every connection and waits.
  Task<void> stop();
  const net::Address& bound() const { return listener_->bound(); }

  std::vector<dialect::Process> processes() const override;
  bool kill(std::uint32_t id, bool query_only) override;

 private:
  Task<void> accept_loop();
  Task<void> serve(std::unique_ptr<net::Stream> stream);

  Executor executor_;
  Clock& clock_;
  Random& random_;
  FrontMetrics metrics_;
  std::unique_ptr<net::Listener> listener_;
  QueryEngine& engine_;
  std::map<std::uint32_t, Connection*> connections_;
  std::uint32_t last_id_ = 0;
  TaskScope tasks_;
  bool started_ = false, stopped_ = false;
};

}  // namespace millrace::sql::mysql
