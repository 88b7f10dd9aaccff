// Produce: checks each batch, appends it, and answers once it is durable.
//
// All appends of a request happen before its first suspension, so the order of requests is the order of offsets.
// acks=1 waits like acks=all: there is one copy of the log, in the bucket, and before it is there nobody
// may see it. acks=0 has no answer, and an error in it closes the connection, as that is all a client can notice.
#include <fmt/format.h>

#include <algorithm>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"
#include "kafka/produce_check.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

constexpr std::string_view kAdminClientId = "__admin_client";
constexpr std::int16_t kProduceTopicIdsSince = 13;
constexpr std::int16_t kProduceNodeEndpointsSince = 10;

struct Waiting {
  std::size_t topic = 0;
  std::size_t partition = 0;
  Promise<Result<void>> durable;
};

void set_error(kafka::ProduceResponse::PartitionProduceResponse& out, ErrorCode code,
               std::optional<std::string> message = {}) {
  out.error_code = wire(code);
  out.error_message = std::move(message);
  out.base_offset = -1;
  out.log_append_time_ms = -1;
  out.log_start_offset = -1;
}

// Tells the client at once whom to ask instead (KIP-951).
void point_to_leader(const Services& services, const cluster::TopicState& topic, kafka::ProduceResponse& response,
                     kafka::ProduceResponse::PartitionProduceResponse& out) {
  const auto leader = services.topics.leader_of(topic, out.index);
  if (!leader) return;
  out.current_leader = {leader->broker, leader->epoch};
  for (const auto& known : response.node_endpoints) {
    if (known.node_id == leader->broker) return;
  }
  const auto broker = services.cluster.state().brokers().find(leader->broker);
  if (broker == services.cluster.state().brokers().end()) return;
  std::optional<std::string> rack;
  if (!broker->second.rack.empty()) rack = broker->second.rack;
  response.node_endpoints.push_back({leader->broker, broker->second.host, broker->second.port, std::move(rack)});
}

struct Produce {
  Services& services;
  const Caller& caller;
  const kafka::ProduceRequest& request;
  kafka::ProduceResponse response;
  std::vector<Waiting> waiting;

  void append_all();
  void append(const cluster::TopicState& topic, const kafka::ProduceRequest::PartitionProduceData& data,
              kafka::ProduceResponse::PartitionProduceResponse& out);
  std::optional<std::pair<ErrorCode, std::string>> refusal_of_all() const;
};

// What is wrong with the request as a whole; every partition is answered with it.
std::optional<std::pair<ErrorCode, std::string>> Produce::refusal_of_all() const {
  if (request.acks < -1 || request.acks > 1) {
    return std::pair(ErrorCode::kInvalidRequiredAcks, fmt::format("acks is {}; -1, 0 and 1 exist", request.acks));
  }
  if (request.transactional_id) {
    return std::pair(ErrorCode::kInvalidTxnState, std::string("transactions are not supported yet"));
  }
  return std::nullopt;
}

void Produce::append_all() {
  const auto refused = refusal_of_all();
  response.responses.resize(request.topic_data.size());
  for (std::size_t t = 0; t < request.topic_data.size(); ++t) {
    const auto& asked = request.topic_data[t];
    auto& out_topic = response.responses[t];
    out_topic.name = std::string(asked.name);
    out_topic.topic_id = asked.topic_id;
    const bool by_id = caller.version >= kProduceTopicIdsSince;
    const auto* topic = by_id ? services.topics.find(asked.topic_id) : services.topics.find(asked.name);
    out_topic.partition_responses.resize(asked.partition_data.size());
    for (std::size_t p = 0; p < asked.partition_data.size(); ++p) {
      auto& out = out_topic.partition_responses[p];
      out.index = asked.partition_data[p].index;
      if (refused) {
        set_error(out, refused->first, refused->second);
      } else if (!topic) {
        set_error(out, by_id ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition);
      } else if (is_internal_topic(topic->name) && caller.client_id != kAdminClientId) {
        set_error(out, ErrorCode::kInvalidTopicException, "internal topics are written by brokers only");
      } else {
        const std::size_t before = waiting.size();
        append(*topic, asked.partition_data[p], out);
        if (waiting.size() > before) waiting.back().topic = t, waiting.back().partition = p;
      }
    }
  }
}

void Produce::append(const cluster::TopicState& topic, const kafka::ProduceRequest::PartitionProduceData& data,
                     kafka::ProduceResponse::PartitionProduceResponse& out) {
  const auto led = services.topics.led_partition(&topic, data.index);
  if (!led) {
    set_error(out, led.error());
    const bool moved = led.error() == ErrorCode::kNotLeaderOrFollower && caller.version >= kProduceNodeEndpointsSince;
    if (moved) point_to_leader(services, topic, response, out);
    return;
  }
  kafka::ProduceRules rules = services.topics.produce_rules(topic);
  rules.produce_version = caller.version;
  rules.now_ms = services.clock.wall_ms();
  auto checked = kafka::check_produced(data.records, rules);
  if (!checked) {
    set_error(out, checked.error().code, std::move(checked.error().message));
    for (auto& error : checked.error().record_errors) {
      out.record_errors.push_back({error.index, std::move(error.message)});
    }
    return;
  }
  const auto view = kafka::BatchView::at_start_of(checked->batch);
  if (view && view->is_transactional()) {
    return set_error(out, ErrorCode::kInvalidTxnState, "transactions are not supported yet");
  }
  const std::size_t bytes = checked->batch.size();
  auto ticket = (*led)->append(std::move(checked->batch));
  if (!ticket) return set_error(out, code_of(ticket.error()));
  out.base_offset = ticket->base_offset;
  out.log_append_time_ms = ticket->duplicate ? ticket->log_append_time_ms : checked->log_append_time_ms;
  out.log_start_offset = ticket->log_start_offset;
  services.metrics.produced_bytes.Increment(static_cast<double>(bytes));
  services.metrics.produced_batches.Increment();
  waiting.push_back({0, 0, std::move(ticket->durable)});
}

// A verdict on a producer's sequence or epoch, which makes the client give its batches up or number them anew.
bool judges_producer(const kafka::ProduceResponse::PartitionProduceResponse& out) {
  return out.error_code == wire(ErrorCode::kOutOfOrderSequenceNumber) ||
         out.error_code == wire(ErrorCode::kInvalidProducerEpoch);
}

// Rule 19: the producer may have gone on at a new leader, of which this broker has not heard yet. Only one that is
// certain to lead may judge.
Task<void> doubt_verdicts(Produce& work) {
  bool any = false;
  for (const auto& topic : work.response.responses)
    any |= std::ranges::any_of(topic.partition_responses, judges_producer);
  if (!any) co_return;
  const Result<void> proved = co_await work.services.cluster.prove_live();
  for (auto& topic : work.response.responses) {
    for (auto& out : topic.partition_responses) {
      if (!judges_producer(out)) continue;
      const auto* known =
          topic.topic_id.is_zero() ? work.services.topics.find(topic.name) : work.services.topics.find(topic.topic_id);
      const auto led = work.services.topics.led_partition(known, out.index);
      if (!proved || !led) set_error(out, ErrorCode::kNotLeaderOrFollower);
    }
  }
}

}  // namespace

Task<Result<ProduceReply>> produce(Services& services, Caller caller, kafka::ProduceRequest request) {
  Produce work{services, caller, request, {}, {}};
  work.append_all();
  for (auto& each : work.waiting) {
    const Result<void> durable = co_await each.durable.wait();
    if (durable) continue;
    auto& out = work.response.responses[each.topic].partition_responses[each.partition];
    set_error(out, code_of_lost_append(durable.error()), durable.error().message());
  }
  co_await doubt_verdicts(work);
  const bool silent = request.acks == 0;
  if (silent) {
    for (const auto& topic : work.response.responses) {
      for (const auto& partition : topic.partition_responses) {
        if (partition.error_code == 0) continue;
        co_return fail(Code::kInvalid, fmt::format("a Produce with acks=0 failed with {}",
                                                   kafka::name(kafka::error_from_wire(partition.error_code))));
      }
    }
  }
  co_return ProduceReply{std::move(work.response), silent};
}

}  // namespace millrace::broker
