// Broker: accepts connections, sweeps idle ones, opens doors, and stops all that in order.
#include <algorithm>
#include <chrono>
#include <set>

#include "base/log.h"
#include "broker/api.h"
#include "broker/connection.h"
#include "broker/dispatch.h"
#include "broker/services.h"

namespace millrace::broker {
namespace {

constexpr std::size_t kKeptBufferBytes = 256 << 20;
constexpr Duration kSweepInterval = 1s;
constexpr Duration kDrainTimeout = 1500ms;
constexpr int kLagSweeps = 5;

coord::CoordinatorOptions coordinator_options(const BrokerConfig& config) {
  using std::chrono::milliseconds;
  coord::CoordinatorOptions options;
  options.group.min_session_timeout = milliseconds(config.group_min_session_timeout_ms);
  options.group.max_session_timeout = milliseconds(config.group_max_session_timeout_ms);
  options.group.initial_rebalance_delay = milliseconds(config.group_initial_rebalance_delay_ms);
  options.group.max_size = static_cast<std::size_t>(config.group_max_size);
  options.offsets_topic_partitions = config.offsets_topic_num_partitions;
  options.offsets_retention_ms = std::int64_t{config.offsets_retention_minutes} * 60'000;
  options.offsets_retention_check = milliseconds(config.offsets_retention_check_interval_ms);
  options.offset_metadata_bytes_max = static_cast<std::size_t>(config.offset_metadata_max_bytes);
  return options;
}

}  // namespace

struct Broker::Impl {
  Impl(Executor executor, Clock& clock_in, Random& random, Metrics& metrics_in,
       std::unique_ptr<net::Listener> listener_in, cluster::Cluster& cluster, storage::Engine& engine,
       BrokerConfig config_in)
      : config(config_in),
        clock(clock_in),
        listener(std::move(listener_in)),
        metrics(metrics_in),
        topics(cluster, engine, config),
        fetch_sessions(random, static_cast<std::size_t>(config.fetch_session_slots)),
        coordinator(executor, clock, random, cluster, engine, metrics_in, coordinator_options(config)),
        buffers(kKeptBufferBytes),
        reply_memory(static_cast<std::size_t>(config.queued_max_response_bytes)),
        admission(static_cast<std::size_t>(config.queued_max_request_bytes), metrics),
        services{executor, clock,  random,         cluster,     engine,     config,
                 metrics,  topics, fetch_sessions, coordinator, long_polls, reply_memory},
        scope(executor) {}

  Task<void> accept_loop();
  Task<void> serve(std::shared_ptr<Connection> connection);
  Task<void> sweep_loop();
  void export_lags();
  GroupStatus group_status(const coord::GroupSummary& summary) const;

  BrokerConfig config;
  Clock& clock;
  std::unique_ptr<net::Listener> listener;
  BrokerMetrics metrics;
  Topics topics;
  FetchSessions fetch_sessions;
  LongPolls long_polls;
  coord::Coordinator coordinator;
  BufferPool buffers;
  ReplyMemory reply_memory;
  Admission admission;
  Services services;
  TaskScope scope;
  std::set<std::shared_ptr<Connection>> connections;
  std::set<std::string> groups_with_lag;
  Event connection_gone;
  Event stopping;
  bool started = false, stopped = false;
};

Task<void> Broker::Impl::accept_loop() {
  while (true) {
    auto stream = co_await listener->accept();
    if (!stream) {
      if (stream.error().code() == Code::kCancelled) co_return;
      LOG_WARN("broker.accept_failed", {"error", stream.error().to_string()});
      continue;
    }
    if (connections.size() >= static_cast<std::size_t>(config.max_connections)) {
      metrics.on_close(BrokerMetrics::CloseReason::kTooMany);
      (*stream)->close();
      continue;
    }
    auto connection = std::make_shared<Connection>(services, scope, admission, buffers, std::move(*stream));
    connections.insert(connection);
    metrics.on_connection(true, connections.size());
    scope.spawn(serve(std::move(connection)));
  }
}

Task<void> Broker::Impl::serve(std::shared_ptr<Connection> connection) {
  co_await connection->serve();
  connections.erase(connection);
  metrics.on_connection(false, connections.size());
  connection_gone.pulse();
}

Task<void> Broker::Impl::sweep_loop() {
  int sweeps = 0;
  while (true) {
    const SteadyTime next = clock.now() + kSweepInterval;
    const bool ended = co_await stopping.wait_until(clock, next);
    if (ended) co_return;
    const SteadyTime longest_ago = clock.now() - std::chrono::milliseconds(config.connections_max_idle_ms);
    for (const auto& connection : connections) {
      if (connection->idle_since() >= longest_ago) continue;
      // One that waits for our answer is not idle; one that does not take our answers is.
      if (!connection->idle() && !connection->stuck()) continue;
      metrics.on_close(BrokerMetrics::CloseReason::kIdle);
      connection->abort();
    }
    metrics.on_in_flight(admission.bytes(), admission.requests(), reply_memory.bytes());
    if (++sweeps % kLagSweeps == 0) export_lags();
  }
}

GroupStatus Broker::Impl::group_status(const coord::GroupSummary& summary) const {
  GroupStatus group{summary.id, summary.state, summary.members, 0, {}};
  for (const auto& [key, committed] : summary.offsets) {
    GroupOffsetStatus offset{key.topic, key.partition, committed, -1};
    const auto* topic = topics.find(key.topic);
    const auto led = topics.led_partition(topic, key.partition);
    if (led) {
      offset.lag = std::max<std::int64_t>((*led)->high_watermark() - committed, 0);
      group.lag += offset.lag;
    }
    group.offsets.push_back(std::move(offset));
  }
  return group;
}

void Broker::Impl::export_lags() {
  std::set<std::string> seen;
  for (const auto& summary : coordinator.summaries()) {
    if (summary.offsets.empty()) continue;
    metrics.set_group_lag(summary.id, group_status(summary).lag);
    seen.insert(summary.id);
  }
  for (const auto& gone : groups_with_lag) {
    if (!seen.contains(gone)) metrics.drop_group_lag(gone);
  }
  groups_with_lag = std::move(seen);
}

Broker::Broker(Executor executor, Clock& clock, Random& random, Metrics& metrics,
               std::unique_ptr<net::Listener> listener, cluster::Cluster& cluster, storage::Engine& engine,
               BrokerConfig config)
    : impl_(std::make_unique<Impl>(executor, clock, random, metrics, std::move(listener), cluster, engine, config)) {}

Broker::~Broker() { CHECK(!impl_->started || impl_->stopped); }

Task<Result<void>> Broker::start() {
  CHECK(!impl_->started);
  impl_->started = true;
  impl_->coordinator.start();
  impl_->scope.spawn(impl_->accept_loop());
  impl_->scope.spawn(impl_->sweep_loop());
  LOG_INFO("broker.listening", {"address", impl_->listener->bound().to_string()});
  co_return Result<void>();
}

Task<void> Broker::stop() {
  if (!impl_->started || impl_->stopped) co_return;
  impl_->stopped = true;
  impl_->listener->close();
  impl_->stopping.set();
  impl_->long_polls.end();
  for (const auto& connection : impl_->connections) connection->drain();
  const SteadyTime deadline = impl_->clock.now() + kDrainTimeout;
  // Members of groups wait for each other; they are told now that another coordinator must be found.
  co_await impl_->coordinator.stop();
  bool in_time = true;
  while (in_time && !impl_->connections.empty()) {
    in_time = co_await impl_->connection_gone.wait_until(impl_->clock, deadline);
  }
  for (const auto& connection : impl_->connections) connection->abort();
  co_await impl_->scope.stop();
}

namespace {

class ServicesDoor final : public Door {
 public:
  ServicesDoor(Services& services, std::string client_host)
      : services_(services), client_host_(std::move(client_host)) {}

  Task<Result<Slice>> call(SliceChain frame) override {
    // A copy of our own: appended batches are patched in place, and the caller may send the same bytes again.
    Slice mine = Slice::uninitialized(frame.size());
    char* out = mine.mutable_data();
    for (const auto& piece : frame.pieces()) {
      std::memcpy(out, piece.data(), piece.size());
      out += piece.size();
    }
    Reply reply = co_await answer(services_, std::move(mine), client_host_);
    if (!reply) co_return fail(Code::kInvalid, reply.error().message());
    if (!*reply) co_return Slice();
    co_return (*reply)->flatten();
  }

 private:
  Services& services_;
  std::string client_host_;
};

}  // namespace

std::unique_ptr<Door> Broker::open_door(std::string client_host) {
  return std::make_unique<ServicesDoor>(impl_->services, std::move(client_host));
}

const net::Address& Broker::bound() const { return impl_->listener->bound(); }

BrokerStatus Broker::status() const {
  BrokerStatus status;
  const auto& cluster = impl_->services.cluster;
  for (const auto& [name, id] : cluster.state().topic_ids()) {
    const auto* topic = cluster.state().topic(id);
    TopicStatus& out = status.topics.emplace_back();
    out.name = name;
    out.id = id.to_string();
    out.internal = is_internal_topic(name);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      PartitionStatus& partition = out.partitions.emplace_back();
      partition.partition = static_cast<std::int32_t>(i);
      if (const auto leader = impl_->topics.leader_of(*topic, partition.partition)) {
        partition.leader_broker = leader->broker;
        partition.leader_epoch = leader->epoch;
      }
      const auto led = impl_->topics.led_partition(topic, partition.partition);
      if (!led) continue;
      partition.log_start_offset = (*led)->log_start_offset();
      partition.high_watermark = (*led)->high_watermark();
      partition.size_bytes = (*led)->size_bytes();
    }
  }
  for (const auto& summary : impl_->coordinator.summaries()) status.groups.push_back(impl_->group_status(summary));
  for (std::size_t row = 0; row < kApiCount; ++row) {
    const auto& api = impl_->metrics.apis()[row];
    if (api.requests == 0) continue;
    status.apis.push_back({std::string(kafka::kApis[row].name), api.requests, api.errors, api.seconds});
  }
  status.connections = impl_->connections.size();
  status.requests_in_flight = impl_->admission.requests();
  status.request_bytes_in_flight = impl_->admission.bytes();
  status.bytes_in = impl_->metrics.bytes_in();
  status.bytes_out = impl_->metrics.bytes_out();
  return status;
}

}  // namespace millrace::broker
