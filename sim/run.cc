#include "sim/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "kafka/batch_builder.h"
#include "object/faulty_store.h"
#include "object/memory_store.h"
#include "sim/checker.h"
#include "sim/node.h"

namespace millrace::sim {
namespace {

constexpr Duration kStorm = 25s;     // of virtual time with faults and crashes
constexpr Duration kCalmMax = 600s;  // within that everything must be well again
constexpr Duration kRequestTimeout = 8s;
constexpr Duration kReadTimeout = 12s;

template <class T>
struct Call {
  std::optional<T> answer;
  Event done;
};

struct Appended {
  std::optional<storage::AppendRefusal> refused;
  bool acked = false;
  std::int64_t base_offset = -1;
};
struct ReadAnswer {
  std::optional<Result<storage::ReadResult>> read;
};

struct Outgoing {
  std::int32_t sequence = 0;
  std::vector<std::string> records;
  bool acked = false;
};

class Run {
 public:
  Run(std::uint64_t seed, storage::Sabotage sabotage);
  RunReport go();

 private:
  using Models = std::vector<std::shared_ptr<PartitionModel>>;

  std::uint64_t below(std::uint64_t bound) { return world_.random().below(bound); }
  Clock& clock() { return world_.main().clock; }
  Executor executor() { return world_.main().executor(); }
  bool storming() const { return world_.now() < storm_ends_; }
  std::shared_ptr<Node> node() { return node_ && node_->open && !node_->dead() ? node_ : nullptr; }

  void set_faults();
  storage::EngineOptions engine_options();
  void boot_node();
  Task<void> supervise();
  Task<void> conduct();
  Task<std::optional<Uuid>> create_topic(std::string name, std::int32_t partitions);
  Task<void> topics_come_and_go();
  Task<void> produce(std::shared_ptr<PartitionModel> model, std::int64_t producer);
  Task<bool> send(PartitionModel& model, std::int64_t producer, std::deque<Outgoing>& window);
  Task<void> consume(std::shared_ptr<PartitionModel> model);
  Task<void> delete_records(std::shared_ptr<PartitionModel> model);
  Task<void> read_all(std::shared_ptr<PartitionModel> model);
  Task<std::optional<Result<storage::ReadResult>>> read(PartitionModel& model, std::int64_t offset, std::size_t bytes);

  static Task<void> do_append(std::shared_ptr<Node> node, cluster::PartitionId id, Slice batch,
                              std::shared_ptr<Call<Appended>> call);
  static Task<void> do_read(std::shared_ptr<Node> node, cluster::PartitionId id, std::int64_t offset, std::size_t bytes,
                            std::shared_ptr<Call<ReadAnswer>> call);

  World world_;
  storage::Sabotage sabotage_;
  object::MemoryStore memory_;
  object::FaultyStore bucket_;
  SteadyTime storm_ends_;
  std::shared_ptr<Node> node_;
  std::vector<std::shared_ptr<Node>> nodes_;  // all of them: a killed one is not destroyed
  Violations violations_;
  Models models_;
  int producing_ = 0;  // producers that have not emptied their window
  int tasks_ = 0;
  std::int64_t producers_ = 0;
  std::uint64_t crashes_ = 0;
  bool done_ = false;
};

Run::Run(std::uint64_t seed, storage::Sabotage sabotage)
    : world_(seed),
      sabotage_(sabotage),
      bucket_(memory_, executor(), clock(), world_.random(), {}),
      storm_ends_(world_.now() + kStorm) {
  bucket_.set_hook([this](object::FaultyStore::Step step, std::string_view operation, std::string_view key) {
    world_.trace(operation, key);
    world_.trace(step == object::FaultyStore::Step::kBefore ? "before" : "after");
  });
}

// Each seed has its own weather.
void Run::set_faults() {
  auto& faults = bucket_.options();
  const auto some = [this](double most) { return below(2) ? most * static_cast<double>(below(100)) / 100 : 0.0; };
  faults.lost_request = some(0.05);
  faults.lost_reply = some(0.05);
  faults.late_apply = some(0.05);
  faults.duplicate = some(0.05);
  faults.conflict = some(0.1);
  faults.slow = some(0.1);
  faults.latency_min = 1ms;
  faults.latency_max = Duration(5ms * (1 + below(20)));
  faults.timeout = 1s;
  faults.slow_max = 2s;
  faults.late_max = 20s;
}

storage::EngineOptions Run::engine_options() {
  storage::EngineOptions options;
  options.slot_bytes_max = 300 + below(3000);
  options.puts_in_flight_max = 1 + below(12);
  options.idle_puts_per_second_max = below(2) ? 1e6 : 50;
  options.tail_bytes_max = below(3) ? 2000 : 1 << 20;
  options.unacked_bytes_max = below(3) ? 1 << 20 : 3000;
  options.object_bytes_target = 2000 + below(10'000);
  options.object_interval = Duration(1s * (1 + below(10)));
  options.retention_check_interval = 5s;
  options.put_unknown_deadline = Duration(1s * (4 + below(10)));
  options.block_cache_bytes = below(2) ? 4 << 20 : 0;
  options.sabotage = sabotage_;
  return options;
}

void Run::boot_node() {
  node_ = std::make_shared<Node>(world_, bucket_, engine_options());
  nodes_.push_back(node_);
  // Between two handlers, early or late: while it recovers, commits, compacts or serves.
  if (storming()) node_->place->die_at = 1 + (below(3) == 0 ? below(400) : below(8'000));
  node_->start();
}

Task<void> Run::supervise() {
  boot_node();
  while (!done_) {
    co_await sleep_for(clock(), 20ms);
    if (!storming() && !node_->dead()) node_->place->die_at = ~std::uint64_t{0};
    if (!node_->dead() && !node_->over) continue;
    if (node_->error && (node_->error->code() == Code::kCorrupt || node_->error->code() == Code::kInternal)) {
      violations_.add("the node does not open: " + node_->error->to_string());
    }
    ++crashes_;
    if (!node_->dead()) world_.kill(*node_->place);
    co_await sleep_for(clock(), Duration(1ms * below(3000)));
    boot_node();
  }
}

// ---- requests ----

Task<void> Run::do_append(std::shared_ptr<Node> node, cluster::PartitionId id, Slice batch,
                          std::shared_ptr<Call<Appended>> call) {
  Appended answer;
  auto* partition = node->engine->find(id);
  auto ticket = partition ? partition->append(batch)
                          : std::expected<storage::AppendTicket, storage::AppendRefusal>(
                                std::unexpected(storage::AppendRefusal::kNotLeader));
  if (!ticket) {
    answer.refused = ticket.error();
  } else {
    Result<void> durable = co_await ticket->durable.wait();
    answer.acked = durable.has_value();
    answer.base_offset = ticket->base_offset;
  }
  call->answer = answer;
  call->done.set();
}

Task<void> Run::do_read(std::shared_ptr<Node> node, cluster::PartitionId id, std::int64_t offset, std::size_t bytes,
                        std::shared_ptr<Call<ReadAnswer>> call) {
  ReadAnswer answer;
  if (auto* partition = node->engine->find(id)) {
    answer.read = co_await partition->read(offset, bytes, storage::ReadLimit::kAtLeastOneBatch);
  }
  call->answer = std::move(answer);
  call->done.set();
}

Task<std::optional<Result<storage::ReadResult>>> Run::read(PartitionModel& model, std::int64_t offset,
                                                           std::size_t bytes) {
  const auto target = node();
  if (!target) co_return std::nullopt;
  const std::int64_t promised = model.high_watermark();
  auto call = std::make_shared<Call<ReadAnswer>>();
  spawn_on(target->place->executor(), do_read(target, model.id(), offset, bytes, call));
  co_await call->done.wait_until(clock(), clock().now() + kReadTimeout);
  if (!call->answer || !call->answer->read) co_return std::nullopt;
  auto& answer = *call->answer->read;
  if (answer) {
    model.read(offset, promised, *answer);
  } else {
    model.read_failed(offset, answer.error());
  }
  co_return std::move(answer);
}

// ---- producers ----

Slice batch_of(const Outgoing& out, std::int64_t producer) {
  kafka::BatchBuilder builder({.producer_id = producer, .producer_epoch = 0, .base_sequence = out.sequence});
  std::int64_t at = 1'750'000'000'000 + out.sequence;
  for (const auto& record : out.records) builder.add(at++, record, record);
  return builder.finish();
}

// Sends all that is not acknowledged, in order and with the old sequences; true when the window is empty.
Task<bool> Run::send(PartitionModel& model, std::int64_t producer, std::deque<Outgoing>& window) {
  const auto target = node();
  if (!target) co_return false;
  std::vector<std::shared_ptr<Call<Appended>>> calls;
  for (const auto& out : window) {
    calls.push_back(std::make_shared<Call<Appended>>());
    if (!out.acked) {
      spawn_on(target->place->executor(), do_append(target, model.id(), batch_of(out, producer), calls.back()));
    }
  }
  const SteadyTime deadline = clock().now() + kRequestTimeout;
  bool first = true;
  for (std::size_t i = 0; i < window.size(); ++i) {
    if (window[i].acked) continue;
    co_await calls[i]->done.wait_until(clock(), deadline);
    const auto& answer = calls[i]->answer;
    if (answer && answer->acked) {
      window[i].acked = true;
      model.acknowledged(answer->base_offset, window[i].records);
      world_.trace("ack", window[i].records.front());
    } else if (answer && answer->refused) {
      const bool gap = answer->refused == storage::AppendRefusal::kOutOfOrderSequence;
      if ((gap && first) || answer->refused == storage::AppendRefusal::kInvalidProducerEpoch) {
        model.violation(fmt::format("producer {} may not repeat sequence {}", producer, window[i].sequence));
      }
    }
    if (!window[i].acked) first = false;
  }
  co_return std::all_of(window.begin(), window.end(), [](const Outgoing& out) { return out.acked; });
}

Task<void> Run::produce(std::shared_ptr<PartitionModel> model, std::int64_t producer) {
  std::int32_t sequence = 0;
  while (storming() && !model->gone) {
    std::deque<Outgoing> window;
    for (auto batches = 1 + below(5); batches > 0; --batches) {
      Outgoing out{sequence, {}, false};
      for (auto records = 1 + below(4); records > 0; --records) {
        out.records.push_back(fmt::format("{}:{}:{}", producer, sequence, std::string(below(60), 'x')));
        ++sequence;
      }
      window.push_back(std::move(out));
    }
    while (!model->gone) {
      const bool all = co_await send(*model, producer, window);
      if (all) break;
      co_await sleep_for(clock(), Duration(1ms * (20 + below(200))));
    }
    co_await sleep_for(clock(), Duration(1ms * below(400)));
  }
  --producing_;
}

// ---- consumers and administrators ----

Task<void> Run::consume(std::shared_ptr<PartitionModel> model) {
  std::int64_t at = 0;
  while (storming() && !model->gone) {
    auto answer = co_await read(*model, at, 1 + below(4000));
    if (answer && *answer) {
      at = (*answer)->next_offset;
    } else if (answer && answer->error().code() == Code::kInvalid) {
      at = model->start_maybe();
    }
    if (below(8) == 0) {
      const auto low = model->start_maybe(), high = std::max(model->high_watermark(), low + 1);
      at = low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low)));
    }
    co_await sleep_for(clock(), Duration(1ms * below(300)));
  }
  --tasks_;
}

Task<void> do_delete(std::shared_ptr<Node> node, cluster::PartitionId id, std::int64_t offset,
                     std::shared_ptr<Call<std::int64_t>> call) {
  if (auto* partition = node->engine->find(id)) {
    auto answer = co_await partition->delete_records_before(offset);
    if (answer) {
      call->answer = *answer;
      call->done.set();
    }
  }
}

Task<void> Run::delete_records(std::shared_ptr<PartitionModel> model) {
  while (storming() && !model->gone) {
    co_await sleep_for(clock(), Duration(1s * (1 + below(8))));
    const auto target = node();
    if (!target || model->high_watermark() == 0) continue;
    const auto offset = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(model->high_watermark()) + 1));
    model->delete_begins(offset);
    auto call = std::make_shared<Call<std::int64_t>>();
    spawn_on(target->place->executor(), do_delete(target, model->id(), offset, call));
    co_await call->done.wait_until(clock(), clock().now() + kRequestTimeout);
    if (call->answer) model->deleted_before(offset);
  }
  --tasks_;
}

Task<void> do_create(std::shared_ptr<Node> node, cluster::NewTopicSpec spec, std::shared_ptr<Call<Uuid>> call) {
  auto made = co_await node->cluster->create_topic(spec);
  if (made) {
    call->answer = *made;
    call->done.set();
  }
}

Task<void> do_delete_topic(std::shared_ptr<Node> node, Uuid id) {
  auto gone = co_await node->cluster->delete_topic(id);
  (void)gone;  // the model expects nothing of the topic any more
}

Task<std::optional<Uuid>> Run::create_topic(std::string name, std::int32_t partitions) {
  const auto target = node();
  if (!target) co_return std::nullopt;
  auto call = std::make_shared<Call<Uuid>>();
  cluster::NewTopicSpec spec{name, partitions, {{"retention.ms", "-1"}}};
  spawn_on(target->place->executor(), do_create(target, spec, call));
  co_await call->done.wait_until(clock(), clock().now() + kRequestTimeout);
  if (!call->answer) co_return std::nullopt;
  for (std::int32_t p = 0; p < partitions; ++p) {
    auto model = std::make_shared<PartitionModel>(cluster::PartitionId{*call->answer, p}, fmt::format("{}-{}", name, p),
                                                  violations_);
    models_.push_back(model);
    ++producing_;
    tasks_ += 2;
    spawn_on(executor(), produce(model, ++producers_));
    spawn_on(executor(), consume(model));
    spawn_on(executor(), delete_records(model));
  }
  co_return call->answer;
}

Task<void> Run::topics_come_and_go() {
  std::vector<Uuid> topics;
  for (int n = 0; storming();) {
    if (topics.size() < 3) {
      auto made = co_await create_topic(fmt::format("t{}", n++), static_cast<std::int32_t>(1 + below(2)));
      if (made) topics.push_back(*made);
    } else if (const auto target = node(); target && below(3) == 0) {
      const Uuid id = topics.front();
      topics.erase(topics.begin());
      for (auto& model : models_) model->gone |= model->id().topic_id == id;
      spawn_on(target->place->executor(), do_delete_topic(target, id));
    }
    co_await sleep_for(clock(), Duration(1ms * (topics.size() < 3 ? 200 : 4000)));
  }
  --tasks_;
}

Task<void> Run::read_all(std::shared_ptr<PartitionModel> model) {
  std::int64_t at = 0, start = 0;
  for (;;) {
    auto answer = co_await read(*model, at, 1 << 20);
    if (model->gone) co_return;
    if (answer && *answer) {
      if (at < (*answer)->log_start_offset) continue;
      start = (*answer)->log_start_offset;
      if (at == (*answer)->next_offset && at < (*answer)->high_watermark) co_await sleep_for(clock(), 100ms);
      at = (*answer)->next_offset;
      if (at >= (*answer)->high_watermark) break;
    } else if (answer && answer->error().code() == Code::kInvalid && at < model->start_maybe()) {
      ++at;  // up to the log start, wherever it is
    } else {
      co_await sleep_for(clock(), 100ms);
    }
  }
  model->finish(start, at);
}

// The story of a run.
Task<void> Run::conduct() {
  set_faults();
  ++tasks_;
  spawn_on(executor(), topics_come_and_go());
  while (storming()) co_await sleep_for(clock(), 1s);
  bucket_.options() = object::FaultOptions{.latency_min = 1ms, .latency_max = 5ms};
  while (producing_ > 0 || tasks_ > 0) co_await sleep_for(clock(), 100ms);
  // One more start from the bucket alone, then everything is read.
  if (!node_->dead()) node_->place->die_at = node_->place->handlers;
  co_await sleep_for(clock(), 5s);
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (!models_[i]->gone) co_await read_all(models_[i]);
  }
  done_ = true;
}

RunReport Run::go() {
  spawn_on(executor(), supervise());
  spawn_on(executor(), conduct());
  if (!world_.run_until(done_, storm_ends_ + kCalmMax)) violations_.add("the run did not end after the faults did");
  RunReport report;
  report.hash = world_.hash();
  report.events = world_.events();
  report.crashes = crashes_;
  const auto& counts = bucket_.counts();
  report.faults = counts.lost_requests + counts.lost_replies + counts.late_applies + counts.duplicates +
                  counts.conflicts + counts.slow;
  for (const auto& model : models_) report.acks += model->acks();
  report.violations = violations_.found;
  return report;
}

}  // namespace

RunReport run_seed(std::uint64_t seed, storage::Sabotage sabotage) {
  // Never destroyed: see World::kill.
  auto* run = new Run(seed, sabotage);
  RunReport report = run->go();
  report.seed = seed;
  static std::vector<Run*> kept;
  kept.push_back(run);
  return report;
}

}  // namespace millrace::sim
