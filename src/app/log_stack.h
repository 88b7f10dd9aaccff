// The log of this process, built in order: WAL disk, bucket, cluster metadata, storage engine, broker; and taken
// down in the reverse. One thread: the loop's.
#pragma once

#include <memory>

#include "app/config.h"
#include "app/in_process_connector.h"
#include "app/peer_link.h"
#include "app/wal_choice.h"
#include "base/event_loop.h"
#include "broker/api.h"
#include "cluster/api.h"
#include "disk/wal_store.h"
#include "object/store.h"
#include "storage/api.h"

namespace millrace::app {

class LogStack {
 public:
  LogStack(EventLoop& loop, Random& random, Metrics& metrics);
  ~LogStack();

  // Errors say which step failed, on what, and what to do.
  Task<Result<void>> start(const Config& config);
  // Other brokers get its partitions, everything appended becomes durable, and the cluster is told that it is gone.
  // Safe after a start that failed.
  Task<void> stop();

  broker::Broker& broker() { return *broker_; }
  storage::Engine& engine() { return *engine_; }
  cluster::Cluster& cluster() { return *cluster_; }
  object::Store& store() { return *store_; }
  InProcessConnector& connector() { return *connector_; }

 private:
  Task<Result<void>> open_store(const Config& config, WalChoice choice);

  EventLoop& loop_;
  Random& random_;
  Metrics& metrics_;
  BlockingPool files_;
  Duration drain_timeout_{0};
  std::unique_ptr<disk::WalStore> store_;
  std::unique_ptr<PeerLink> peers_;
  std::unique_ptr<cluster::Cluster> cluster_;
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<InProcessConnector> connector_;
};

}  // namespace millrace::app
