// What handlers work with: the ports below the broker, its configuration, and the small stores that the
// handlers share. One Services per Broker, on its thread; it outlives every request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "broker/config.h"
#include "broker/fetch_sessions.h"
#include "broker/metrics.h"
#include "broker/reply_memory.h"
#include "broker/topics.h"
#include "cluster/api.h"
#include "coord/coordinator.h"
#include "storage/api.h"

namespace millrace::broker {

// Requests that wait for data: all are woken, and none waits again, once the broker stops.
class LongPolls {
 public:
  class Entry {
   public:
    Entry(LongPolls& polls, Event& event) : polls_(polls), event_(event) { polls_.events_.insert(&event_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { polls_.events_.erase(&event_); }

   private:
    LongPolls& polls_;
    Event& event_;
  };
  bool ended() const { return ended_; }
  void end() {
    ended_ = true;
    for (Event* event : events_) event->pulse();
  }

 private:
  std::unordered_set<Event*> events_;
  bool ended_ = false;
};

struct Services {
  Executor executor;
  Clock& clock;
  Random& random;
  cluster::Cluster& cluster;
  storage::Engine& engine;
  const BrokerConfig& config;
  BrokerMetrics& metrics;
  Topics& topics;
  FetchSessions& fetch_sessions;
  coord::Coordinator& coordinator;
  LongPolls& long_polls;
  ReplyMemory& reply_memory;
};

// Who asks, and in which version.
struct Caller {
  std::int16_t version = 0;
  std::string client_id;
  std::string host;  // "/127.0.0.1", as group descriptions show it
};

}  // namespace millrace::broker
