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
  request.what = PeerRegister{{4, "host", 9093, "rack", WalKind::kBucket, 77}};
  const auto registration = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(registration);
  EXPECT_EQ(std::get<PeerRegister>(registration->what).record.port, 9093);
  request.what = PeerPoll{4, Incarnation(8), LogSeq(99)};
  const auto poll = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(poll);
  EXPECT_EQ(std::get<PeerPoll>(poll->what).applied, LogSeq(99));

  request.what = PeerSuspect{12};
  const auto suspect = decode_peer_request(encode_peer_request(request));
  ASSERT_TRUE(suspect) << suspect.error().to_string();
  EXPECT_EQ(std::get<PeerSuspect>(suspect->what).controller_epoch, 12u);
}

TEST(PeerCodec, answers_keep_codes_and_messages) {
  const auto back = decode_peer_answer(encode_peer_answer(mixed_answer()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->applied, LogSeq(70'000));
  EXPECT_EQ(*back->commits[0], LogSeq(69'999));
  EXPECT_EQ(back->commits[1].error().code(), Code::kExists);
  EXPECT_EQ(back->commits[1].error().message(), "topic 'a' exists");
}

TEST(PeerCodec, whatever_is_cut_short_or_longer_is_refused) {
  const std::string request = encode_peer_request(commit_of_everything()), answer = encode_peer_answer(mixed_answer());
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_FALSE(decode_peer_request(std::string_view(request).substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < answer.size(); ++size) {
    EXPECT_FALSE(decode_peer_answer(std::string_view(answer).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_peer_request(request + "x"));
  EXPECT_FALSE(decode_peer_answer(answer + "x"));
}

TEST(PeerCodec, a_newer_version_asks_for_an_upgrade) {
  std::string request = encode_peer_request(commit_of_everything());
  request[4] = 2;
  EXPECT_EQ(decode_peer_request(request).error().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::cluster
