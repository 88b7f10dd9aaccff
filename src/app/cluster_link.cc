#include "app/cluster_link.h"

#include <fmt/format.h>

#include <map>

#include "base/codec.h"
#include "client/client.h"
#include "kafka/errors.h"

namespace millrace::app {
namespace {

constexpr Duration kConnectPatience = 5s;
constexpr Duration kAnswerPatience = 10s;
constexpr Duration kControllerPatience = 3s;  // of a description that another broker can give, too
constexpr Duration kCommitPatience = 20s;     // over all attempts: an election takes some seconds
constexpr Duration kCommitPause = 200ms;

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t comma = 0; comma != std::string::npos; from = comma + 1) {
    comma = text.find(',', from);
    std::string part = text.substr(from, comma == std::string::npos ? comma : comma - from);
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

Task<Result<void>> ClusterLink::open(std::string bootstrap) {
  std::vector<net::Address> addresses;
  for (const auto& part : split_at_commas(bootstrap)) {
    CO_TRY(auto address, net::Address::parse(part));
    addresses.push_back(std::move(address));
  }
  if (addresses.empty()) co_return fail(Code::kInvalid, "--bootstrap-server names no HOST:PORT");
  std::string reasons;
  Code code = Code::kUnavailable;
  for (const auto& address : addresses) {
    const Result<void> opened = co_await open_one(address);
    if (opened) co_return opened;
    reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", opened.error().message());
    if (opened.error().code() == Code::kUnsupported) code = Code::kUnsupported;
  }
  co_return fail(code, "no broker to ask: " + reasons);
}

Task<Result<void>> ClusterLink::open_one(net::Address address) {
  const std::string name = address.to_string();
  auto connector = client::make_tcp_connector(loop_.executor());
  // A listener that takes connections and never answers is told from none by the second step.
  auto reached = co_await net::connect_within(loop_.executor(), address, loop_.clock(), kConnectPatience);
  if (!reached) co_return fail(Code::kUnavailable, reached.error().message());
  reached->reset();
  auto channel = co_await connector->connect(address.host, address.port);
  if (!channel) co_return fail(Code::kUnavailable, fmt::format("{}: {}", name, channel.error().message()));
  connection_ =
      std::make_shared<client::Connection>(loop_.executor(), loop_.clock(), std::move(*channel), "millrace-cluster");
  const auto negotiated = co_await connection_->negotiate(deadline(kConnectPatience));
  if (!negotiated && negotiated.error().code() == Code::kTimeout)
    co_return fail(Code::kUnavailable, name + " takes connections and does not answer: it hangs or is paused");
  if (!negotiated) {
    co_return fail(Code::kUnsupported,
                   fmt::format("{} does not answer as a Kafka broker does ({}); is it the address of --kafka-listen?",
                               name, negotiated.error().message()));
  }
  kafka::MetadataRequest request;
  request.topics.emplace();
  auto metadata = co_await connection_->ask<kafka::MetadataResponse>(
      std::move(request), kafka::MetadataRequest::kInfo.max_version, deadline(kAnswerPatience));
  if (!metadata) co_return fail(Code::kUnavailable, fmt::format("{}: {}", name, metadata.error().message()));
  const auto no_millrace = [&name] {
    return fail(Code::kUnsupported, name + " is a Kafka, but no Millrace: only a Millrace cluster can be asked this");
  };
  const auto id = Uuid::parse(metadata->cluster_id.value_or(""));
  if (!id) co_return no_millrace();
  cluster_id_ = *id;
  cluster_id_text_ = *metadata->cluster_id;
  address_ = address;
  const auto described = co_await describe_at(address);
  if (!described) co_return no_millrace();
  co_return Result<void>();
}

Task<Result<cluster::PeerAnswer>> ClusterLink::ask(net::Address address, cluster::PeerRequest request,
                                                   Duration patience) {
  request.cluster_id = cluster_id_;
  Slice bytes = Slice::of(encode_peer_request(request));
  const SteadyTime until = deadline(patience);
  Result<Slice> reply = co_await peers_.call(address.host, address.port, std::move(bytes), until);
  if (!reply) co_return fail(std::move(reply).error());
  co_return cluster::decode_peer_answer(reply->view());
}

Task<Result<cluster::ClusterDescription>> ClusterLink::describe_at(net::Address address) {
  cluster::PeerRequest request;
  request.what = cluster::PeerDescribe{};
  const std::string name = address.to_string();
  CO_TRY(cluster::PeerAnswer answer, co_await ask(std::move(address), std::move(request), kControllerPatience));
  if (answer.status == cluster::PeerStatus::kOtherCluster)
    co_return fail(Code::kInvalid, name + " serves another bucket");
  if (!answer.description) co_return fail(Code::kUnsupported, name + " gave no description of its cluster");
  co_return std::move(*answer.description);
}

Task<Result<cluster::ClusterDescription>> ClusterLink::describe() {
  CO_TRY(cluster::ClusterDescription own, co_await describe_at(address_));
  if (own.by_controller) co_return own;
  const auto* controller = own.broker(own.controller_id);
  if (!controller || !controller->live) co_return own;
  net::Address at{controller->host, controller->port};
  auto theirs = co_await describe_at(std::move(at));
  if (theirs && theirs->by_controller) co_return theirs;
  co_return own;
}

Task<Result<void>> ClusterLink::commit(cluster::Record record) {
  const SteadyTime until = deadline(kCommitPatience);
  std::string trouble;
  while (loop_.clock().now() < until) {
    CO_TRY(const cluster::ClusterDescription seen, co_await describe());
    const auto* controller = seen.broker(seen.controller_id);
    if (controller) {
      cluster::PeerCommit commit;
      commit.batches.emplace_back().push_back(record);
      cluster::PeerRequest request;
      request.what = std::move(commit);
      net::Address at{controller->host, controller->port};
      const std::string name = fmt::format("broker {} at {}, the controller,", controller->id, at.to_string());
      auto answer = co_await ask(std::move(at), std::move(request), kAnswerPatience);
      if (answer && answer->status == cluster::PeerStatus::kOk && answer->commits.size() == 1) {
        if (answer->commits.front()) co_return Result<void>();
        co_return fail(answer->commits.front().error());
      }
      if (!answer && answer.error().code() != Code::kUnavailable) {
        co_return fail(Code::kTimeout, fmt::format("{} gave no answer ({}): the change may have been made; see "
                                                   "`millrace cluster status`",
                                                   name, answer.error().message()));
      }
      trouble = answer ? name + " is not the controller any more" : name + " " + answer.error().message();
    } else {
      trouble = "there is no controller yet";
    }
    co_await sleep_for(loop_.clock(), kCommitPause);
  }
  co_return fail(Code::kUnavailable, "nothing was changed: " + trouble);
}

Task<Result<kafka::MetadataResponse>> ClusterLink::topics(std::vector<std::string> names) {
  kafka::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  if (!names.empty()) {
    request.topics.emplace();
    for (const auto& name : names) request.topics->push_back({Uuid(), name});
  }
  co_return co_await connection_->ask<kafka::MetadataResponse>(
      std::move(request), kafka::MetadataRequest::kInfo.max_version, deadline(kAnswerPatience));
}

Task<Result<void>> ClusterLink::move(std::vector<Move> moves, std::int32_t to_broker) {
  using Request = kafka::AlterPartitionReassignmentsRequest;
  if (moves.empty()) co_return Result<void>();
  std::map<std::string_view, std::vector<Request::ReassignablePartition>> by_topic;
  for (const auto& move : moves) {
    Request::ReassignablePartition partition;
    partition.partition_index = move.partition;
    partition.replicas.emplace().push_back(to_broker);
    by_topic[move.topic].push_back(std::move(partition));
  }
  Request request;
  for (auto& [topic, partitions] : by_topic) request.topics.push_back({topic, std::move(partitions)});
  auto answer = co_await connection_->ask<kafka::AlterPartitionReassignmentsResponse>(
      std::move(request), Request::kInfo.max_version, deadline(kCommitPatience));
  if (!answer) co_return fail(std::move(answer).error());
  for (const auto& topic : answer->responses) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code == 0) continue;
      const auto code = kafka::error_from_wire(partition.error_code);
      if (code == kafka::ErrorCode::kUnknownTopicOrPartition)
        co_return fail(Code::kNotFound,
                       fmt::format("there is no partition {}-{}", topic.name, partition.partition_index));
      co_return fail(Code::kUnavailable, fmt::format("{}-{}: {}", topic.name, partition.partition_index,
                                                     partition.error_message.value_or(std::string(kafka::name(code)))));
    }
  }
  co_return Result<void>();
}

}  // namespace millrace::app
