#include "broker/dispatch.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/codec.h"
#include "base/log.h"
#include "broker/api.h"
#include "broker/handlers/handlers.h"
#include "broker/response_errors.h"

namespace millrace::broker {
namespace {

using kafka::ApiKey;

struct Incoming {
  Slice body;  // keeps the strings of the request alive
  Caller caller;
  std::int32_t correlation_id = 0;
  std::size_t row = 0;
};
using Run = Task<Reply> (*)(Services&, Incoming);

template <class Response>
Reply framed(Services& services, const Incoming& incoming, const Response& response) {
  count_errors(services.metrics, incoming.row, response);
  auto frame = kafka::encode_response(incoming.correlation_id, incoming.caller.version, response);
  if (!frame) {
    // A bug of a handler: it filled in what the version cannot say.
    LOG_ERROR("broker.response_not_encodable", {"error", frame.error().to_string()});
    return fail(std::move(frame).error());
  }
  return std::optional<SliceChain>(std::move(*frame));
}

// A handler that answers at once, or as a Task.
template <class Request, auto kHandler>
Task<Reply> run(Services& services, Incoming incoming) {
  auto request = kafka::decode<Request>(incoming.body, incoming.caller.version);
  if (!request) co_return fail(std::move(request).error());
  if constexpr (
      requires { kHandler(services, incoming.caller, *request).error_code; } ||
      requires { kHandler(services, incoming.caller, *request).throttle_time_ms; }) {
    const auto response = kHandler(services, incoming.caller, *request);
    co_return framed(services, incoming, response);
  } else {
    const auto response = co_await kHandler(services, incoming.caller, std::move(*request));
    co_return framed(services, incoming, response);
  }
}

Task<Reply> run_produce(Services& services, Incoming incoming) {
  auto request = kafka::decode<kafka::ProduceRequest>(incoming.body, incoming.caller.version);
  if (!request) co_return fail(std::move(request).error());
  auto reply = co_await produce(services, incoming.caller, std::move(*request));
  if (!reply) co_return fail(std::move(reply).error());
  if (reply->silent) {
    count_errors(services.metrics, incoming.row, reply->response);
    co_return std::nullopt;
  }
  co_return framed(services, incoming, reply->response);
}

// The codec puts each partition's records into the chain as one Slice; a partition with several pieces is encoded
// with a stand-in of the right size, in whose place the pieces go. The stand-in is never read.
Reply splice_records(Services& services, const Incoming& incoming, FetchReply reply) {
  std::size_t next = 0;
  for (auto& topic : reply.response.responses) {
    for (auto& partition : topic.partitions) {
      const SliceChain& records = reply.records[next++];
      if (records.empty()) continue;
      const Slice& first = records.pieces().front();
      Slice stand_in({}, const_cast<char*>(first.data()), records.size());
      partition.records = records.pieces().size() == 1 ? first : std::move(stand_in);
    }
  }
  auto encoded = framed(services, incoming, reply.response);
  if (!encoded) return encoded;
  SliceChain spliced;
  next = 0;
  for (const Slice& piece : (*encoded)->pieces()) {
    std::size_t at = next;
    while (at < reply.records.size() && reply.records[at].empty()) ++at;
    const bool is_records = at < reply.records.size() && piece.size() == reply.records[at].size() &&
                            piece.data() == reply.records[at].pieces().front().data();
    if (is_records) {
      spliced.append(std::move(reply.records[at]));
      next = at + 1;
    } else {
      spliced.append(piece);
    }
  }
  CHECK(spliced.size() == (*encoded)->size());
  return std::optional<SliceChain>(std::move(spliced));
}

Task<Reply> run_fetch(Services& services, Incoming incoming) {
  auto request = kafka::decode<kafka::FetchRequest>(incoming.body, incoming.caller.version);
  if (!request) co_return fail(std::move(request).error());
  FetchReply reply = co_await fetch(services, incoming.caller, std::move(*request));
  co_return splice_records(services, incoming, std::move(reply));
}

struct Row {
  ApiKey key;
  Run run;
};
constexpr Row kRows[] = {
    {ApiKey::kProduce, run_produce},
    {ApiKey::kFetch, run_fetch},
    {ApiKey::kListOffsets, run<kafka::ListOffsetsRequest, list_offsets>},
    {ApiKey::kMetadata, run<kafka::MetadataRequest, metadata>},
    {ApiKey::kOffsetCommit, run<kafka::OffsetCommitRequest, offset_commit>},
    {ApiKey::kOffsetFetch, run<kafka::OffsetFetchRequest, offset_fetch>},
    {ApiKey::kFindCoordinator, run<kafka::FindCoordinatorRequest, find_coordinator>},
    {ApiKey::kJoinGroup, run<kafka::JoinGroupRequest, join_group>},
    {ApiKey::kHeartbeat, run<kafka::HeartbeatRequest, heartbeat>},
    {ApiKey::kLeaveGroup, run<kafka::LeaveGroupRequest, leave_group>},
    {ApiKey::kSyncGroup, run<kafka::SyncGroupRequest, sync_group>},
    {ApiKey::kDescribeGroups, run<kafka::DescribeGroupsRequest, describe_groups>},
    {ApiKey::kListGroups, run<kafka::ListGroupsRequest, list_groups>},
    {ApiKey::kApiVersions, run<kafka::ApiVersionsRequest, api_versions>},
    {ApiKey::kCreateTopics, run<kafka::CreateTopicsRequest, create_topics>},
    {ApiKey::kDeleteTopics, run<kafka::DeleteTopicsRequest, delete_topics>},
    {ApiKey::kDeleteRecords, run<kafka::DeleteRecordsRequest, delete_records>},
    {ApiKey::kInitProducerId, run<kafka::InitProducerIdRequest, init_producer_id>},
    {ApiKey::kOffsetForLeaderEpoch, run<kafka::OffsetForLeaderEpochRequest, offset_for_leader_epoch>},
    {ApiKey::kDescribeConfigs, run<kafka::DescribeConfigsRequest, describe_configs>},
    {ApiKey::kDescribeLogDirs, run<kafka::DescribeLogDirsRequest, describe_log_dirs>},
    {ApiKey::kCreatePartitions, run<kafka::CreatePartitionsRequest, create_partitions>},
    {ApiKey::kDeleteGroups, run<kafka::DeleteGroupsRequest, delete_groups>},
    {ApiKey::kElectLeaders, run<kafka::ElectLeadersRequest, elect_leaders>},
    {ApiKey::kIncrementalAlterConfigs, run<kafka::IncrementalAlterConfigsRequest, incremental_alter_configs>},
    {ApiKey::kAlterPartitionReassignments,
     run<kafka::AlterPartitionReassignmentsRequest, alter_partition_reassignments>},
    {ApiKey::kListPartitionReassignments, run<kafka::ListPartitionReassignmentsRequest, list_partition_reassignments>},
    {ApiKey::kDescribeQuorum, run<kafka::DescribeQuorumRequest, describe_quorum>},
    {ApiKey::kDescribeCluster, run<kafka::DescribeClusterRequest, describe_cluster>},
    {ApiKey::kUnregisterBroker, run<kafka::UnregisterBrokerRequest, unregister_broker>},
    {ApiKey::kDescribeTopicPartitions, run<kafka::DescribeTopicPartitionsRequest, describe_topic_partitions>},
};

constexpr Run find_run(ApiKey key) {
  for (const Row& row : kRows) {
    if (row.key == key) return row.run;
  }
  return nullptr;
}

std::size_t row_of(const kafka::Api& api) { return static_cast<std::size_t>(&api - kafka::kApis); }

// KIP-511: whatever version was asked, the answer can be read, and says what to ask instead.
Reply too_new_api_versions(const kafka::Api& api, std::int32_t correlation_id) {
  kafka::ApiVersionsResponse response;
  response.error_code = kafka::to_wire(kafka::ErrorCode::kUnsupportedVersion);
  response.api_keys.push_back({static_cast<std::int16_t>(api.key), api.advertised_min, api.max_version});
  auto frame = kafka::encode_response(correlation_id, 0, response);
  if (!frame) return fail(std::move(frame).error());
  return std::optional<SliceChain>(std::move(*frame));
}

constexpr std::size_t kPeerHeaderBytes = 8;

bool is_peer_request(const Slice& frame) {
  return frame.size() >= kPeerHeaderBytes && load_be<std::int16_t>(frame.data()) == kPeerApiKey;
}

Task<Reply> answer_peer(Services& services, Slice frame) {
  auto answered = co_await services.cluster.answer_peer(frame.sub(kPeerHeaderBytes));
  if (!answered) co_return fail(std::move(answered).error());
  SliceChain reply;
  reply.append(frame.sub(4, 4));  // the correlation id
  reply.append(std::move(*answered));
  co_return std::optional<SliceChain>(std::move(reply));
}

}  // namespace

bool has_handler(ApiKey key) { return find_run(key) != nullptr; }

Task<Reply> answer(Services& services, Slice frame, std::string client_host) {
  if (is_peer_request(frame)) co_return co_await answer_peer(services, std::move(frame));
  const SteadyTime began = services.clock.now();
  auto request = kafka::decode_request_header(frame);
  if (!request) co_return fail(std::move(request).error());
  const auto& header = request->header;
  const kafka::Api* api = kafka::find_api(header.api_key);
  const Run run = api ? find_run(api->key) : nullptr;
  if (!run) co_return fail(Code::kUnsupported, fmt::format("api key {} is not supported", header.api_key));
  if (!api->supports(header.api_version)) {
    if (api->key == ApiKey::kApiVersions) co_return too_new_api_versions(*api, header.correlation_id);
    co_return fail(Code::kUnsupported, fmt::format("{} has versions {} to {}, not {}", api->name, api->min_version,
                                                   api->max_version, header.api_version));
  }
  Incoming incoming;
  incoming.body = std::move(request->body);
  incoming.caller = {header.api_version, header.client_id.value_or(""), std::move(client_host)};
  incoming.correlation_id = header.correlation_id;
  incoming.row = row_of(*api);
  const std::size_t row = incoming.row;
  Reply reply = co_await run(services, std::move(incoming));
  services.metrics.on_request(row, std::chrono::duration<double>(services.clock.now() - began).count());
  co_return reply;
}

}  // namespace millrace::broker
