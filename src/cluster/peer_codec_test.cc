#include "cluster/peer_codec.h"

#include <gtest/gtest.h>

#include "cluster/test_records.h"

namespace millrace::cluster {
namespace {

PeerRequest commit_of_everything() {
  PeerRequest request;
  request.cluster_id = test::topic_id(9);
  PeerCommit commit;
  commit.batches.push_back(test::one_of_each());
  commit.batches.emplace_back();
  commit.batches.back().emplace_back(ProducerIdsRecord{5000});
  request.what = std::move(commit);
  return request;
}

PeerAnswer mixed_answer() {
  PeerAnswer answer;
  answer.controller_epoch = 300;
  answer.applied = LogSeq(70'000);
  answer.commits.emplace_back(LogSeq(69'999));
  answer.commits.emplace_back(fail(Code::kExists, "topic 'a' exists"));
  return answer;
}

PeerAnswer description_of_two() {
  ClusterDescription cluster;
  cluster.described_by = cluster.controller_id = 2;
  cluster.by_controller = true;
  cluster.controller_epoch = 4;
  cluster.applied = LogSeq(300);
  BrokerDescription one;
  one.id = 1;
  one.host = "h";
  one.port = 9092;
  one.rack = "r";
  one.draining = true;
  one.wal_kind = WalKind::kDisk;
  one.incarnation = Incarnation(7);
  one.wals_to_recover = 1;
  BrokerDescription two;
  two.id = 2;
  two.live = true;
  two.partitions_led = 5;
  two.heard_ms_ago = 20;
  two.applied = LogSeq(299);
  cluster.brokers = {one, two};
  cluster.partitions = 6;
  cluster.leaderless = cluster.moves = 1;
  cluster.leaderless_listed = {{"a", 3, 1, -1}};
  cluster.moves_listed = {{"b", 0, 2, 1}};
  PeerAnswer answer;
  answer.description = cluster;
  return answer;
}

TEST(PeerCodec, requests_make_the_round_trip) {
  const PeerRequest commit = commit_of_everything();
  const auto back = decode_peer_request(encode_peer_request(commit));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->cluster_id, commit.cluster_id);
  const auto& batches = std::get<PeerCommit>(back->what).batches;
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].size(), test::one_of_each().size());
  EXPECT_EQ(std::get<ProducerIdsRecord>(batches[1].front()).next_id, 5000);
  EXPECT_EQ(encode_peer_request(*back), encode_peer_request(commit));

  PeerRequest request;
  request.what = PeerRegister{{4, "host", 9093, "rack", WalKind::kBucket, 77}, Incarnation(3)};
  const auto registration = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(registration);
  EXPECT_EQ(std::get<PeerRegister>(registration->what).record.port, 9093);
  EXPECT_EQ(std::get<PeerRegister>(registration->what).ended, Incarnation(3));
  request.what =
      PeerPoll{4, Incarnation(8), LogSeq(99), {250, 12'000, LogSeq(7), {{{test::topic_id(1), 2}, 9'000}}}, 17};
  const auto poll = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(poll);
  EXPECT_EQ(std::get<PeerPoll>(poll->what).applied, LogSeq(99));
  EXPECT_EQ(std::get<PeerPoll>(poll->what).lease_wish, 17u);
  EXPECT_EQ(std::get<PeerPoll>(poll->what).load, std::get<PeerPoll>(request.what).load);

  request.what = PeerSuspect{12};
  const auto suspect = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(suspect) << suspect.error().to_string();
  EXPECT_EQ(std::get<PeerSuspect>(suspect->what).controller_epoch, 12u);
}

TEST(PeerCodec, what_storages_say_to_each_other_is_carried_as_it_is) {
  PeerRequest request;
  request.what = PeerStorage{Incarnation(300), std::string("q\0", 2)};
  const auto asked = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_EQ(std::get<PeerStorage>(asked->what).incarnation, Incarnation(300));
  EXPECT_EQ(std::get<PeerStorage>(asked->what).question, std::string("q\0", 2));
  PeerAnswer answer;
  answer.from_storage = "";
  EXPECT_EQ(decode_peer_answer(encode_peer_answer(answer))->from_storage, "");
  answer.from_storage.reset();
  EXPECT_FALSE(decode_peer_answer(encode_peer_answer(answer))->from_storage);
}

TEST(PeerCodec, a_description_is_asked_for_and_comes_back_whole) {
  PeerRequest request;
  request.what = PeerDescribe{};
  const auto asked = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_TRUE(std::holds_alternative<PeerDescribe>(asked->what));
  const PeerAnswer answer = description_of_two();
  const auto back = decode_peer_answer(encode_peer_answer(answer));
  ASSERT_TRUE(back) << back.error().to_string();
  ASSERT_TRUE(back->description);
  EXPECT_EQ(*back->description, *answer.description);
}

TEST(PeerCodec, a_description_has_these_bytes) {
  PeerAnswer answer = description_of_two();
  answer.description->brokers.erase(answer.description->brokers.begin());
  const std::string bytes = encode_peer_answer(answer);
  const std::string expected(
      "MRPR\x03\x00\x00\x00\x00\x00\x01"  // head, status, epoch, applied, no commits, no lease, a description:
      "\x04\x01\x04\x04\xac\x02\x01"      // by 2, the controller, of epoch 4, at 300, with one broker:
      "\x04\x00\x00\x00\x01\x00\x05\x00\x28\xab\x02"
      "\x06\x01\x01\x01\x01"
      "a\x06\x02\x01\x01\x01"
      "b\x00\x04\x02\x00",
      45);
  EXPECT_EQ(bytes, expected);
}

TEST(PeerCodec, answers_keep_codes_and_messages) {
  const auto back = decode_peer_answer(encode_peer_answer(mixed_answer()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->applied, LogSeq(70'000));
  EXPECT_EQ(*back->commits[0], LogSeq(69'999));
  EXPECT_EQ(back->commits[1].error().code(), Code::kExists);
  EXPECT_EQ(back->commits[1].error().message(), "topic 'a' exists");
}

TEST(PeerCodec, an_answer_names_the_lease_that_it_grants) {
  PeerAnswer answer;
  answer.lease_granted = 300;
  const std::string bytes = encode_peer_answer(answer);
  EXPECT_EQ(bytes, std::string("MRPR\x03\x00\x00\x00\x00\xac\x02\x00\x00", 13));
  EXPECT_EQ(decode_peer_answer(bytes)->lease_granted, 300u);
}

TEST(PeerCodec, whatever_is_cut_short_or_longer_is_refused) {
  const std::string request = encode_peer_request(commit_of_everything()), answer = encode_peer_answer(mixed_answer());
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_FALSE(decode_peer_request(std::string_view(request).substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < answer.size(); ++size) {
    EXPECT_FALSE(decode_peer_answer(std::string_view(answer).substr(0, size))) << size;
  }
  const std::string described = encode_peer_answer(description_of_two());
  for (std::size_t size = 0; size < described.size(); ++size) {
    EXPECT_FALSE(decode_peer_answer(std::string_view(described).substr(0, size))) << size;
  }
  PeerAnswer told;
  told.from_storage = "an answer";
  const std::string telling = encode_peer_answer(told);
  for (std::size_t size = 0; size < telling.size(); ++size) {
    EXPECT_FALSE(decode_peer_answer(std::string_view(telling).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_peer_answer(described + "x"));
  EXPECT_FALSE(decode_peer_request(request + "x"));
  EXPECT_FALSE(decode_peer_answer(answer + "x"));
}

TEST(PeerCodec, a_newer_version_asks_for_an_upgrade) {
  std::string request = encode_peer_request(commit_of_everything());
  ++request[4];
  EXPECT_EQ(decode_peer_request(request).error().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::cluster
