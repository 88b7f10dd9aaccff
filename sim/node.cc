#include "sim/node.h"

#include <fmt/format.h>

namespace millrace::sim {
namespace {

constexpr Duration kBucketTimeout = 1s;
constexpr Duration kHandOverWithin = 1s;

}  // namespace

// In the world's place.
template <class T, class F>
Task<Result<T>> Bridge::cross(std::string key, F job) {
  const bool unheard = network_.deaf(self_) && key.starts_with("meta/");
  if (unheard || !network_.passes(self_, kBucket)) {
    const bool connected = world_.chance(50);
    co_await sleep_for(world_.main().clock, kBucketTimeout);
    co_return fail(connected ? Code::kTimeout : Code::kUnavailable, "the bucket cannot be reached");
  }
  Result<T> answer = co_await job();
  if (!network_.passes(kBucket, self_)) {
    co_await sleep_for(world_.main().clock, kBucketTimeout);
    co_return fail(Code::kTimeout, "no answer of the bucket arrives");
  }
  co_return answer;
}

template <class T, class F>
Task<Result<T>> Bridge::across(std::string key, F job) {
  auto there = [this, key, job] { return cross<T>(key, job); };
  co_return co_await run_on(world_.main().executor(), there);
}

Task<Result<std::string>> Bridge::put_if_absent(std::string key, SliceChain body) {
  auto job = [this, key, body] { return bucket_.put_if_absent(key, body); };
  co_return co_await across<std::string>(key, job);
}
Task<Result<std::string>> Bridge::put_if_match(std::string key, SliceChain body, std::string etag) {
  auto job = [this, key, body, etag] { return bucket_.put_if_match(key, body, etag); };
  co_return co_await across<std::string>(key, job);
}
Task<Result<object::Object>> Bridge::get(std::string key) {
  auto job = [this, key] { return bucket_.get(key); };
  co_return co_await across<object::Object>(key, job);
}
Task<Result<Slice>> Bridge::get_range(std::string key, object::ByteRange range) {
  auto job = [this, key, range] { return bucket_.get_range(key, range); };
  co_return co_await across<Slice>(key, job);
}
Task<Result<std::optional<object::Object>>> Bridge::get_if_changed(std::string key, std::string etag) {
  auto job = [this, key, etag] { return bucket_.get_if_changed(key, etag); };
  co_return co_await across<std::optional<object::Object>>(key, job);
}
Task<Result<void>> Bridge::remove(std::vector<std::string> keys) {
  auto job = [this, keys] { return bucket_.remove(keys); };
  const std::string key = keys.empty() ? "" : keys.front();
  co_return co_await across<void>(key, job);
}
Task<Result<std::vector<object::Listed>>> Bridge::list(std::string prefix, std::string after, std::size_t limit) {
  auto job = [this, prefix, after, limit] { return bucket_.list(prefix, after, limit); };
  co_return co_await across<std::vector<object::Listed>>(prefix, job);
}

Node::Node(World& world, Network& network, object::Store& bucket, NodeOptions node_options)
    : options(std::move(node_options)),
      machine(options.machine),
      host(fmt::format("broker-{}", options.broker_id)),
      port(options.port),
      place(world.new_place()),
      peers(world, network, place->clock, machine),
      random(make_seeded_random(world.random().next())),
      world_(world),
      network_(network),
      bucket_(bucket) {
  options.cluster.broker_id = options.broker_id;
  options.cluster.advertised_host = host;
  options.cluster.advertised_port = port;
}

void Node::start() { spawn_on(place->executor(), boot(*this)); }

void Node::leave(Duration patience) {
  if (!open || std::exchange(leaving, true)) return;
  spawn_on(place->executor(), go(*this, patience));
}

Task<void> Node::go(Node& node, Duration patience) {
  const SteadyTime drained = node.place->clock.now() + patience;
  co_await node.cluster->drain(drained);
  const SteadyTime told = node.place->clock.now() + kHandOverWithin;
  co_await node.engine->handed_over(told);
  co_await node.engine->stop();
  const SteadyTime left = node.place->clock.now() + patience;
  co_await node.cluster->leave(left);
  co_await node.cluster->stop();
  node.open = false;
  node.over = true;
}

void Node::commit(std::vector<cluster::Record> records) {
  if (cluster) spawn_on(place->executor(), ask(*this, std::move(records)));
}

Task<void> Node::ask(Node& node, std::vector<cluster::Record> records) {
  const auto done = co_await node.cluster->commit(std::move(records));
  (void)done;  // whoever asked looks at the state
}

void Node::fail_to_open(Error why) {
  error = std::move(why);
  over = true;
}

bool Node::paused() const { return place->clock.paused_until > world_.now(); }

void Node::let_go_of_volume(bool power_lost) {
  if (volume_session == 0) return;
  options.volume->detach(std::exchange(volume_session, 0), power_lost);
}

Result<std::unique_ptr<disk::WalDisk>> Node::take_volume() {
  std::unique_ptr<disk::WalDisk> disk;
  if (!options.volume) return disk;
  const std::string where = fmt::format("host-{}:/wal", machine);
  if (options.takes_volume) {
    disk = options.volume->attach_elsewhere(place->clock, where);
  } else {
    TRY(disk, options.volume->attach(place->clock, where));
  }
  volume_session = options.volume->session();
  return disk;
}

// As the program does it (app/log_stack.cc).
Task<Result<void>> Node::open_log() {
  const auto executor = place->executor();
  CO_TRY(auto disk, take_volume());
  auto bridge = std::make_unique<Bridge>(world_, network_, machine, bucket_);
  disk::WalStoreOptions wal;
  wal.segment_bytes = 64 << 10;
  wal.spares_max = 2;
  wal.sabotage = options.disk_sabotage;
  wal.still_held = [this] { return cluster->hold_wal(); };
  CO_TRY(store, co_await disk::open_wal_store(executor, place->clock, *random, metrics, std::move(bridge),
                                              std::move(disk), std::move(wal)));
  options.cluster.wal_kind = options.volume ? cluster::WalKind::kDisk : cluster::WalKind::kBucket;
  options.cluster.wal_ended_here = [this](cluster::WalId id) { return store->ended_here(id); };
  CO_TRY(cluster, co_await cluster::open_cluster(executor, place->clock, *random, *store, metrics, options.cluster,
                                                 options.with_peers ? &peers : nullptr));
  CO_TRY(engine,
         co_await storage::open_engine(executor, place->clock, *random, *store, *cluster, metrics, options.engine));
  co_return Result<void>();
}

Task<void> Node::boot(Node& node) {
  const Result<void> opened = co_await node.open_log();
  if (!opened) {
    node.fail_to_open(opened.error());
    co_return;
  }
  node.open = true;
  co_await node.engine->fenced().wait();
  node.open = false;
  node.over = true;
}

}  // namespace millrace::sim
