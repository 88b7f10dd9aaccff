// The idempotent producer (KIP-98, KIP-360). One Task per partition keeps its batches in order:
//
//   1. `send` puts its records into the lane of the partition, in the order of the calls.
//   2. Up to 5 batches of the lane are on their way at once, on one ordered connection; entering this window a
//      batch is built and gets its sequence.
//   3. When the first of them fails in a way that may pass, the answers of all others are awaited (they are
//      out of order now, or landed already), and all are sent again, in order, with their old sequences:
//      the broker knows the last 5 batches of a producer and answers those again instead of writing them twice.
//   4. What cannot pass, or does not within call_timeout, ends the producer: its next sequence is unknown.
#include <fmt/format.h>

#include <deque>
#include <map>

#include "client/backoff.h"
#include "client/client.h"
#include "client/cluster.h"
#include "client/kafka_error.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/produce.h"

namespace millrace::client {
namespace {

using kafka::ErrorCode;
using kafka::InitProducerIdRequest;
using kafka::InitProducerIdResponse;
using kafka::ProduceRequest;
using kafka::ProduceResponse;

// The last version that names topics, not ids.
constexpr std::int16_t kProduceVersionMax = 12;
constexpr std::int16_t kInitProducerIdVersionMax = 4;
constexpr std::size_t kInFlightMax = 5;

struct Identity {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
};

struct Batch {
  std::vector<Record> records;
  SteadyTime deadline;
  Promise<Result<std::int64_t>> landed;
  // Built, with its sequence, when it first enters the window.
  Slice bytes;
  // Set while it is on its way.
  std::shared_ptr<Exchange> exchange;
};

// The batches of one partition.
struct Lane {
  TopicPartition partition;
  std::int32_t next_sequence = 0;
  std::deque<std::shared_ptr<Batch>> batches;
  Event changed;
  bool running = false;
  // To the leader, while all goes well: the window must not be spread over two connections, whose order
  // is not defined.
  std::shared_ptr<Connection> connection;
  std::int16_t version = 0;
};

std::string context_of(const TopicPartition& partition) {
  return fmt::format("producing to {}-{}", partition.topic, partition.partition);
}

std::size_t size_hint(const std::vector<Record>& records) {
  std::size_t size = 128;
  for (const Record& record : records) {
    size += 32 + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    for (const Header& header : record.headers)
      size += 16 + header.key.size() + (header.value ? header.value->size() : 0);
  }
  return size;
}

Slice build(const std::vector<Record>& records, const Identity& identity, std::int32_t sequence, std::int64_t now_ms) {
  kafka::BatchBuilder builder({.producer_id = identity.id,
                               .producer_epoch = identity.epoch,
                               .base_sequence = sequence,
                               .size_hint = size_hint(records)});
  std::vector<kafka::HeaderView> headers;
  for (const Record& record : records) {
    headers.clear();
    for (const Header& header : record.headers) headers.push_back({header.key, header.value});
    builder.add(record.timestamp_ms < 0 ? now_ms : record.timestamp_ms, record.key, record.value, headers);
  }
  return builder.finish();
}

}  // namespace

struct Producer::Impl : std::enable_shared_from_this<Producer::Impl> {
  explicit Impl(std::shared_ptr<Cluster> cluster_in) : cluster(std::move(cluster_in)) {}

  std::shared_ptr<Cluster> cluster;
  Identity identity;
  std::optional<Promise<Result<void>>> identifying;
  std::map<TopicPartition, std::shared_ptr<Lane>> lanes;
  std::optional<Error> ended;

  // No batch can be sent any more: what waits in the lanes fails, and so does every later send.
  void end(Error why) {
    if (ended) return;
    ended = std::move(why);
    for (auto& [partition, lane] : lanes) {
      for (auto& batch : std::exchange(lane->batches, {})) batch->landed.set(fail(*ended));
      lane->changed.pulse();
    }
  }

  Result<void> fill_window(Lane& lane);

  static Task<Result<void>> identify(std::shared_ptr<Impl> self, SteadyTime deadline);
  static Task<Result<std::int64_t>> send(std::shared_ptr<Impl> self, TopicPartition partition,
                                         std::vector<Record> records);
  static Task<void> run(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane);
  static Task<Result<std::int64_t>> send_first(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane,
                                               std::shared_ptr<Batch> first);
  static Task<Result<void>> find_leader(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane, SteadyTime deadline);
  static Task<Result<std::int64_t>> answer_of(std::shared_ptr<Cluster> cluster, std::shared_ptr<Lane> lane,
                                              std::shared_ptr<Connection> connection, std::shared_ptr<Batch> batch);
  static Task<void> call_back(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane);
};

namespace {

Task<Result<Identity>> ask_identity(std::shared_ptr<Cluster> cluster, SteadyTime deadline) {
  CO_TRY(const auto broker, co_await cluster->any(deadline));
  InitProducerIdRequest request;
  request.transaction_timeout_ms = 60'000;
  CO_TRY(const auto response,
         co_await broker->ask<InitProducerIdResponse>(request, kInitProducerIdVersionMax, deadline));
  const auto code = kafka::error_from_wire(response.error_code);
  if (code != ErrorCode::kNone) co_return fail(error_of(code, "InitProducerId"));
  co_return Identity{response.producer_id, response.producer_epoch};
}

}  // namespace

// Asked for once; the other lanes wait for the same answer.
Task<Result<void>> Producer::Impl::identify(std::shared_ptr<Impl> self, SteadyTime deadline) {
  if (self->identity.id >= 0) co_return Result<void>();
  if (self->identifying) {
    const auto other = *self->identifying;
    co_return co_await other.wait();
  }
  const Promise<Result<void>> promise;
  self->identifying = promise;
  auto asked = co_await ask_identity(self->cluster, deadline);
  Result<void> answer;
  if (asked) {
    self->identity = *asked;
  } else {
    answer = fail(std::move(asked).error());
  }
  self->identifying.reset();
  promise.set(answer);
  co_return answer;
}

Task<Result<std::int64_t>> Producer::Impl::send(std::shared_ptr<Impl> self, TopicPartition partition,
                                                std::vector<Record> records) {
  if (records.empty()) co_return fail(Code::kInvalid, context_of(partition) + ": no records");
  if (self->ended) co_return fail(*self->ended);
  auto& entry = self->lanes[partition];
  if (!entry) {
    entry = std::make_shared<Lane>();
    entry->partition = partition;
  }
  const auto lane = entry;
  const auto batch = std::make_shared<Batch>();
  batch->records = std::move(records);
  batch->deadline = self->cluster->deadline();
  lane->batches.push_back(batch);
  if (!std::exchange(lane->running, true)) spawn_on(self->cluster->executor(), run(self, lane));
  // What goes wrong here comes up again when the lane gets to this batch.
  if (lane->connection) (void)self->fill_window(*lane);
  lane->changed.pulse();
  const auto landed = batch->landed;
  co_return co_await landed.wait();
}

// Sends what is not on its way yet, up to the window, in order.
Result<void> Producer::Impl::fill_window(Lane& lane) {
  for (std::size_t i = 0; i < lane.batches.size() && i < kInFlightMax; ++i) {
    Batch& batch = *lane.batches[i];
    if (batch.exchange) continue;
    if (batch.bytes.empty()) {
      batch.bytes = build(batch.records, identity, lane.next_sequence, cluster->clock().wall_ms());
      const std::uint64_t next = static_cast<std::uint64_t>(lane.next_sequence) + batch.records.size();
      lane.next_sequence = static_cast<std::int32_t>(next & 0x7fffffffu);
      batch.records = {};
    }
    ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = static_cast<std::int32_t>(cluster->options().call_timeout / 1ms);
    auto& topic = request.topic_data.emplace_back();
    topic.name = lane.partition.topic;
    topic.partition_data.push_back({.index = lane.partition.partition, .records = batch.bytes});
    TRY(batch.exchange, lane.connection->start(request, lane.version));
  }
  return {};
}

Task<Result<void>> Producer::Impl::find_leader(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane,
                                               SteadyTime deadline) {
  CO_TRY_VOID(co_await identify(self, deadline));
  CO_TRY(const Broker leader, co_await self->cluster->leader_of(lane->partition, deadline));
  CO_TRY(const auto connection, co_await self->cluster->connection(leader, Purpose::kProduce, deadline));
  CO_TRY(lane->version, connection->version_for(kafka::ApiKey::kProduce, kProduceVersionMax));
  lane->connection = connection;
  co_return Result<void>();
}

Task<Result<std::int64_t>> Producer::Impl::answer_of(std::shared_ptr<Cluster> cluster, std::shared_ptr<Lane> lane,
                                                     std::shared_ptr<Connection> connection,
                                                     std::shared_ptr<Batch> batch) {
  const auto exchange = batch->exchange;
  CO_TRY(const auto response,
         co_await connection->answer<ProduceResponse>(exchange, lane->version, cluster->attempt(batch->deadline)));
  if (response.responses.size() != 1 || response.responses[0].partition_responses.size() != 1) {
    co_return fail(Code::kCorrupt, context_of(lane->partition) + ": no answer for the partition");
  }
  const auto& answer = response.responses[0].partition_responses[0];
  const auto code = kafka::error_from_wire(answer.error_code);
  // A duplicate whose offset the broker has forgotten is written all the same.
  if (code == ErrorCode::kNone || code == ErrorCode::kDuplicateSequenceNumber) co_return answer.base_offset;
  Error error = error_of(code, context_of(lane->partition), answer.error_message.value_or(""));
  // The topic existed when its leader was looked up: the broker may just not know yet.
  if (code == ErrorCode::kUnknownTopicOrPartition) error = Error(Code::kUnavailable, error.message());
  co_return fail(std::move(error));
}

Task<Result<std::int64_t>> Producer::Impl::send_first(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane,
                                                      std::shared_ptr<Batch> first) {
  if (!lane->connection) CO_TRY_VOID(co_await find_leader(self, lane, first->deadline));
  if (self->ended) co_return fail(*self->ended);
  CO_TRY_VOID(self->fill_window(*lane));
  co_return co_await answer_of(self->cluster, lane, lane->connection, first);
}

// Waits for the answers of all batches on their way, whatever they are, so that none is left to arrive late;
// then nothing is on its way, and the leader is to be looked up again.
Task<void> Producer::Impl::call_back(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane) {
  const auto connection = std::exchange(lane->connection, nullptr);
  const auto sent = lane->batches;
  for (const auto& batch : sent) {
    if (batch->exchange) (void)co_await answer_of(self->cluster, lane, connection, batch);
    batch->exchange = nullptr;
  }
  self->cluster->forget(lane->partition.topic);
}

Task<void> Producer::Impl::run(std::shared_ptr<Impl> self, std::shared_ptr<Lane> lane) {
  std::optional<Backoff> backoff;
  while (!self->ended) {
    if (lane->batches.empty()) {
      co_await lane->changed.wait();
      continue;
    }
    const auto first = lane->batches.front();
    const auto landed = co_await send_first(self, lane, first);
    if (self->ended) co_return;
    if (landed) {
      lane->batches.pop_front();
      first->landed.set(*landed);
      backoff.reset();
      continue;
    }
    co_await call_back(self, lane);
    if (self->ended) co_return;
    if (!backoff) backoff.emplace(self->cluster->clock(), first->deadline);
    const bool again = landed.error().retriable() && co_await backoff->wait();
    if (again || self->ended) continue;
    if (first->bytes.empty()) {
      // It has no sequence yet: the producer goes on without it.
      lane->batches.pop_front();
      first->landed.set(landed);
      backoff.reset();
    } else {
      self->end(Error(landed.error()).with("the producer ended"));
    }
  }
}

Producer::Producer(Client& client) : impl_(std::make_shared<Impl>(client.cluster_)) {}

Producer::~Producer() { impl_->end({Code::kCancelled, "the producer was closed"}); }

Task<Result<std::int64_t>> Producer::send(TopicPartition partition, std::vector<Record> records) {
  return Impl::send(impl_, std::move(partition), std::move(records));
}

}  // namespace millrace::client
