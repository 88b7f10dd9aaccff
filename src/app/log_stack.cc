#include "app/log_stack.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "app/bucket_probe.h"

namespace millrace::app {
namespace {

constexpr Duration kLeaveWithin = 2s;
constexpr Duration kHandOverWithin = 1s;
constexpr std::size_t kFileThreads = 8;  // they wait for the disk, not for a core

Duration cpu_used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto time = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return (time(usage.ru_utime) + time(usage.ru_stime)) / std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
}

Result<storage::EngineOptions> engine_options(const Config& config) {
  constexpr std::int64_t kGiB = 1LL << 30;
  storage::EngineOptions options;
  TRY(const auto linger, config.get_int("wal.linger.ms", 0, 10'000));
  TRY(const auto budget, config.get_int("wal.puts.per.second", 1, 1'000'000));
  TRY(const auto cut, config.get_int("wal.cut.interval.ms", 0, 10'000));
  TRY(const auto slot, config.get_int("wal.slot.bytes", 1 << 16, 64 << 20));
  TRY(const auto puts, config.get_int("wal.puts.inflight", 1, 256));
  TRY(const auto tail, config.get_int("wal.tail.bytes", 1 << 20, 1024 * kGiB));
  TRY(const auto unacked, config.get_int("wal.unacked.bytes", 1 << 20, 1024 * kGiB));
  TRY(const auto object, config.get_int("object.bytes", 1 << 20, 4 * kGiB));
  TRY(const auto interval, config.get_int("object.interval.ms", 100, 86'400'000));
  TRY(const auto cache, config.get_int("cache.bytes", 1 << 20, 1024 * kGiB));
  TRY(const auto cold_reads, config.get_int("cache.reads.inflight.bytes", 1 << 20, 1024 * kGiB));
  TRY(const auto fan_in, config.get_int("object.merge.fan.in", 0, 256));
  TRY(const auto backoff, config.get_int("log.cleaner.backoff.ms", 10, 86'400'000));
  TRY(const auto keys, config.get_int("log.cleaner.dedupe.buffer.size", 1 << 10, 64 * kGiB));
  TRY(const bool cleaner, config.get_bool("log.cleaner.enable"));
  options.linger = std::chrono::milliseconds(linger);
  options.cut_interval = std::chrono::milliseconds(cut);
  options.slot_bytes_max = static_cast<std::size_t>(slot);
  options.puts_in_flight_max = static_cast<std::size_t>(puts);
  options.tail_bytes_max = static_cast<std::size_t>(tail);
  options.unacked_bytes_max = static_cast<std::size_t>(unacked);
  options.object_bytes_target = static_cast<std::size_t>(object);
  options.object_interval = std::chrono::milliseconds(interval);
  options.merge_fan_in = static_cast<std::size_t>(fan_in);
  options.rewrite_interval = std::chrono::milliseconds(backoff);
  options.cleaner_enabled = cleaner;
  options.cleaner_map_bytes = static_cast<std::size_t>(keys);
  options.block_cache_bytes = static_cast<std::size_t>(cache);
  options.cold_reads_bytes_max = static_cast<std::size_t>(cold_reads);
  // A directory takes PUTs for nothing: the budget is for stores that charge for each.
  options.idle_puts_per_second_max = charges_for_requests(config.get("bucket")) ? static_cast<double>(budget) : 1e6;
  return options;
}

// The block cache's second level; null when none is wanted.
Result<std::shared_ptr<object::BlockFile>> open_disk_cache(const Config& config, BlockingPool& pool) {
  TRY(const auto bytes, config.get_int("cache.disk.bytes", 0, 1LL << 50));
  if (bytes == 0) return nullptr;
  const std::string directory = config.cache_directory();
  if (directory.empty()) return fail(Code::kInvalid, "cache.disk.bytes needs cache.dir when the bucket is in memory");
  auto opened = object::open_block_file(pool, directory, storage::kCacheBlockBytes, static_cast<std::uint64_t>(bytes));
  if (!opened) return fail(std::move(opened).error().with("cache.disk.bytes"));
  return std::shared_ptr<object::BlockFile>(std::move(*opened));
}

}  // namespace

LogStack::LogStack(EventLoop& loop, Random& random, Metrics& metrics)
    : loop_(loop), random_(random), metrics_(metrics), files_(kFileThreads) {}
LogStack::~LogStack() = default;

Task<Result<void>> LogStack::start(const Config& config) {
  CO_TRY(const auto broker_config, config.broker_config());
  CO_TRY(auto options, engine_options(config));
  CO_TRY(options.disk_cache, open_disk_cache(config, files_));
  CO_TRY(const auto node_id, config.get_int("node.id", 0, 1'000'000));
  CO_TRY(const auto listen_on, net::Address::parse(config.get("kafka.listen")));
  // The port is taken before the bucket is touched: a second process must change nothing.
  CO_TRY(auto listener, net::listen(loop_.executor(), listen_on));

  net::Address advertised = listener->bound();
  if (!config.get("kafka.advertised").empty()) {
    CO_TRY(advertised, net::Address::parse(config.get("kafka.advertised")));
    if (advertised.port == 0) advertised.port = listener->bound().port;
  }
  CO_TRY(auto wal, choose_wal(config, random_));
  const cluster::WalKind wal_kind = wal.kind;
  if (wal_kind == cluster::WalKind::kDisk) tune_for_disk(config, options);
  CO_TRY_VOID(co_await open_store(config, std::move(wal)));

  CO_TRY(const auto session_timeout, config.get_int("broker.session.timeout.ms", 500, 3'600'000));
  CO_TRY(const auto drain_timeout, config.get_int("broker.drain.timeout.ms", 0, 86'400'000));
  drain_timeout_ = std::chrono::milliseconds(drain_timeout);
  CO_TRY(const bool balance, config.get_bool("auto.leader.rebalance.enable"));
  options.unhealthy_after = std::chrono::milliseconds(session_timeout) / 3;
  options.cpu_used = cpu_used;
  peers_ = std::make_unique<PeerLink>(loop_.executor(), loop_.clock());
  cluster::ClusterOptions cluster_options;
  cluster_options.broker_id = static_cast<std::int32_t>(node_id);
  cluster_options.advertised_host = advertised.host;
  cluster_options.advertised_port = advertised.port;
  cluster_options.rack = config.get("broker.rack");
  cluster_options.wal_kind = wal_kind;
  cluster_options.broker_session_timeout = std::chrono::milliseconds(session_timeout);
  cluster_options.wal_ended_here = [this](cluster::WalId id) { return store_->ended_here(id); };
  cluster_options.balance = balance;
  cluster_options.broker_timeout = cluster_options.broker_session_timeout / 2;
  cluster_options.controller_timeout = cluster_options.broker_session_timeout / 3;
  auto cluster = co_await cluster::open_cluster(loop_.executor(), loop_.clock(), random_, *store_, metrics_,
                                                cluster_options, peers_.get());
  if (!cluster) co_return fail(std::move(cluster).error().with("opening the cluster in " + config.get("bucket")));
  cluster_ = std::move(*cluster);

  auto engine =
      co_await storage::open_engine(loop_.executor(), loop_.clock(), random_, *store_, *cluster_, metrics_, options);
  if (!engine) co_return fail(std::move(engine).error().with("recovering the log in " + config.get("bucket")));
  engine_ = std::move(*engine);

  broker_ = std::make_unique<broker::Broker>(loop_.executor(), loop_.clock(), random_, metrics_, std::move(listener),
                                             *cluster_, *engine_, broker_config);
  CO_TRY_VOID(co_await broker_->start());
  connector_ = std::make_unique<InProcessConnector>(loop_.executor(), *broker_);
  co_return Result<void>();
}

Task<Result<void>> LogStack::open_store(const Config& config, WalChoice choice) {
  const std::string& url = config.get("bucket");
  CO_TRY(auto bucket, open_bucket(url, loop_, files_, metrics_));
  if (charges_for_requests(url)) {
    auto probed = co_await probe_at_start(*bucket, loop_, random_);
    if (!probed) co_return fail(std::move(probed).error().with("bucket " + url));
  }
  choice.options.still_held = [this] { return cluster_->hold_wal(); };
  CO_TRY(store_, co_await disk::open_wal_store(loop_.executor(), loop_.clock(), random_, metrics_, std::move(bucket),
                                               std::move(choice.disk), std::move(choice.options)));
  co_return Result<void>();
}

Task<void> LogStack::stop() {
  const SteadyTime give_up = loop_.clock().now() + drain_timeout_;
  // A log that is fenced releases nothing: others take its partitions over once this broker has left.
  const bool drains = engine_ && broker_ && drain_timeout_ > Duration(0) && !engine_->status().fenced;
  if (drains) {
    co_await cluster_->drain(give_up);
    co_await engine_->handed_over(loop_.clock().now() + kHandOverWithin);
  }
  if (connector_) connector_->close();
  if (broker_) co_await broker_->stop();
  if (engine_) co_await engine_->stop();
  if (engine_ && drain_timeout_ > Duration(0)) co_await cluster_->leave(loop_.clock().now() + kLeaveWithin);
  if (cluster_) co_await cluster_->stop();
  if (store_) co_await store_->stop();
}

}  // namespace millrace::app
