// What `millrace cluster status` prints of a described cluster.
#include "app/cluster_status.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

namespace millrace::app {
namespace {

cluster::ClusterDescription three_brokers() {
  cluster::ClusterDescription cluster;
  cluster.described_by = cluster.controller_id = 2;
  cluster.by_controller = true;
  cluster.controller_epoch = 7;
  cluster.applied = cluster::LogSeq(100);
  for (const std::int32_t id : {1, 2, 3}) {
    cluster::BrokerDescription broker;
    broker.id = id;
    broker.host = "host";
    broker.port = static_cast<std::uint16_t>(9090 + id);
    broker.live = id != 3;
    broker.incarnation = cluster::Incarnation(static_cast<std::uint64_t>(10 + id));
    cluster.brokers.push_back(broker);
  }
  cluster.brokers[0].heard_ms_ago = 1200;
  cluster.brokers[0].applied = cluster::LogSeq(97);
  cluster.brokers[0].draining = true;
  cluster.brokers[0].rack = "west";
  cluster.brokers[1].partitions_led = 4;
  cluster.brokers[1].applied = cluster::LogSeq(100);
  cluster.brokers[2].wals_to_recover = 1;
  cluster.partitions = 26;
  cluster.leaderless = 22;
  for (std::int32_t p = 0; p < 22; ++p) cluster.leaderless_listed.push_back({"orders", p, 3, -1});
  cluster.moves = 1;
  cluster.moves_listed = {{"orders", 25, 1, 2}};
  return cluster;
}

TEST(ClusterStatus, a_terminal_gets_a_row_for_each_broker_and_the_first_of_long_lists) {
  const std::string text = status_text("id-of-cluster", three_brokers());
  EXPECT_NE(text.find("cluster id-of-cluster, controller 2 (epoch 7), metadata entry 100, 26 partitions\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1       host:9091  west      draining    0       11           1.2 s ago   3\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("2       host:9092  -         live        4       12           controls    0\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("3       host:9093  -         recovering  0       13           -           -\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("partitions without a leader: 22\n  orders-0, led last by broker 3\n"), std::string::npos);
  EXPECT_NE(text.find("orders-19, led last by broker 3\n  and 2 more\n"), std::string::npos);
  EXPECT_NE(text.find("moves under way: 1\n  orders-25 from broker 1 to 2\n"), std::string::npos);
  EXPECT_EQ(text.find("as broker"), std::string::npos);
}

TEST(ClusterStatus, an_answer_that_is_not_the_controllers_says_so) {
  auto cluster = three_brokers();
  cluster.by_controller = false;
  cluster.described_by = 1;
  const std::string text = status_text("c", cluster);
  EXPECT_NE(text.find("as broker 1 knows it: the controller does not answer\n"), std::string::npos) << text;
  EXPECT_NE(text.find("12           no answer   0\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("controls"), std::string::npos) << text;
  cluster.brokers[1].live = false;
  EXPECT_NE(status_text("c", cluster).find("the controller is gone, another one takes over soon\n"), std::string::npos);
}

TEST(ClusterStatus, programs_get_numbers_with_minus_one_for_unknown) {
  rapidjson::Document json;
  json.Parse(status_json("id", three_brokers()).c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_EQ(json["controller_epoch"].GetInt64(), 7);
  EXPECT_EQ(json["leaderless_partitions"].Size(), 22u);
  EXPECT_EQ(json["moves_under_way"][0]["to"].GetInt64(), 2);
  const auto& brokers = json["brokers"];
  ASSERT_EQ(brokers.Size(), 3u);
  EXPECT_STREQ(brokers[0]["state"].GetString(), "draining");
  EXPECT_EQ(brokers[0]["heard_ms_ago"].GetInt64(), 1200);
  EXPECT_EQ(brokers[2]["heard_ms_ago"].GetInt64(), -1);
  EXPECT_EQ(brokers[2]["metadata_applied"].GetInt64(), -1);
}

}  // namespace
}  // namespace millrace::app
