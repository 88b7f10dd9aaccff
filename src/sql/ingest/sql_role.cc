#include <mutex>

#include "sql/api.h"
#include "sql/engine/sessions.h"
#include "sql/ingest/keeper.h"

namespace millrace::sql {

std::string_view to_string(LoadState state) {
  switch (state) {
    case LoadState::kNeedSchedule: return "NEED_SCHEDULE";
    case LoadState::kRunning: return "RUNNING";
    case LoadState::kPaused: return "PAUSED";
    case LoadState::kStopped: return "STOPPED";
  }
  return "UNKNOWN";
}

struct SqlRole::Impl {
  Impl(SqlEnvironment environment, SqlOptions options)
      : clock(environment.clock),
        logs(environment.executor, environment.clock, environment.connector, environment.log),
        keeper(environment.executor, environment.clock, environment.random, environment.metrics, logs,
               environment.descriptions, options),
        sessions([this] { return keeper.store().connect(); }, keeper, options.threads, environment.metrics),
        scope(environment.executor) {}

  // Loads live on the executor; what other threads may see of them is a copy, made twice a second.
  Task<void> publish() {
    while (!scope.stopping().is_set()) {
      snapshot();
      const auto next = clock.now() + 500ms;
      (void)co_await scope.stopping().wait_until(clock, next);
    }
  }
  void snapshot() {
    SqlStatus now;
    keeper.fill(now);
    const std::lock_guard lock(mutex);
    status = std::move(now);
  }

  Clock& clock;
  ingest::ClientLogOpener logs;
  ingest::Keeper keeper;
  engine::Sessions sessions;
  TaskScope scope;
  mutable std::mutex mutex;
  SqlStatus status;
};

SqlRole::SqlRole(SqlEnvironment environment, SqlOptions options)
    : impl_(std::make_unique<Impl>(std::move(environment), std::move(options))) {}
SqlRole::~SqlRole() = default;

Task<Result<void>> SqlRole::start() {
  auto started = co_await impl_->keeper.start();
  if (!started) co_return fail(std::move(started).error().with("starting the sql role"));
  impl_->scope.spawn(impl_->publish());
  co_return Result<void>();
}

Task<void> SqlRole::stop() {
  co_await impl_->scope.stop();
  co_await impl_->keeper.stop();
}

QueryEngine& SqlRole::engine() { return impl_->sessions; }

SqlStatus SqlRole::status() const {
  SqlStatus status;
  {
    const std::lock_guard lock(impl_->mutex);
    status = impl_->status;
  }
  status.queries = impl_->sessions.counts().total;
  status.queries_running = impl_->sessions.counts().running;
  status.queries_waiting = impl_->sessions.counts().waiting;
  return status;
}

}  // namespace millrace::sql
