// Brokers of one process and thread that share a bucket, for tests: opened, cut off from each other, waited for.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/event_loop.h"
#include "cluster/test_peers.h"
#include "object/memory_store.h"

namespace millrace::cluster::test {

struct TestBrokers {
  EventLoop loop;
  std::unique_ptr<Random> random = make_seeded_random(3);
  object::MemoryStore bucket;
  std::vector<std::unique_ptr<Metrics>> metrics;
  std::map<std::uint16_t, Cluster*> nodes;  // by port
  std::set<std::uint16_t> cut_off;
  std::vector<std::unique_ptr<TestPeers>> links;

  // Of each process of a broker another.
  static std::uint16_t port_of(std::int32_t id, int nth_process) {
    return static_cast<std::uint16_t>(9000 + id + 100 * nth_process);
  }
  Task<Result<std::unique_ptr<Cluster>>> try_open(std::int32_t id, int nth_process, ClusterOptions options) {
    const std::uint16_t port = port_of(id, nth_process);
    options.broker_id = id;
    options.advertised_port = port;
    links.push_back(std::make_unique<TestPeers>(nodes, cut_off, port));
    metrics.push_back(std::make_unique<Metrics>());
    auto opened = co_await open_cluster(loop.executor(), loop.clock(), *random, bucket, *metrics.back(), options,
                                        links.back().get());
    if (opened) nodes[port] = opened->get();
    co_return opened;
  }
  Task<std::unique_ptr<Cluster>> must_open(std::int32_t id, int nth_process, ClusterOptions options) {
    auto opened = co_await try_open(id, nth_process, std::move(options));
    if (!opened) ADD_FAILURE() << opened.error().to_string();
    CHECK(opened);
    co_return std::move(*opened);
  }
  Task<void> until(std::function<bool()> holds, const char* what) {
    const SteadyTime deadline = loop.clock().now() + 5s;
    while (!holds() && loop.clock().now() < deadline) co_await sleep_for(loop.clock(), 2ms);
    EXPECT_TRUE(holds()) << what;
  }
};

}  // namespace millrace::cluster::test
