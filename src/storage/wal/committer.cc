#include "storage/wal/committer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::storage {
namespace {

constexpr Duration kWarnInterval = 5s;
constexpr double kBytesPerBudget = 50 * (64 << 10);  // so much traffic earns the budget of PUTs once more

CommitterOptions core_options(const EngineOptions& options) {
  CommitterOptions core;
  core.linger = options.linger;
  core.cut_interval = std::min(options.cut_interval, options.linger);
  // Positions have 24 bits.
  core.slot_bytes_max = std::min<std::size_t>(options.slot_bytes_max, 15 << 20);
  core.puts_in_flight_max = std::max<std::size_t>(options.puts_in_flight_max, 1);
  core.puts_per_second_max = options.idle_puts_per_second_max;
  core.bytes_per_put = static_cast<std::size_t>(std::max(kBytesPerBudget / core.puts_per_second_max, 1.0));
  return core;
}

}  // namespace

Committer::Committer(Executor executor, Clock& clock, Random& random, object::Store& store, StorageMetrics& metrics,
                     SlotDirectory& slots, const EngineOptions& options, std::int32_t broker_id,
                     Incarnation incarnation)
    : clock_(clock),
      random_(random),
      store_(store),
      metrics_(metrics),
      slots_(slots),
      put_unknown_deadline_(options.put_unknown_deadline),
      sabotage_(options.sabotage),
      address_{broker_id, incarnation, SlotNumber(1)},
      core_(core_options(options)),
      nonce_(random.next()),
      scope_(std::move(executor)) {}

Task<Result<void>> Committer::start() {
  SliceChain body;
  const SlotAddress opening{address_.broker_id, address_.incarnation, SlotNumber(0)};
  body.append(encode_open_slot(opening, nonce_, random_.next()));
  object::CreateOptions options{.deadline = clock_.now() + put_unknown_deadline_};
  const std::string key = slot_key(opening);
  auto put = co_await object::create_object(store_, clock_, random_, key, std::move(body), options);
  if (put.outcome == object::CreateOutcome::kLost || put.outcome == object::CreateOutcome::kDeleted) {
    co_return fail(Code::kFenced, fmt::format("another process writes the WAL {}", key));
  }
  if (put.outcome != object::CreateOutcome::kCreated) co_return fail(std::move(put.error).with("opening WAL " + key));
  next_ack_ = slots_.end();
  scope_.spawn(flush_loop());
  co_return Result<void>();
}

Task<void> Committer::stop() {
  core_.drain();
  wake_.pulse();
  while (!core_.idle() && !core_.over()) co_await all_acked_.wait();
  if (open_) slots_[*open_].evicted = true;
  scope_.request_stop();
  wake_.pulse();
  co_await scope_.stop();
}

SlotRef Committer::slot_for(std::size_t bytes) {
  if (open_ && core_.is_full_for(bytes)) {
    cut();
    send_ready();
  }
  if (!open_) open_ = slots_.push(SlotInfo{});
  return *open_;
}

Promise<Result<void>> Committer::add(std::shared_ptr<LivePartition> partition, Slice batch, std::uint64_t entry) {
  CHECK(open_ && !core_.over());
  SlotInfo& slot = slots_[*open_];
  const bool first_in_slot = partition->open_slot != *open_;
  // A group holds one epoch: a partition that got a new one goes on in another group.
  if (first_in_slot || groups_[partition->open_group].epoch != partition->log.epoch()) {
    partition->open_slot = *open_;
    partition->open_group = static_cast<std::uint32_t>(groups_.size());
    if (first_in_slot) slot.partitions.push_back(partition);
    groups_.push_back({partition, partition->log.epoch(), entry, {}});
  }
  const std::size_t bytes = batch.size();
  groups_[partition->open_group].batches.push_back(std::move(batch));
  slot.bytes += bytes;
  unacked_bytes_ += bytes;
  const bool was_empty = core_.open_bytes() == 0;
  core_.added(bytes, clock_.now());
  // The loop runs after this turn of the executor, so one request's partitions share a slot.
  if (was_empty) wake_.pulse();
  return slot.durable;
}

Task<Result<SlotNumber>> Committer::flush() {
  if (core_.open_bytes() > 0 && !core_.over()) {
    cut();
    send_ready();
  }
  const SlotNumber last(core_.next().value() - 1);
  while (core_.acked() < last && !core_.over()) co_await progress_.wait();
  if (core_.over()) co_return fail(Code::kFenced, fenced_reason_);
  co_return last;
}

Task<void> Committer::flush_loop() {
  using Kind = CommitterCore::Decision::Kind;
  while (!scope_.stopping().is_set() && !core_.over()) {
    const auto decision = core_.decide(clock_.now());
    if (decision.kind == Kind::kCut) {
      cut();
      send_ready();
    } else if (decision.kind == Kind::kWait) {
      co_await wake_.wait_until(clock_, decision.when);
    } else {
      co_await wake_.wait();
    }
  }
}

void Committer::cut() {
  SlotInfo& slot = slots_[*open_];
  slot.address = address_;
  address_.slot = core_.cut(clock_.now()).next();
  std::vector<SlotGroupInput> inputs;
  inputs.reserve(groups_.size());
  for (const auto& group : groups_) inputs.push_back({group.partition->id, group.epoch, group.batches});
  auto encoded = encode_data_slot(slot.address, nonce_, random_.next(), inputs);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    groups_[i].partition->log.place(groups_[i].first_entry, groups_[i].batches.size(), encoded.positions[i]);
  }
  slot.object_size = encoded.body.size();
  groups_.clear();
  ready_.emplace_back(*std::exchange(open_, std::nullopt), std::move(encoded.body));
}

void Committer::send_ready() {
  while (!ready_.empty() && core_.may_send()) {
    if (core_.in_flight() == 0) answered_at_ = clock_.now();
    core_.sent();
    auto [ref, body] = std::move(ready_.front());
    ready_.pop_front();
    scope_.spawn(put(ref, std::move(body)));
    if (sabotage_ == Sabotage::kAckBeforeDurable) acknowledge(ref);
  }
  metrics_.puts_in_flight.Set(static_cast<double>(core_.in_flight()));
}

Task<void> Committer::put(SlotRef ref, SliceChain body) {
  const SteadyTime begin = clock_.now();
  const SlotAddress address = slots_[ref].address;
  const std::string key = slot_key(address);
  object::CreateOptions options{.deadline = begin + put_unknown_deadline_};
  options.on_retry = [this, key](const Error& error) { warn_of(key, error); };
  auto result = co_await object::create_object(store_, clock_, random_, key, std::move(body), options);
  if (core_.over()) co_return;
  // Rule 15: whatever else it was, this WAL is over. The late PUT may still land; recovery decides about it.
  const bool sabotaged = sabotage_ == Sabotage::kAckLostSlot && result.outcome == object::CreateOutcome::kLost;
  if (result.outcome != object::CreateOutcome::kCreated && !sabotaged) {
    const char* why = result.outcome == object::CreateOutcome::kLost      ? "the slot holds another writer's bytes"
                      : result.outcome == object::CreateOutcome::kDeleted ? "the slot was deleted under its writer"
                      : result.outcome == object::CreateOutcome::kRefused ? "the bucket refuses the slot"
                                                                          : "the slot's outcome stays unknown";
    fence(Error(Code::kFenced, fmt::format("{}: {} ({})", key, why, result.error.message())));
    co_return;
  }
  answered_at_ = clock_.now();
  metrics_.put_seconds.Observe(std::chrono::duration<double>(clock_.now() - begin).count());
  landed(ref, address.slot);
}

// A bucket in trouble fails many PUTs many times: one line in a while says what keeps producers waiting.
void Committer::warn_of(const std::string& key, const Error& error) {
  const SteadyTime now = clock_.now();
  if (warned_at_ && now < *warned_at_ + kWarnInterval) return;
  warned_at_ = now;
  LOG_WARN("wal.put_retried", {"key", key}, {"in_flight", core_.in_flight()}, {"error", error.message()});
}

Duration Committer::silent_for() const {
  return core_.in_flight() > 0 && !core_.over() ? clock_.now() - answered_at_ : Duration(0);
}

void Committer::landed(SlotRef ref, SlotNumber slot) {
  if (sabotage_ == Sabotage::kAckOutOfOrder) acknowledge(ref);
  const std::size_t acked = core_.durable(slot);
  for (std::size_t i = 0; i < acked; ++i) acknowledge(next_ack_++);
  send_ready();
  wake_.pulse();
  if (acked > 0) progress_.pulse();
  if (core_.idle()) all_acked_.pulse();
}

void Committer::acknowledge(SlotRef ref) {
  // Gone or acknowledged already: only when sabotaged.
  if (!slots_.holds(ref) || slots_[ref].acked) return;
  SlotInfo& slot = slots_[ref];
  slot.acked = true;
  slot.acked_at = clock_.now();
  unacked_bytes_ -= slot.bytes;
  metrics_.slots.Increment();
  metrics_.slot_bytes.Increment(static_cast<double>(slot.bytes));
  for (const auto& partition : slot.partitions) {
    if (partition->log.acknowledge(ref)) partition->wake_watchers();
  }
  slot.durable.set(Result<void>());
  if (on_acknowledged) on_acknowledged(ref);
}

void Committer::fence(const Error& why) {
  if (core_.over()) return;
  LOG_WARN("wal.fenced", {"broker", address_.broker_id}, {"incarnation", address_.incarnation.value()},
           {"reason", why.message()});
  core_.end();
  fenced_reason_ = why.message();
  metrics_.fenced.Set(1);
  ready_.clear();
  groups_.clear();
  for (SlotRef ref = std::max(next_ack_, slots_.first()); ref < slots_.end(); ++ref) {
    if (!slots_[ref].durable.ready()) slots_[ref].durable.set(fail(Code::kFenced, why.message()));
  }
  fenced_.set();
  wake_.pulse();
  progress_.pulse();
  all_acked_.pulse();
}

}  // namespace millrace::storage
