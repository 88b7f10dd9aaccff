// Fetch: batches of many partitions, waited for until there are enough bytes or the client's patience ends.
//
// A request is a list of FetchPartitions (fetch_sessions.h). It is read in rounds: each round goes over the
// partitions in order until max_bytes are used; when a round gives too little and no error, the next one
// begins after some watched partition moved. The batches are the very bytes that producers sent. What is read counts
// as ReplyMemory until it was sent; when that is used up, an answer is one batch, as for a first one over max_bytes.
#include <algorithm>
#include <chrono>

#include "broker/errors.h"
#include "broker/handlers/common.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

using kafka::ErrorCode;

constexpr std::int16_t kFetchNodeEndpointsSince = 16;
constexpr std::int64_t kNoOffset = -1;

struct Outcome {
  kafka::FetchResponse::PartitionData data;
  SliceChain records;
};

struct Fetch {
  Services& services;
  const Caller& caller;
  const kafka::FetchRequest& request;
  FetchSessions::Context context;

  std::vector<std::pair<FetchPartition*, Outcome>> round;
  std::size_t bytes = 0;
  bool answer_now = false;  // an error or other news that must not wait
  bool shortened = false;   // there is no memory for more

  const cluster::TopicState* topic_of(const FetchPartition& partition) const {
    return context.session->by_id ? services.topics.find(partition.topic_id) : services.topics.find(partition.topic);
  }
  std::expected<storage::Partition*, ErrorCode> led(const FetchPartition& partition) const {
    const auto* topic = topic_of(partition);
    if (!topic && context.session->by_id) return std::unexpected(ErrorCode::kUnknownTopicId);
    return services.topics.led_partition(topic, partition.partition, partition.current_leader_epoch);
  }
};

void set_error(Outcome& outcome, ErrorCode code) {
  outcome.data.error_code = wire(code);
  outcome.data.high_watermark = kNoOffset;
  outcome.data.last_stable_offset = kNoOffset;
  outcome.data.log_start_offset = kNoOffset;
}

void set_positions(Outcome& outcome, const storage::Partition& partition) {
  outcome.data.high_watermark = partition.high_watermark();
  outcome.data.last_stable_offset = partition.last_stable_offset();
  outcome.data.log_start_offset = partition.log_start_offset();
}

// KIP-320: a consumer whose last record is of an epoch that ended earlier than it believes has data that is no
// longer part of the log.
bool diverges(const FetchPartition& asked, const storage::Partition& partition, Outcome& outcome) {
  if (asked.last_fetched_epoch < 0) return false;
  const auto end = partition.end_of_epoch(asked.last_fetched_epoch);
  if (end.epoch < 0 || end.end_offset < 0) return false;
  if (end.epoch >= asked.last_fetched_epoch && end.end_offset >= asked.fetch_offset) return false;
  outcome.data.diverging_epoch = {end.epoch, end.end_offset};
  return true;
}

Task<Outcome> read_one(Fetch& fetch, FetchPartition& asked, std::size_t room, bool first) {
  Outcome outcome;
  outcome.data.partition_index = asked.partition;
  auto led = fetch.led(asked);
  // Rule 19: another broker may lead it and have more. Only one that is certain to lead says what is there.
  if (led && asked.fetch_offset > (*led)->high_watermark()) {
    const Result<void> proved = co_await fetch.services.cluster.prove_live();
    led = fetch.led(asked);
    if (led && !proved) led = std::unexpected(ErrorCode::kNotLeaderOrFollower);
  }
  if (!led) {
    set_error(outcome, led.error());
    co_return outcome;
  }
  storage::Partition* partition = *led;
  set_positions(outcome, *partition);
  if (diverges(asked, *partition, outcome)) co_return outcome;
  if (asked.fetch_offset < partition->log_start_offset() || asked.fetch_offset > partition->log_end_offset()) {
    outcome.data.error_code = wire(ErrorCode::kOffsetOutOfRange);
    co_return outcome;
  }
  const std::int64_t readable = fetch.request.isolation_level == kafka::kReadCommitted ? partition->last_stable_offset()
                                                                                       : partition->high_watermark();
  const std::size_t limit = std::min(room, static_cast<std::size_t>(std::max(asked.max_bytes, 0)));
  if (asked.fetch_offset >= readable || (limit == 0 && !first)) co_return outcome;
  auto reserved = fetch.services.reply_memory.take(limit);
  auto read = co_await partition->read(asked.fetch_offset, limit,
                                       first ? storage::ReadLimit::kAtLeastOneBatch : storage::ReadLimit::kStrict);
  reserved.reset();
  if (!read) {
    const ErrorCode code = code_of_read(read.error());
    // Below version 6 clients do not know KAFKA_STORAGE_ERROR.
    set_error(outcome, code == ErrorCode::kKafkaStorageError && fetch.caller.version <= 5
                           ? ErrorCode::kNotLeaderOrFollower
                           : code);
    co_return outcome;
  }
  outcome.data.high_watermark = read->high_watermark;
  outcome.data.last_stable_offset = read->last_stable_offset;
  outcome.data.log_start_offset = read->log_start_offset;
  outcome.records = fetch.services.reply_memory.hold(std::move(read->batches));
  co_return outcome;
}

Task<void> read_round(Fetch& fetch) {
  fetch.round.clear();
  fetch.bytes = 0;
  fetch.shortened = false;
  fetch.answer_now = false;
  const auto most =
      static_cast<std::size_t>(std::clamp(fetch.request.max_bytes, 0, fetch.services.config.fetch_max_bytes));
  // It may be closed by another request meanwhile, but changes under nobody's hands (`in_use`).
  const auto session = fetch.context.session;
  for (auto& asked : session->partitions) {
    const std::size_t wanted = most > fetch.bytes ? most - fetch.bytes : 0;
    const std::size_t room = std::min(wanted, fetch.services.reply_memory.left());
    fetch.shortened |= room < wanted && room < static_cast<std::size_t>(std::max(asked.max_bytes, 0));
    Outcome outcome = co_await read_one(fetch, asked, room, fetch.bytes == 0);
    fetch.bytes += outcome.records.size();
    if (outcome.data.error_code != 0 || outcome.data.diverging_epoch.epoch >= 0) fetch.answer_now = true;
    fetch.round.emplace_back(&asked, std::move(outcome));
  }
}

// Something that the consumer must hear of even when no records came.
bool is_news(const FetchPartition& asked, const Outcome& outcome) {
  return !outcome.records.empty() || outcome.data.error_code != 0 || outcome.data.diverging_epoch.epoch >= 0 ||
         asked.told_error || outcome.data.high_watermark != asked.told_high_watermark ||
         outcome.data.log_start_offset != asked.told_log_start;
}

void add_node(Fetch& fetch, const FetchPartition& asked, Outcome& outcome, kafka::FetchResponse& response) {
  const auto code = kafka::error_from_wire(outcome.data.error_code);
  if (code != ErrorCode::kNotLeaderOrFollower && code != ErrorCode::kFencedLeaderEpoch) return;
  const auto* topic = fetch.topic_of(asked);
  const auto leader = topic ? fetch.services.topics.leader_of(*topic, asked.partition) : std::nullopt;
  if (!leader || fetch.caller.version < kFetchNodeEndpointsSince) return;
  outcome.data.current_leader = {leader->broker, leader->epoch};
  const auto& brokers = fetch.services.cluster.state().brokers();
  const auto broker = brokers.find(leader->broker);
  const auto same = [&](const auto& node) { return node.node_id == leader->broker; };
  if (broker == brokers.end() || std::ranges::any_of(response.node_endpoints, same)) return;
  std::optional<std::string> rack;
  if (!broker->second.rack.empty()) rack = broker->second.rack;
  response.node_endpoints.push_back({leader->broker, broker->second.host, broker->second.port, std::move(rack)});
}

FetchReply reply_of(Fetch& fetch) {
  FetchReply reply;
  reply.response.session_id = fetch.context.session_id;
  auto& partitions = fetch.context.session->partitions;
  std::vector<FetchPartition*> gave;
  for (auto& [asked, outcome] : fetch.round) {
    const bool news = is_news(*asked, outcome);
    asked->told_error = outcome.data.error_code != 0;
    asked->told_high_watermark = outcome.data.high_watermark;
    asked->told_log_start = outcome.data.log_start_offset;
    if (fetch.context.incremental && !news) continue;
    auto& topics = reply.response.responses;
    if (topics.empty() || topics.back().topic != asked->topic || topics.back().topic_id != asked->topic_id) {
      topics.push_back({asked->topic, asked->topic_id, {}});
    }
    add_node(fetch, *asked, outcome, reply.response);
    // Empty, never null (KAFKA-18646). No aborted transactions for those who read them.
    outcome.data.records = Slice();
    if (fetch.request.isolation_level == kafka::kReadCommitted) outcome.data.aborted_transactions.emplace();
    if (!outcome.records.empty()) gave.push_back(asked);
    topics.back().partitions.push_back(std::move(outcome.data));
    reply.records.push_back(std::move(outcome.records));
  }
  if (fetch.context.session_id != 0 && gave.size() < partitions.size()) {
    for (FetchPartition* each : gave) {
      const auto at = std::ranges::find_if(partitions, [&](const auto& p) { return &p == each; });
      partitions.splice(partitions.end(), partitions, at);
    }
  }
  if (fetch.shortened) fetch.services.metrics.short_fetches.Increment();
  fetch.services.metrics.fetched_bytes.Increment(static_cast<double>(fetch.bytes));
  return reply;
}

}  // namespace

Task<FetchReply> fetch(Services& services, Caller caller, kafka::FetchRequest request) {
  auto context = services.fetch_sessions.begin(services.clock.now(), request, caller.version);
  if (!context) {
    FetchReply reply;
    reply.response.error_code = wire(context.error());
    co_return reply;
  }
  Fetch work{services, caller, request, std::move(*context), {}, 0, false, false};
  const SteadyTime deadline = services.clock.now() + std::chrono::milliseconds(std::max(request.max_wait_ms, 0));
  const auto enough = static_cast<std::size_t>(std::max(request.min_bytes, 0));
  co_await read_round(work);
  const auto satisfied = [&] {
    return work.answer_now || work.bytes >= enough || (work.shortened && work.bytes > 0) ||
           services.long_polls.ended() || work.context.session->partitions.empty();
  };
  if (!satisfied() && services.clock.now() < deadline) {
    Event moved;
    storage::Watch watch(services.engine, moved);
    for (const auto& asked : work.context.session->partitions) {
      if (const auto* topic = work.topic_of(asked)) watch.add({topic->id, asked.partition});
    }
    const LongPolls::Entry until_stop(services.long_polls, moved);
    // What moved between the first round and the watch is seen by this one.
    co_await read_round(work);
    bool in_time = true;
    while (in_time && !satisfied()) {
      in_time = co_await moved.wait_until(services.clock, deadline);
      if (in_time) co_await read_round(work);
    }
  }
  FetchReply reply = reply_of(work);
  FetchSessions::end(work.context);
  co_return reply;
}

}  // namespace millrace::broker
