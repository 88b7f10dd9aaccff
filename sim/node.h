// One incarnation of the node under test: production cluster and storage code in a Place of its own, with a bucket
// that it reaches through the world. Once the Place is killed nothing of it runs again.
#pragma once

#include <memory>

#include "cluster/api.h"
#include "object/store.h"
#include "sim/world.h"
#include "storage/api.h"

namespace millrace::sim {

// A node's way to the bucket. Each call runs in the world, so a PUT outlives the node that sent it.
class Bridge final : public object::Store {
 public:
  Bridge(World& world, object::Store& bucket) : world_(world), bucket_(bucket) {}
  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override;
  Task<Result<object::Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override;
  Task<Result<std::optional<object::Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<object::Listed>>> list(std::string prefix, std::string after, std::size_t limit) override;

 private:
  World& world_;
  object::Store& bucket_;
};

struct Node {
  Node(World& world, object::Store& bucket, storage::EngineOptions engine_options);
  // Opens cluster and engine; `open` or `over` tells how it went, `error` why.
  void start();
  bool dead() const { return place->clock.dead; }

  std::shared_ptr<Place> place;
  Bridge bridge;
  storage::EngineOptions options;
  std::unique_ptr<Random> random;
  Metrics metrics;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<storage::Engine> engine;
  bool open = false;
  bool over = false;  // could not open, or was fenced: needs a successor
  std::optional<Error> error;

 private:
  static Task<void> boot(Node& node);
};

}  // namespace millrace::sim
