// Several brokers on one bucket: one controls, the others follow it, and nobody is missed for long.
#include "cluster/node.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "cluster/test_brokers.h"
#include "cluster/test_topics.h"

namespace millrace::cluster {
namespace {

struct Brokers : test::TestBrokers {
  Task<std::unique_ptr<Cluster>> open(std::int32_t id, int nth_process = 0) {
    ClusterOptions options;
    options.controller_timeout = 100ms;
    options.controller_check_interval = 200ms;
    options.commit_deadline = 5s;
    auto opened = co_await must_open(id, nth_process, std::move(options));
    co_return opened;
  }
  void run(Task<void> (*body)(Brokers&)) { loop.run_until_done(body(*this)); }
};

// It follows nobody, so that it could neither commit nor learn that it is fenced.
TEST(Brokers, one_that_is_alone_is_over_when_another_takes_its_role) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    ClusterOptions options;
    options.controller_check_interval = 100ms;
    Metrics metrics, other_metrics;
    auto alone = co_await open_cluster(b.loop.executor(), b.loop.clock(), *b.random, b.bucket, metrics, options);
    CHECK(alone);
    options.broker_id = 2;
    auto other = co_await open_cluster(b.loop.executor(), b.loop.clock(), *b.random, b.bucket, other_metrics, options);
    CHECK(other);
    co_await (*other)->stop();
    co_await b.until([&] { return (*alone)->fenced(); }, "its end");
    EXPECT_NE((*alone)->fenced_reason().find("another controller"), std::string::npos) << (*alone)->fenced_reason();
    co_await (*alone)->stop();
  });
}

TEST(Brokers, share_one_controller_and_one_state) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    auto two = co_await b.open(2);
    auto three = co_await b.open(3);
    EXPECT_TRUE(one->is_controller());
    EXPECT_FALSE(two->is_controller() || three->is_controller());
    const std::set<Incarnation> incarnations{one->incarnation(), two->incarnation(), three->incarnation()};
    EXPECT_EQ(incarnations.size(), 3u);

    auto made = co_await make_topic(*three, "orders", 6);
    EXPECT_TRUE(made) << made.error().to_string();
    EXPECT_TRUE(three->state().topic_by_name("orders")) << "the asker sees its own change at once";
    co_await b.until([&] { return two->state().topic_by_name("orders") != nullptr; }, "the topic at broker 2");
    std::map<std::int32_t, int> led;
    for (const auto& partition : two->state().topic_by_name("orders")->partitions) ++led[*partition.leader_broker];
    EXPECT_EQ(led, (std::map<std::int32_t, int>{{1, 2}, {2, 2}, {3, 2}}));

    auto again = co_await make_topic(*two, "orders", 1);
    EXPECT_EQ(again.error().code(), Code::kExists);
    std::set<std::int64_t> ids;
    for (int i = 0; i < 3; ++i) {
      for (Cluster* each : {one.get(), two.get(), three.get()}) {
        auto id = co_await each->allocate_producer_id();
        EXPECT_TRUE(id && ids.insert(*id).second) << "a producer id was given twice";
      }
    }
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

// Rule 35.
TEST(Brokers, report_the_oldest_birth_of_their_uploads_to_the_controller) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    EXPECT_EQ(one->oldest_birth_elsewhere().value(), std::numeric_limits<std::uint64_t>::max()) << "it is alone";
    auto two = co_await b.open(2);
    auto three = co_await b.open(3);
    two->report_load({.oldest_birth = LogSeq(7), .busiest = {}});
    co_await sleep_for(b.loop.clock(), 1s);
    EXPECT_EQ(one->oldest_birth_elsewhere(), LogSeq(0)) << "broker 3 has not said";
    three->report_load({.oldest_birth = LogSeq(5), .busiest = {}});
    co_await b.until([&] { return one->oldest_birth_elsewhere() == LogSeq(5); }, "the older of both");
    three->report_load({.oldest_birth = LogSeq(9), .busiest = {}});
    co_await b.until([&] { return one->oldest_birth_elsewhere() == LogSeq(7); }, "what is older now");
    EXPECT_EQ(two->oldest_birth_elsewhere(), LogSeq(0)) << "it is not the controller";
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Brokers, a_dead_controller_is_replaced_and_what_waits_is_committed) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    auto two = co_await b.open(2);
    auto three = co_await b.open(3);
    b.cut_off.insert(9001);
    auto made = co_await make_topic(*three, "after", 1);
    EXPECT_TRUE(made) << made.error().to_string();
    EXPECT_NE(two->is_controller(), three->is_controller());
    // The old one finds out when it writes: it loses the number, follows, and its change is made by the new one.
    b.cut_off.clear();
    auto late = co_await make_topic(*one, "late", 1);
    EXPECT_TRUE(late) << late.error().to_string();
    EXPECT_FALSE(one->is_controller() || one->fenced());
    EXPECT_TRUE(one->state().topic_by_name("after"));
    co_await three->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Brokers, a_second_process_with_the_same_id_fences_the_first) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    auto two = co_await b.open(2);
    auto again = co_await b.open(2, 1);
    EXPECT_GT(again->incarnation(), two->incarnation());
    co_await b.until([&] { return two->fenced(); }, "the first process to be fenced");
    auto refused = co_await make_topic(*two, "zombie", 1);
    EXPECT_EQ(refused.error().code(), Code::kFenced);
    auto made = co_await make_topic(*again, "successor", 1);
    EXPECT_TRUE(made);
    // Also when the id is the controller's own.
    auto first_again = co_await b.open(1, 1);
    co_await b.until([&] { return one->fenced(); }, "the controller's first process to be fenced");
    auto more = co_await make_topic(*again, "more", 1);
    EXPECT_TRUE(more) << more.error().to_string();
    co_await first_again->stop();
    co_await again->stop();
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Brokers, one_that_was_away_catches_up_over_a_snapshot) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    auto two = co_await b.open(2);
    b.cut_off.insert(9002);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(co_await make_topic(*one, "t" + std::to_string(i), 1));
    b.cut_off.clear();
    co_await b.until(
        [&] { return two->state().topic_ids().size() >= 20 && one->state().applied() == two->state().applied(); },
        "both to agree");
    EXPECT_EQ(one->state().serialize(), two->state().serialize());
    co_await two->stop();
    co_await one->stop();
  });
}

TEST(Brokers, requests_of_another_bucket_or_of_nobody_are_told_apart) {
  Brokers brokers;
  brokers.run([](Brokers& b) -> Task<void> {
    auto one = co_await b.open(1);
    PeerRequest request;
    request.what = PeerPoll{2, Incarnation(1), LogSeq(0), {}, 0};
    auto other = co_await one->answer_peer(Slice::of(encode_peer_request(request)));
    EXPECT_EQ(decode_peer_answer(other->view())->status, PeerStatus::kOtherCluster);
    auto garbage = co_await one->answer_peer(Slice::of(std::string("GET / HTTP/1.1")));
    EXPECT_EQ(garbage.error().code(), Code::kCorrupt);
    co_await one->stop();
  });
}

}  // namespace
}  // namespace millrace::cluster
