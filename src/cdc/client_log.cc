#include "cdc/client_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::cdc {

using client::TopicPartition;
using Offsets = std::map<TopicPartition, std::int64_t>;

struct ClientLog::Impl : std::enable_shared_from_this<Impl> {
  struct Pending {
    std::size_t batches_left = 0, bytes = 0;
    std::optional<Position> position;
    Offsets next;
  };

  Impl(Executor executor_in, Clock& clock_in, client::Connector& connector, client::ClientOptions options,
       ClientLogOptions log_in, CdcMetrics& metrics_in, std::function<void()> on_progress_in)
      : executor(std::move(executor_in)),
        clock(clock_in),
        client(executor, clock_in, connector, std::move(options)),
        producer(client),
        log(std::move(log_in)),
        metrics(metrics_in),
        on_progress(std::move(on_progress_in)),
        scope(executor) {}

  // --- on the client's thread ---
  Task<Result<std::optional<Position>>> load_position();
  Task<Result<Offsets>> end_offsets();
  Task<Result<std::optional<LandedTail>>> read_tail(TopicPartition partition, std::int64_t from);
  Task<Result<std::int32_t>> partitions_of(std::string topic);
  void accept(Unit unit);
  Task<void> send(Batch batch, std::shared_ptr<Pending> pending);
  void settle();
  Task<void> write_positions();
  void fail_with(Error error);
  bool stopping() const { return log.stopping != nullptr && log.stopping->load(); }

  // --- asked from the blocking thread ---
  template <class T>
  Result<T> ask(Task<Result<T>> task);

  Executor executor;
  Clock& clock;
  client::Client client;
  client::Producer producer;
  ClientLogOptions log;
  CdcMetrics& metrics;
  std::function<void()> on_progress;
  TaskScope scope;

  // Client's thread only.
  std::deque<std::shared_ptr<Pending>> pending;
  Offsets stable, since;  // as of `candidate`; landed after it
  std::optional<Position> candidate;
  Event candidate_changed;
  bool writer_running = false;

  // Both threads.
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Error> error;
  std::size_t bytes_in_flight = 0, units_in_flight = 0;
  Lsn stored = 0;
  std::uint64_t positions_given = 0, positions_stored = 0;  // how many candidates
  bool hurry = false;
};

namespace {

template <class T>
struct Answer {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<T>> value;
};

template <class T>
Task<void> answer_into(std::shared_ptr<Answer<T>> answer, Task<Result<T>> task) {
  auto result = co_await std::move(task);
  const std::lock_guard lock(answer->mutex);
  answer->value.emplace(std::move(result));
  answer->changed.notify_all();
}

}  // namespace

template <class T>
Result<T> ClientLog::Impl::ask(Task<Result<T>> task) {
  auto answer = std::make_shared<Answer<T>>();
  spawn_on(executor, answer_into<T>(answer, std::move(task)));
  std::unique_lock lock(answer->mutex);
  // The task itself must end, as it uses this object: a stop gives it a second, then takes its connections away.
  for (int slices = 0; !answer->changed.wait_for(lock, 200ms, [&] { return answer->value.has_value(); });) {
    if (!stopping() || ++slices != 5) continue;
    boost::asio::post(executor, [shared = shared_from_this()] { shared->client.close(); });
  }
  return std::move(*answer->value);
}

Task<Result<std::optional<Position>>> ClientLog::Impl::load_position() {
  const std::string key = position_key(log.prefix, log.slot);
  client::NewTopic topic{log.positions_topic, 1, {{"cleanup.policy", "compact"}}};
  CO_TRY_VOID(co_await client.create_topic(std::move(topic)));
  const TopicPartition partition{log.positions_topic, 0};
  CO_TRY(const std::int64_t end, co_await client.offset_of(partition, client::OffsetSpec::kLatest));
  CO_TRY(const std::int64_t start, co_await client.offset_of(partition, client::OffsetSpec::kEarliest));
  // The newest records first: a window that doubles until it holds our key.
  for (std::int64_t window = 1000;; window *= 8) {
    std::int64_t at = std::max(start, end - window);
    const std::int64_t from = at;
    std::optional<Position> found;
    while (at < end) {
      std::map<TopicPartition, std::int64_t> positions{{partition, at}};
      CO_TRY(auto fetched, co_await client.fetch(std::move(positions)));
      for (auto& part : fetched) {
        if (part.error) co_return fail(std::move(*part.error));
        for (auto& record : part.records) {
          if (record.key != key || !record.value) continue;
          CO_TRY(found, decode_position(*record.value));
        }
        at = std::max(at, part.next_offset);
      }
    }
    if (found || from == start) co_return found;
  }
}

Task<Result<Offsets>> ClientLog::Impl::end_offsets() {
  CO_TRY(const auto topics, co_await client.list_topics());
  Offsets out;
  for (const auto& topic : topics) {
    if (!topic.starts_with(log.prefix + ".")) continue;
    CO_TRY(const std::int32_t partitions, co_await client.partition_count(topic));
    for (std::int32_t p = 0; p < partitions; ++p) {
      const TopicPartition partition{topic, p};
      CO_TRY(const std::int64_t end, co_await client.offset_of(partition, client::OffsetSpec::kLatest));
      out[partition] = end;
    }
  }
  co_return out;
}

Task<Result<std::optional<LandedTail>>> ClientLog::Impl::read_tail(TopicPartition partition, std::int64_t from) {
  CO_TRY(const std::int64_t end, co_await client.offset_of(partition, client::OffsetSpec::kLatest));
  CO_TRY(const std::int64_t start, co_await client.offset_of(partition, client::OffsetSpec::kEarliest));
  std::optional<LandedTail> tail;
  std::int64_t at = std::max(from, start);
  while (at < end) {
    std::map<TopicPartition, std::int64_t> positions{{partition, at}};
    CO_TRY(auto fetched, co_await client.fetch(std::move(positions)));
    for (auto& part : fetched) {
      if (part.error) co_return fail(std::move(*part.error));
      for (auto& record : part.records) {
        if (!record.value) {  // a tombstone belongs to the delete before it
          if (tail) ++tail->records;
          continue;
        }
        const auto event = decode_landed_event(*record.value);
        if (!event || event->name != log.prefix) continue;  // somebody else wrote it
        if (!tail || tail->xid != event->xid) tail = LandedTail{event->xid, 0, ""};
        ++tail->records;
        tail->snapshot = event->snapshot;
      }
      at = std::max(at, part.next_offset);
    }
  }
  co_return tail;
}

Task<Result<std::int32_t>> ClientLog::Impl::partitions_of(std::string topic) {
  auto count = co_await client.partition_count(topic);
  if (count || count.error().code() != Code::kNotFound) co_return count;
  client::NewTopic wanted{topic, 1, {}};
  CO_TRY_VOID(co_await client.create_topic(std::move(wanted)));
  co_return co_await client.partition_count(topic);
}

void ClientLog::Impl::accept(Unit unit) {
  auto entry = std::make_shared<Pending>();
  entry->batches_left = unit.batches.size();
  entry->bytes = unit.bytes;
  entry->position = std::move(unit.position);
  pending.push_back(entry);
  for (auto& batch : unit.batches) scope.spawn(send(std::move(batch), entry));
  if (!writer_running) {
    writer_running = true;
    scope.spawn(write_positions());
  }
  settle();
}

Task<void> ClientLog::Impl::send(Batch batch, std::shared_ptr<Pending> entry) {
  {
    const std::lock_guard lock(mutex);
    if (error) co_return;
  }
  const auto count = static_cast<std::int64_t>(batch.records.size());
  const TopicPartition partition = batch.partition;
  auto first = co_await producer.send(batch.partition, std::move(batch.records));
  if (!first) {
    fail_with(std::move(first.error()).with("writing to topic " + partition.topic));
    co_return;
  }
  auto& next = entry->next[partition];
  next = std::max(next, *first + count);
  --entry->batches_left;
  settle();
}

void ClientLog::Impl::settle() {
  std::size_t bytes = 0, units = 0;
  std::uint64_t given = 0;
  while (!pending.empty() && pending.front()->batches_left == 0) {
    auto& front = *pending.front();
    for (auto& [partition, next] : front.next) since[partition] = next;
    if (front.position) {
      for (auto& [partition, next] : since) stable[partition] = next;
      since.clear();
      candidate = std::move(front.position);
      ++given;
    }
    bytes += front.bytes;
    ++units;
    pending.pop_front();
  }
  if (units == 0) return;
  {
    const std::lock_guard lock(mutex);
    bytes_in_flight -= bytes;
    units_in_flight -= units;
    positions_given += given;
    metrics.bytes_in_flight.Set(static_cast<double>(bytes_in_flight));
    changed.notify_all();
  }
  if (given > 0) candidate_changed.pulse();
  on_progress();
}

Task<void> ClientLog::Impl::write_positions() {
  SteadyTime next_write = clock.now();
  for (;;) {
    bool hurried = false;
    {
      const std::lock_guard lock(mutex);
      if (error) co_return;
      hurried = hurry;
    }
    if (!candidate || (!hurried && clock.now() < next_write)) {
      co_await candidate_changed.wait_until(clock, candidate ? next_write : clock.now() + 1s);
      continue;
    }
    Position position = std::move(*candidate);
    candidate.reset();
    position.offsets = stable;
    std::uint64_t number = 0;
    {
      const std::lock_guard lock(mutex);
      number = positions_given;
    }
    std::vector<client::Record> records(1);
    records[0].key = position_key(log.prefix, log.slot);
    records[0].value = encode_position(position);
    const TopicPartition partition{log.positions_topic, 0};
    auto done = co_await producer.send(partition, std::move(records));
    if (!done) {
      fail_with(std::move(done.error()).with("writing the position to " + log.positions_topic));
      co_return;
    }
    next_write = clock.now() + log.position_every;
    {
      const std::lock_guard lock(mutex);
      stored = position.lsn;
      positions_stored = number;
      changed.notify_all();
    }
    on_progress();
  }
}

void ClientLog::Impl::fail_with(Error why) {
  {
    const std::lock_guard lock(mutex);
    if (!error) error = std::move(why);
    changed.notify_all();
  }
  candidate_changed.pulse();
  on_progress();
}

ClientLog::ClientLog(Executor executor, Clock& clock, client::Connector& connector, client::ClientOptions options,
                     ClientLogOptions log, CdcMetrics& metrics, std::function<void()> on_progress)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, connector, std::move(options), std::move(log), metrics,
                                   std::move(on_progress))) {}
ClientLog::~ClientLog() = default;

Task<void> ClientLog::stop() {
  auto impl = impl_;
  impl->fail_with(Error(Code::kCancelled, "stopped"));
  // Else the next attempt must find what is under way landed or refused.
  if (impl->stopping()) impl->client.close();
  co_await impl->scope.stop();
}

Result<std::optional<Position>> ClientLog::load_position() { return impl_->ask(impl_->load_position()); }
Result<Offsets> ClientLog::end_offsets() { return impl_->ask(impl_->end_offsets()); }
Result<std::optional<LandedTail>> ClientLog::read_tail(TopicPartition partition, std::int64_t from) {
  return impl_->ask(impl_->read_tail(std::move(partition), from));
}
Result<std::int32_t> ClientLog::partitions_of(const std::string& topic) {
  return impl_->ask(impl_->partitions_of(topic));
}

void ClientLog::begin(const Offsets& offsets) {
  const auto impl = impl_;
  boost::asio::post(impl->executor, [impl, offsets] { impl->stable = offsets; });
}

Result<bool> ClientLog::submit(Unit& unit, Duration wait) {
  auto& impl = *impl_;
  std::unique_lock lock(impl.mutex);
  const auto room = [&] {
    return impl.error || impl.bytes_in_flight == 0 || impl.bytes_in_flight + unit.bytes <= impl.log.bytes_in_flight_max;
  };
  if (!impl.changed.wait_for(lock, wait, room)) return false;
  if (impl.error) return fail(*impl.error);
  impl.bytes_in_flight += unit.bytes;
  ++impl.units_in_flight;
  lock.unlock();
  std::size_t records = 0;
  for (const auto& batch : unit.batches) records += batch.records.size();
  impl.metrics.rows.Increment(static_cast<double>(records));
  impl.metrics.bytes.Increment(static_cast<double>(unit.bytes));
  boost::asio::post(impl.executor,
                    [shared = impl_, moved = std::move(unit)]() mutable { shared->accept(std::move(moved)); });
  unit = Unit{};
  return true;
}

Result<void> ClientLog::flush(Duration at_most) {
  auto& impl = *impl_;
  std::unique_lock lock(impl.mutex);
  impl.hurry = true;
  boost::asio::post(impl.executor, [shared = impl_] { shared->candidate_changed.pulse(); });
  const bool done = impl.changed.wait_for(lock, at_most, [&] {
    return impl.error || (impl.units_in_flight == 0 && impl.positions_stored == impl.positions_given);
  });
  impl.hurry = false;
  if (impl.error) return fail(*impl.error);
  if (!done) return fail(Code::kTimeout, "the log did not acknowledge in time");
  return {};
}

Result<Lsn> ClientLog::stored() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->error) return fail(*impl_->error);
  return impl_->stored;
}

std::size_t ClientLog::units_in_flight() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->units_in_flight;
}

}  // namespace millrace::cdc
