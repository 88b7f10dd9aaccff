#include "sim/node.h"

namespace millrace::sim {

Task<Result<std::string>> Bridge::put_if_absent(std::string key, SliceChain body) {
  auto job = [this, key, body] { return bucket_.put_if_absent(key, body); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<std::string>> Bridge::put_if_match(std::string key, SliceChain body, std::string etag) {
  auto job = [this, key, body, etag] { return bucket_.put_if_match(key, body, etag); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<object::Object>> Bridge::get(std::string key) {
  auto job = [this, key] { return bucket_.get(key); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<Slice>> Bridge::get_range(std::string key, object::ByteRange range) {
  auto job = [this, key, range] { return bucket_.get_range(key, range); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<std::optional<object::Object>>> Bridge::get_if_changed(std::string key, std::string etag) {
  auto job = [this, key, etag] { return bucket_.get_if_changed(key, etag); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<void>> Bridge::remove(std::vector<std::string> keys) {
  auto job = [this, keys] { return bucket_.remove(keys); };
  co_return co_await run_on(world_.main().executor(), job);
}
Task<Result<std::vector<object::Listed>>> Bridge::list(std::string prefix, std::string after, std::size_t limit) {
  auto job = [this, prefix, after, limit] { return bucket_.list(prefix, after, limit); };
  co_return co_await run_on(world_.main().executor(), job);
}

Node::Node(World& world, object::Store& bucket, storage::EngineOptions engine_options)
    : place(world.new_place()),
      bridge(world, bucket),
      options(engine_options),
      random(make_seeded_random(world.random().next())) {}

void Node::start() { spawn_on(place->executor(), boot(*this)); }

Task<void> Node::boot(Node& node) {
  cluster::ClusterOptions cluster_options;
  cluster_options.snapshot_after_entries = 20;
  auto opened = co_await cluster::open_cluster(node.place->executor(), node.place->clock, *node.random, node.bridge,
                                               node.metrics, cluster_options);
  if (!opened) {
    node.error = opened.error();
    node.over = true;
    co_return;
  }
  node.cluster = std::move(*opened);
  auto engine = co_await storage::open_engine(node.place->executor(), node.place->clock, *node.random, node.bridge,
                                              *node.cluster, node.metrics, node.options);
  if (!engine) {
    node.error = engine.error();
    node.over = true;
    co_return;
  }
  node.engine = std::move(*engine);
  node.open = true;
  co_await node.engine->fenced().wait();
  node.open = false;
  node.over = true;
}

}  // namespace millrace::sim
