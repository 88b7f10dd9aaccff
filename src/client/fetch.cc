// Client::fetch: one Fetch request per broker, side by side, and the records out of the batches it answers.
#include "kafka/messages/fetch.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "client/backoff.h"
#include "client/client.h"
#include "client/cluster.h"
#include "client/kafka_error.h"
#include "kafka/records.h"

namespace millrace::client {
namespace {

using kafka::BatchSplitter;
using kafka::BatchView;
using kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::FetchResponse;

// The last version that names topics, not ids.
constexpr std::int16_t kFetchVersionMax = 12;

using Positions = std::map<TopicPartition, std::int64_t>;
using PartitionData = FetchResponse::PartitionData;

std::optional<std::string> copy_of(const std::optional<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

// Which batches belong to transactions that were aborted (KIP-98): from the first offset of each, until its marker.
class AbortedTransactions {
 public:
  explicit AbortedTransactions(const PartitionData& data) {
    if (!data.aborted_transactions) return;
    for (const auto& each : *data.aborted_transactions) starts_.emplace(each.first_offset, each.producer_id);
  }
  bool hides(const BatchView& batch) {
    while (!starts_.empty() && starts_.begin()->first <= batch.last_offset()) {
      open_.insert(starts_.begin()->second);
      starts_.erase(starts_.begin());
    }
    return batch.is_transactional() && open_.contains(batch.producer_id());
  }
  void ends_at(std::int64_t producer_id) { open_.erase(producer_id); }

 private:
  std::multimap<std::int64_t, std::int64_t> starts_;
  std::set<std::int64_t> open_;
};

Result<void> read_batch(const Slice& bytes, std::int64_t from, std::vector<Record>& into) {
  std::optional<Error> bad;
  TRY_VOID(kafka::for_each_record(bytes, [&](const kafka::RecordView& view) {
    if (view.offset < from) return true;
    Record& record = into.emplace_back();
    record.offset = view.offset;
    record.timestamp_ms = view.timestamp_ms;
    record.key = copy_of(view.key);
    record.value = copy_of(view.value);
    if (view.header_count == 0) return true;
    auto headers = kafka::headers_of(view);
    if (!headers) {
      bad = headers.error();
      return false;
    }
    for (const auto& header : *headers) record.headers.push_back({std::string(header.key), copy_of(header.value)});
    return true;
  }));
  if (bad) return fail(*bad);
  return {};
}

// The records from `fetched.next_offset` on; moves it behind the last whole batch.
Result<void> read_records(const PartitionData& data, bool read_committed, FetchedPartition& fetched) {
  if (!data.records) return {};
  AbortedTransactions aborted(data);
  BatchSplitter splitter(*data.records);
  while (true) {
    TRY(const auto bytes, splitter.next());
    if (!bytes) return {};
    TRY(const BatchView batch, BatchView::at_start_of(*bytes));
    if (!batch.crc_matches()) {
      return fail(Code::kCorrupt, fmt::format("the batch at offset {} has a wrong checksum", batch.base_offset()));
    }
    if (batch.next_offset() <= fetched.next_offset) continue;
    const bool hidden = read_committed && aborted.hides(batch);
    if (batch.is_control()) {
      aborted.ends_at(batch.producer_id());
    } else if (!hidden) {
      TRY_VOID(read_batch(*bytes, fetched.next_offset, fetched.records));
    }
    fetched.next_offset = batch.next_offset();
  }
}

FetchRequest make_request(const Positions& positions, const FetchOptions& options) {
  FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(options.max_wait / 1ms);
  request.min_bytes = options.min_bytes;
  request.max_bytes = options.max_bytes;
  request.isolation_level = options.read_committed ? 1 : 0;
  for (const auto& [partition, offset] : positions) {
    if (request.topics.empty() || request.topics.back().topic != partition.topic) {
      request.topics.emplace_back().topic = partition.topic;
    }
    request.topics.back().partitions.push_back(
        {.partition = partition.partition, .fetch_offset = offset, .partition_max_bytes = options.partition_max_bytes});
  }
  return request;
}

// Shared by the requests of one call of fetch.
struct Gathered {
  std::vector<FetchedPartition> partitions;
  std::optional<Error> trouble;
  int running = 0;
  Event finished;
};

void take_partition(Cluster& cluster, const Positions& positions, const FetchOptions& options, const std::string& topic,
                    const PartitionData& data, Gathered& into) {
  const auto asked = positions.find({topic, data.partition_index});
  if (asked == positions.end()) return;
  const std::string name = fmt::format("partition {}-{}", topic, data.partition_index);
  FetchedPartition fetched{.partition = asked->first,
                           .next_offset = asked->second,
                           .high_watermark = data.high_watermark,
                           .log_start_offset = data.log_start_offset};
  const auto code = kafka::error_from_wire(data.error_code);
  if (code == ErrorCode::kNone) {
    auto read = read_records(data, options.read_committed, fetched);
    if (!read) fetched.error = std::move(read).error().with(name);
  } else {
    if (leader_moved(code)) cluster.forget(topic);
    Error error = error_of(code, name);
    if (error.retriable()) {
      into.trouble = std::move(error);
      return;
    }
    fetched.error = std::move(error);
  }
  into.partitions.push_back(std::move(fetched));
}

Task<Result<void>> fetch_from(Cluster& cluster, Broker leader, const Positions& positions, const FetchOptions& options,
                              SteadyTime deadline, Gathered& into) {
  CO_TRY(const auto broker, co_await cluster.connection(leader, Purpose::kFetch, deadline));
  const FetchRequest request = make_request(positions, options);
  const SteadyTime attempt = cluster.attempt(deadline, options.max_wait);
  CO_TRY(const auto response, co_await broker->ask<FetchResponse>(request, kFetchVersionMax, attempt));
  const auto code = kafka::error_from_wire(response.error_code);
  if (code != ErrorCode::kNone) co_return fail(error_of(code, "fetch"));
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      take_partition(cluster, positions, options, topic.topic, partition, into);
    }
  }
  co_return Result<void>();
}

Task<void> fetch_one_broker(std::shared_ptr<Cluster> cluster, Broker leader, Positions positions, FetchOptions options,
                            SteadyTime deadline, std::shared_ptr<Gathered> into) {
  auto fetched = co_await fetch_from(*cluster, leader, positions, options, deadline, *into);
  if (!fetched) {
    into->trouble = std::move(fetched).error();
    for (const auto& [partition, offset] : positions) cluster->forget(partition.topic);
  }
  if (--into->running == 0) into->finished.set();
}

// One round: every position asked once at its leader.
Task<std::shared_ptr<Gathered>> fetch_round(std::shared_ptr<Cluster> cluster, const Positions& positions,
                                            const FetchOptions& options, SteadyTime deadline) {
  auto gathered = std::make_shared<Gathered>();
  std::map<Broker, Positions> by_leader;
  for (const auto& [partition, offset] : positions) {
    auto leader = co_await cluster->leader_of(partition, deadline);
    if (leader) {
      by_leader[*leader].emplace(partition, offset);
    } else if (leader.error().retriable()) {
      gathered->trouble = std::move(leader).error();
    } else {
      FetchedPartition missing{.partition = partition, .error = std::move(leader).error(), .next_offset = offset};
      gathered->partitions.push_back(std::move(missing));
    }
  }
  gathered->running = static_cast<int>(by_leader.size());
  for (auto& [leader, part] : by_leader) {
    spawn_on(cluster->executor(), fetch_one_broker(cluster, leader, std::move(part), options, deadline, gathered));
  }
  if (gathered->running > 0) co_await gathered->finished.wait();
  co_return gathered;
}

Task<Result<std::vector<FetchedPartition>>> fetch_all(std::shared_ptr<Cluster> cluster, Positions positions,
                                                      FetchOptions options) {
  const SteadyTime deadline = cluster->deadline() + options.max_wait;
  Backoff backoff(cluster->clock(), deadline);
  while (true) {
    const auto gathered = co_await fetch_round(cluster, positions, options, deadline);
    if (!gathered->partitions.empty() || !gathered->trouble) co_return std::move(gathered->partitions);
    if (!gathered->trouble->retriable() || !co_await backoff.wait()) co_return fail(*gathered->trouble);
  }
}

}  // namespace

Task<Result<std::vector<FetchedPartition>>> Client::fetch(Positions positions, FetchOptions options) {
  return fetch_all(cluster_, std::move(positions), options);
}

}  // namespace millrace::client
