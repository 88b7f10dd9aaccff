#include "kafka/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/codec.h"
#include "kafka/hex.h"
#include "kafka/messages/all.h"
#include "kafka/random_message.h"

namespace millrace::kafka {
namespace {

template <class M>
void round_trips(int rounds) {
  auto random = make_seeded_random(static_cast<std::uint64_t>(M::kInfo.api_key) + 77);
  for (std::int16_t version = M::kInfo.min_version; version <= M::kInfo.max_version; ++version) {
    for (int i = 0; i < rounds; ++i) {
      RandomMessage generator(*random);
      const M message = generator.make<M>(version);
      auto bytes = encode(message, version);
      ASSERT_TRUE(bytes) << M::kInfo.name << " " << bytes.error().to_string();
      const Slice flat = bytes->flatten();
      ASSERT_EQ(flat.size(), encoded_size(message, version));
      const auto back = decode<M>(flat, version);
      ASSERT_TRUE(back) << back.error().to_string() << " in " << to_json(message, version);
      ASSERT_EQ(*back, message) << M::kInfo.name << " v" << version << "\n"
                                << to_json(message, version) << "\n"
                                << to_json(*back, version);
    }
  }
}

TEST(Codec, every_message_of_every_version_reads_back_what_it_wrote) {
  for_each_message([]<class M>() { round_trips<M>(20); });
}

template <class M>
void survives_truncation() {
  auto random = make_seeded_random(7);
  for (std::int16_t version = M::kInfo.min_version; version <= M::kInfo.max_version; ++version) {
    RandomMessage generator(*random);
    const Slice bytes = encode(generator.make<M>(version), version)->flatten();
    for (std::size_t size = 0; size < std::min<std::size_t>(bytes.size(), 3000); ++size) {
      // A copy of its own, so that the sanitizer sees a read beyond it.
      const auto result = decode<M>(Slice::copy_of(bytes.view().substr(0, size)), version);
      ASSERT_FALSE(result) << M::kInfo.name << " v" << version << " cut at " << size << " of " << bytes.size();
      ASSERT_EQ(result.error().code(), Code::kCorrupt);
    }
  }
}

TEST(Codec, a_message_cut_anywhere_is_refused) {
  for_each_message([]<class M>() { survives_truncation<M>(); });
}

template <class M>
void survives_flips() {
  auto random = make_seeded_random(9);
  for (std::int16_t version = M::kInfo.min_version; version <= M::kInfo.max_version; ++version) {
    RandomMessage generator(*random);
    const Slice bytes = encode(generator.make<M>(version), version)->flatten();
    if (bytes.empty()) continue;
    for (int i = 0; i < 50; ++i) {
      Slice broken = Slice::copy_of(bytes);
      broken.mutable_data()[random->below(broken.size())] = static_cast<char>(random->next());
      const auto result = decode<M>(broken, version);
      if (result) {
        EXPECT_FALSE(to_json(*result, version).empty());
      }
    }
  }
}

TEST(Codec, changed_bytes_never_break_the_reader) {
  for_each_message([]<class M>() { survives_flips<M>(); });
}

TEST(Codec, versions_outside_the_range_are_unsupported) {
  for_each_message([]<class M>() {
    for (const int version : {M::kInfo.min_version - 1, M::kInfo.max_version + 1}) {
      const auto v = static_cast<std::int16_t>(version);
      EXPECT_EQ(decode<M>(Slice::copy_of("\0\0\0\0"), v).error().code(), Code::kUnsupported);
      EXPECT_EQ(encode(M{}, v).error().code(), Code::kUnsupported);
    }
  });
}

TEST(Codec, the_api_table_agrees_with_the_messages) {
  const auto agrees = []<class M>() {
    const Api* api = find_api(M::kInfo.api_key);
    ASSERT_NE(api, nullptr) << M::kInfo.name;
    EXPECT_TRUE(M::kInfo.name.starts_with(api->name));
    EXPECT_EQ(api->min_version, M::kInfo.min_version);
    EXPECT_EQ(api->max_version, M::kInfo.max_version);
    EXPECT_EQ(api->flexible_since, M::kInfo.flexible_since);
  };
  AllRequests::for_each(agrees);
  AllResponses::for_each(agrees);
  EXPECT_EQ(find_api(999), nullptr);
  EXPECT_EQ(find_api(0)->advertised_min, 0);
}

TEST(Codec, metadata_v1_has_the_bytes_of_the_protocol_guide) {
  MetadataRequest request;
  request.topics.emplace().push_back({.name = "ab"});
  EXPECT_EQ(hex(encode(request, 1)->flatten()), "0000000100026162");
  request.topics.reset();
  EXPECT_EQ(hex(encode(request, 1)->flatten()), "ffffffff");
  EXPECT_EQ(encode(request, 0).error().code(), Code::kInvalid);  // null came with version 1
  EXPECT_EQ(hex(encode(request, 9)->flatten()), "0001000000");
}

TEST(Codec, empty_records_are_zero_bytes_and_only_absent_ones_null) {
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  partition.records = Slice();
  const std::string empty = hex(encode(response, 11)->flatten());
  EXPECT_TRUE(empty.ends_with("00000000")) << empty;
  partition.records.reset();
  const std::string null = hex(encode(response, 11)->flatten());
  EXPECT_TRUE(null.ends_with("ffffffff")) << null;
  // Compact: length + 1, and 0 for null; then the tag counts of partition, topic and response.
  EXPECT_TRUE(hex(encode(response, 13)->flatten()).ends_with("00000000"));
  partition.records = Slice();
  EXPECT_TRUE(hex(encode(response, 13)->flatten()).ends_with("01000000"));
}

TEST(Codec, records_travel_without_being_copied) {
  const Slice records = Slice::copy_of("batch bytes");
  ProduceRequest request;
  request.acks = -1;
  request.topic_data.push_back({.name = "t", .partition_data = {{.index = 3, .records = records}}});
  auto chain = encode(request, 9);
  ASSERT_TRUE(chain);
  const auto& pieces = chain->pieces();
  EXPECT_TRUE(std::ranges::any_of(pieces, [&](const Slice& piece) { return piece.data() == records.data(); }));

  const Slice frame = chain->flatten();
  const auto back = decode<ProduceRequest>(frame, 9);
  ASSERT_TRUE(back);
  const char* found = back->topic_data[0].partition_data[0].records->data();
  EXPECT_GE(found, frame.data());
  EXPECT_LT(found, frame.data() + frame.size());
}

TEST(Codec, a_field_that_the_version_lacks_is_dropped_or_refused) {
  FetchRequest request;
  request.rack_id = "r1";  // ignorable, since 11
  EXPECT_TRUE(encode(request, 10));
  request.forgotten_topics_data.emplace_back();  // since 7, not ignorable
  const auto refused = encode(request, 6);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("forgotten_topics_data"), std::string::npos);
}

TEST(Codec, claimed_lengths_beyond_the_bytes_are_refused_before_allocating) {
  // Metadata v1 with 2^31-1 topics in four bytes; v9 with 2^32-2.
  EXPECT_FALSE(decode<MetadataRequest>(unhex("7fffffff"), 1));
  EXPECT_FALSE(decode<MetadataRequest>(unhex("ffffffff0f"), 9));
  EXPECT_FALSE(decode<MetadataRequest>(unhex("fffffffe"), 1));
  // A million and one elements that do fit.
  Slice many = Slice::copy_of(std::string(1'000'001 * 4 + 4, '\0'));
  store_be(many.mutable_data(), std::int32_t{1'000'001});
  const auto refused = decode<MetadataRequest>(many, 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("1000001 elements"), std::string::npos) << refused.error().to_string();
}

TEST(Codec, an_array_must_fit_with_the_least_size_of_its_elements) {
  // Fetch v4: 17 bytes of fields, then 10 topics in 60 bytes, each of which takes 6 at least.
  std::string bytes(17, '\0');
  ByteWriter(bytes).be(std::int32_t{10});
  EXPECT_TRUE(decode<FetchRequest>(Slice::of(bytes + std::string(60, '\0')), 4));
  const auto refused = decode<FetchRequest>(Slice::of(bytes + std::string(59, '\0')), 4);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("10 elements of at least 6 bytes"), std::string::npos);
}

TEST(Codec, unknown_tags_are_skipped_and_too_many_refused) {
  // ApiVersions v3: two empty strings, then one unknown tag 99 of two bytes.
  EXPECT_TRUE(decode<ApiVersionsRequest>(unhex("01010163026162"), 3));
  EXPECT_FALSE(decode<ApiVersionsRequest>(unhex("010101630361"), 3));
  EXPECT_FALSE(decode<ApiVersionsRequest>(unhex("0101914e"), 3));  // 10,001 tags
}

TEST(Headers, api_versions_answers_always_have_the_first_header) {
  const auto plain = encode_response(7, 3, ApiVersionsResponse{})->flatten();
  EXPECT_EQ(hex(plain.view().substr(0, 6)), "000000070000");
  const auto flexible = encode_response(7, 9, MetadataResponse{})->flatten();
  EXPECT_EQ(hex(flexible.view().substr(0, 5)), "0000000700");
  const auto back = decode_response_header(flexible, *find_api(3), 9);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->correlation_id, 7);
  EXPECT_EQ(back->body.size(), flexible.size() - 5);
}

TEST(Headers, a_request_reads_back_and_its_client_id_is_never_compact) {
  const auto frame = encode_request({.api_version = 9, .correlation_id = 5, .client_id = "me"}, MetadataRequest{});
  ASSERT_TRUE(frame);
  const Slice bytes = frame->flatten();
  EXPECT_EQ(hex(bytes.view().substr(0, 13)), "000300090000000500026d6500");
  const auto back = decode_request_header(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->header.client_id, "me");
  EXPECT_EQ(back->header.correlation_id, 5);
  EXPECT_TRUE(decode<MetadataRequest>(back->body, 9));
  for (std::size_t size = 0; size < 13; ++size)
    EXPECT_FALSE(decode_request_header(Slice::copy_of(bytes.view().substr(0, size))));
}

TEST(Headers, null_client_ids_and_unknown_keys) {
  const auto frame = encode_request({.api_version = 1, .correlation_id = 5}, MetadataRequest{})->flatten();
  EXPECT_EQ(decode_request_header(frame)->header.client_id, std::nullopt);
  EXPECT_EQ(decode_request_header(unhex("03e7000000000001ffff")).error().code(), Code::kUnsupported);
  EXPECT_EQ(with_length(encode_request({.api_version = 1}, MetadataRequest{}).value()).flatten().view().substr(0, 4),
            std::string_view("\0\0\0\x0e", 4));
}

TEST(GroupRecords, keys_have_the_bytes_that_kafka_writes) {
  const std::string offset_key = encode_group_record_key(OffsetCommitKey{.group = "g", .topic = "t", .partition = 2});
  EXPECT_EQ(hex(offset_key),
            "0001000167000174"
            "00000002");
  const std::string group_key = encode_group_record_key(GroupMetadataKey{.group = "g"});
  EXPECT_EQ(hex(group_key), "0002000167");
  EXPECT_EQ(std::get<OffsetCommitKey>(**decode_group_record_key(Slice::copy_of(offset_key))).partition, 2);
  EXPECT_EQ(std::get<GroupMetadataKey>(**decode_group_record_key(Slice::copy_of(group_key))).group, "g");
  EXPECT_EQ(decode_group_record_key(unhex("0063000167")).value(), std::nullopt);
  EXPECT_FALSE(decode_group_record_key(unhex("00")));
}

TEST(GroupRecords, versioned_values_read_back_and_newer_ones_are_refused) {
  const OffsetCommitValue value{.offset = 9, .leader_epoch = 1, .metadata = "m", .commit_timestamp = 5};
  const auto bytes = encode_versioned(value, 3);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(hex(*bytes),
            "00030000000000000009000000010001"
            "6d"
            "0000000000000005");
  EXPECT_EQ(decode_versioned<OffsetCommitValue>(Slice::copy_of(*bytes)).value(), value);
  EXPECT_EQ(decode_versioned<OffsetCommitValue>(unhex("0009")).error().code(), Code::kUnsupported);

  ConsumerProtocolSubscription subscription{.topics = {"a"}};
  std::string blob = *encode_versioned(subscription, 3);
  blob[1] = 9;
  const auto newest = decode_versioned<ConsumerProtocolSubscription>(Slice::copy_of(blob), NewerVersion::kReadAsNewest);
  EXPECT_EQ(newest.value(), subscription);
}

}  // namespace
}  // namespace millrace::kafka
