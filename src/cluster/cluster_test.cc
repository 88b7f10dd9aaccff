#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "cluster/api.h"
#include "cluster/bucket_layout.h"
#include "object/memory_store.h"

namespace millrace::cluster {
namespace {

struct World {
  EventLoop loop;
  std::unique_ptr<Random> random = make_seeded_random(1);
  object::MemoryStore store;
  Metrics metrics;

  ClusterOptions options;

  Task<Result<std::unique_ptr<Cluster>>> open() {
    return open_cluster(loop.executor(), loop.clock(), *random, store, metrics, options);
  }
  void run(Task<void> (*body)(World&)) { loop.run_until_done(body(*this)); }
};

TEST(Cluster, topic_survives_a_restart_and_the_old_incarnation_is_fenced) {
  World world;
  world.run([](World& w) -> Task<void> {
    auto first = co_await w.open();
    EXPECT_TRUE(first) << first.error().to_string();
    const Uuid cluster_id = (*first)->cluster_id();
    const Incarnation old = (*first)->incarnation();
    NewTopicSpec spec{.name = "orders", .partitions = 3, .configs = {{"retention.ms", "1000"}}};
    auto id = co_await (*first)->create_topic(spec);
    EXPECT_TRUE(id) << id.error().to_string();
    auto again = co_await (*first)->create_topic(spec);
    EXPECT_EQ(again.error().code(), Code::kExists);
    co_await (*first)->stop();
    first->reset();

    auto second = co_await w.open();
    EXPECT_TRUE(second) << second.error().to_string();
    Cluster& cluster = **second;
    EXPECT_EQ(cluster.cluster_id(), cluster_id);
    EXPECT_GT(cluster.incarnation(), old);
    const TopicState* topic = cluster.state().topic_by_name("orders");
    EXPECT_TRUE(topic);
    EXPECT_EQ(topic->id, *id);
    EXPECT_EQ(topic->partitions.size(), 3u);
    EXPECT_EQ(topic->partitions[0].leader_incarnation, old);
    const auto& incarnations = cluster.state().brokers().at(1).incarnations;
    EXPECT_EQ(incarnations.at(old).phase, IncarnationPhase::kFenced);
    EXPECT_EQ(incarnations.at(cluster.incarnation()).phase, IncarnationPhase::kLive);
    co_await cluster.stop();
  });
}

}  // namespace
}  // namespace millrace::cluster
