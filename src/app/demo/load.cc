#include "app/demo/load.h"

#include "app/demo/postgres.h"
#include "app/demo/salon.h"
#include "base/event_loop.h"
#include "base/log.h"

namespace millrace::app {

struct LoadGenerator::Impl {
  std::string conninfo;
  int rate;
  std::atomic<bool> stopping{false};
  std::unique_ptr<LoopThread> thread;

  // libpq blocks: this loop thread serves nothing else.
  Task<void> run() {
    auto session = PgSession::connect(conninfo);
    if (!session) {
      LOG_ERROR("demo.load_stopped", {"error", session.error().message()});
      co_return;
    }
    Clock& clock = thread->clock();
    const Duration step = Duration(1s) / rate;
    auto due = clock.now();
    while (!stopping) {
      auto done = session->run(std::string(kSalonTickSql));
      if (!done) LOG_WARN("demo.transaction_failed", {"error", done.error().message()});
      due = std::max(due + step, clock.now() - 1s);
      if (due > clock.now()) co_await sleep_until(clock, due);
    }
  }
};

LoadGenerator::LoadGenerator(std::string conninfo, int rate_per_second)
    : impl_(new Impl{std::move(conninfo), rate_per_second}) {}
LoadGenerator::~LoadGenerator() { stop(); }

void LoadGenerator::start() {
  impl_->thread = std::make_unique<LoopThread>("demo-load");
  spawn_on(impl_->thread->executor(), impl_->run());
}

void LoadGenerator::stop() {
  impl_->stopping = true;
  impl_->thread.reset();
}

}  // namespace millrace::app
