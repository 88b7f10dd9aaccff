// One process of a broker: production cluster and storage code in a Place of its own, with a bucket and with peers that
// it reaches through the world. Once the Place is killed nothing of it runs again.
#pragma once

#include <memory>

#include "cluster/api.h"
#include "disk/sim_disk.h"
#include "disk/wal_store.h"
#include "object/store.h"
#include "sim/network.h"
#include "sim/world.h"
#include "storage/api.h"

namespace millrace::sim {

// A process' way to the bucket. Each call runs in the world, so a PUT outlives the process that sent it. While the link
// there is cut nothing arrives; while the link back is cut everything does, and no answer comes.
class Bridge final : public object::Store {
 public:
  Bridge(World& world, Network& network, Machine self, object::Store& bucket)
      : world_(world), network_(network), self_(self), bucket_(bucket) {}
  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override;
  Task<Result<object::Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override;
  Task<Result<std::optional<object::Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<object::Listed>>> list(std::string prefix, std::string after, std::size_t limit) override;

 private:
  template <class T, class F>
  Task<Result<T>> across(std::string key, F job);
  template <class T, class F>
  Task<Result<T>> cross(std::string key, F job);

  World& world_;
  Network& network_;
  Machine self_;
  object::Store& bucket_;
};

struct NodeOptions {
  Machine machine = 1;
  std::int32_t broker_id = 1;
  std::uint16_t port = 9092;
  bool with_peers = true;
  bool listens_early = false;  // answers peers before its log is open
  cluster::ClusterOptions cluster;
  storage::EngineOptions engine;
  disk::SimVolume* volume = nullptr;  // of its WAL; none: the bucket
  bool takes_volume = false;          // although another host holds it
  disk::Sabotage disk_sabotage = disk::Sabotage::kNone;
};

struct Node {
  Node(World& world, Network& network, object::Store& bucket, NodeOptions options);
  // Opens cluster and engine; `open` or `over` tells how it went, `error` why.
  void start();
  // Leaves in good order, as after SIGTERM: partitions move, everything becomes durable; then it is `over`.
  void leave(Duration patience);
  // Asks its cluster to commit something.
  void commit(std::vector<cluster::Record> records);
  bool dead() const { return place->clock.dead; }
  bool paused() const;
  // Its disk died under it, with the host.
  bool without_power() const { return volume_session != 0 && !options.volume->holds(volume_session); }
  // Its process is gone, and with it its lock on the volume; or its host lost power.
  void let_go_of_volume(bool power_lost);
  bool listens() const { return !dead() && cluster && (open || over || options.listens_early); }

  NodeOptions options;
  Machine machine;
  std::string host;
  std::uint16_t port;
  std::shared_ptr<Place> place;
  SimPeers peers;
  std::unique_ptr<Random> random;
  Metrics metrics;
  std::uint64_t volume_session = 0;  // 0: holds none
  std::unique_ptr<disk::WalStore> store;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<storage::Engine> engine;
  bool open = false;
  bool leaving = false;
  bool over = false;  // could not open, or was fenced: needs a successor
  std::optional<Error> error;

 private:
  static Task<void> boot(Node& node);
  Task<Result<void>> open_log();
  Result<std::unique_ptr<disk::WalDisk>> take_volume();
  static Task<void> go(Node& node, Duration patience);
  static Task<void> ask(Node& node, std::vector<cluster::Record> records);
  void fail_to_open(Error why);

  World& world_;
  Network& network_;
  object::Store& bucket_;
};

}  // namespace millrace::sim
