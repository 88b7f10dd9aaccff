#include "sim/clients.h"

#include <fmt/format.h>

#include "kafka/batch_builder.h"

namespace millrace::sim {
namespace {

constexpr Duration kRequestTimeout = 8s;
constexpr Duration kReadTimeout = 12s;
constexpr Duration kMetadataTimeout = 3s;
constexpr std::int32_t kProved = 1 << 30;  // above every epoch: it knows all that was promised

template <class Out>
Slice batch_of(const Out& out, std::int64_t producer, bool compacted) {
  kafka::BatchBuilder builder({.producer_id = producer, .producer_epoch = 0, .base_sequence = out.sequence});
  std::int64_t at = 1'750'000'000'000 + out.sequence;
  for (const auto& record : out.records) {
    const std::string key = compacted ? PartitionModel::key_of(record) : record;
    if (compacted && PartitionModel::is_tombstone(record)) {
      const kafka::HeaderView name{"name", record};
      builder.add(at++, key, std::nullopt, {&name, 1});
    } else {
      builder.add(at++, key, record);
    }
  }
  return builder.finish();
}

storage::Partition* find(const Node& node, const cluster::PartitionId& id) {
  return node.engine ? node.engine->find(id) : nullptr;
}

}  // namespace

void Clients::begin(int topics_at_once) {
  ++tasks_;
  spawn_on(executor(), topics_come_and_go(topics_at_once));
}

std::uint64_t Clients::acks() const {
  std::uint64_t sum = 0;
  for (const auto& model : models_) sum += model->acks();
  return sum;
}

std::string Clients::waiting_for() const {
  std::string names;
  for (const auto& [producer, partition] : producing_) names += (names.empty() ? "" : ", ") + partition;
  return names;
}

// ---- at the broker ----

Task<void> Clients::at_append(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                              Slice batch, std::shared_ptr<Call<Appended>> call) {
  Appended answer;
  auto* partition = find(*node, id);
  if (!partition) {
    answer.refused = storage::AppendRefusal::kNotLeader;
  } else if (auto ticket = partition->append(batch); !ticket) {
    answer.refused = ticket.error();
    answer.epoch = partition->leader_epoch();
  } else {
    answer.epoch = partition->leader_epoch();
    Result<void> durable = co_await ticket->durable.wait();
    answer.acked = durable.has_value();
    answer.base_offset = ticket->base_offset;
  }
  network.reply(trip, call, answer);
}

Task<void> Clients::at_read(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                            std::int64_t offset, std::size_t bytes, std::shared_ptr<Call<ReadAnswer>> call) {
  ReadAnswer answer;
  auto* partition = find(*node, id);
  // Rule 19, as the broker keeps it: only one that is certain to lead says what is not there.
  if (partition && offset > partition->high_watermark()) {
    const Result<void> proved = co_await node->cluster->prove_live();
    partition = proved ? find(*node, id) : nullptr;
  }
  if (partition) {
    answer.epoch = partition->leader_epoch();
    answer.read = co_await partition->read(offset, bytes, storage::ReadLimit::kAtLeastOneBatch);
  }
  network.reply(trip, call, std::move(answer));
}

Task<void> Clients::at_ask_time(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                                std::shared_ptr<Call<TimeAnswer>> call) {
  TimeAnswer answer;
  if (auto* partition = find(*node, id)) {
    answer.epoch = partition->leader_epoch();
    answer.found = co_await partition->find_by_time(0);
  }
  network.reply(trip, call, std::move(answer));
}

// Metadata, as much of it as is needed.
Task<void> Clients::at_find(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                            std::shared_ptr<Call<std::optional<Leader>>> call) {
  std::optional<Leader> leader;
  const auto& state = node->cluster->state();
  const auto* partition = state.partition(id);
  if (partition && partition->leader_broker) {
    const auto broker = state.brokers().find(*partition->leader_broker);
    if (broker != state.brokers().end())
      leader = Leader{broker->second.host, broker->second.port, partition->leader_epoch};
  }
  network.reply(trip, call, leader);
  co_return;
}

Task<void> Clients::at_delete_records(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                                      std::int64_t offset, std::shared_ptr<Call<bool>> call) {
  bool done = false;
  if (auto* partition = find(*node, id)) {
    auto answer = co_await partition->delete_records_before(offset);
    done = answer.has_value();
  }
  network.reply(trip, call, done);
}

Task<void> Clients::at_create(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::NewTopicSpec spec,
                              std::shared_ptr<Call<std::optional<Uuid>>> call) {
  auto made = co_await node->cluster->create_topic(spec);
  network.reply(trip, call, made ? std::optional<Uuid>(*made) : std::nullopt);
}

Task<void> Clients::at_delete_topic(std::shared_ptr<Node> node, Network& network, Trip trip, Uuid id,
                                    std::shared_ptr<Call<bool>> call) {
  auto gone = co_await node->cluster->delete_topic(id);
  network.reply(trip, call, gone.has_value() || gone.error().code() == Code::kNotFound);
}

// ---- finding a leader ----

std::shared_ptr<Node> Clients::anyone() {
  const auto nodes = fleet_.listening();
  return nodes.empty() ? nullptr : nodes[world_.below(nodes.size())];
}

Task<std::shared_ptr<Node>> Clients::find_leader(cluster::PartitionId id, Route& route) {
  if (route.known) {
    if (auto node = network_.at(route.host, route.port)) co_return node;
    route.known = false;
  }
  const auto asked = anyone();
  if (!asked) co_return nullptr;
  const Trip trip = network_.trip(kClients, asked->machine);
  auto call = std::make_shared<Call<std::optional<Leader>>>();
  network_.send(trip, [this, asked, trip, id, call] {
    spawn_on(asked->place->executor(), at_find(asked, network_, trip, id, call));
  });
  const SteadyTime deadline = clock().now() + kMetadataTimeout;
  co_await call->done.wait_until(clock(), deadline);
  if (!call->answer || !*call->answer) co_return nullptr;
  const Leader& leader = **call->answer;
  if (leader.epoch < route.epoch) co_return nullptr;  // that broker knows less than this client
  route.host = leader.host;
  route.port = leader.port;
  route.epoch = leader.epoch;
  route.known = true;
  co_return network_.at(route.host, route.port);
}

// ---- producers ----

// Sends all that is not acknowledged, in order and with the old sequences; true when the window is empty. A connection
// that breaks takes the end of the requests, or of the answers, with it.
Task<bool> Clients::send(PartitionModel& model, Route& route, std::int64_t producer, Window& window) {
  const auto target = co_await find_leader(model.id(), route);
  if (!target) co_return false;
  const Trip whole = network_.trip(kClients, target->machine);
  world_.trace("send", fmt::format("{}:{} to {}:{} epoch {}", producer, window.front().sequence, route.host, route.port,
                                   route.epoch));
  const std::size_t arrive = whole.arrives ? window.size() : world_.below(window.size());
  const std::size_t answered = whole.returns ? window.size() : world_.below(window.size());
  std::vector<std::shared_ptr<Call<Appended>>> calls;
  for (std::size_t i = 0; i < window.size(); ++i) {
    calls.push_back(std::make_shared<Call<Appended>>());
    if (window[i].acked) continue;
    Trip trip = whole;
    trip.arrives = i < arrive && network_.passes(kClients, target->machine);
    trip.returns = i < answered && network_.passes(target->machine, kClients);
    network_.send(trip, [this, target, trip, id = model.id(), batch = batch_of(window[i], producer, model.compacted()),
                         call = calls[i]]() mutable {
      spawn_on(target->place->executor(), at_append(target, network_, trip, id, std::move(batch), call));
    });
  }
  const SteadyTime deadline = clock().now() + kRequestTimeout;
  bool first = true;
  for (std::size_t i = 0; i < window.size(); ++i) {
    if (window[i].acked) continue;
    co_await calls[i]->done.wait_until(clock(), deadline);
    if (!judge(model, route, producer, window[i], calls[i]->answer, first)) first = false;
  }
  co_return std::all_of(window.begin(), window.end(), [](const Outgoing& out) { return out.acked; });
}

// True when the batch is acknowledged. `first`: everything before it is.
bool Clients::judge(PartitionModel& model, Route& route, std::int64_t producer, Outgoing& out,
                    const std::optional<Appended>& answer, bool first) {
  using Refusal = storage::AppendRefusal;
  if (answer && answer->acked) {
    out.acked = true;
    route.acked_by = std::max(route.acked_by, answer->epoch);
    model.acknowledged(answer->base_offset, out.records, answer->epoch);
    world_.trace("ack", out.records.front());
    return true;
  }
  const bool throttled = answer && answer->refused == Refusal::kOverloaded;
  if (!throttled) route.known = false;
  if (answer && answer->refused) {
    // A deposed leader does not know what its successors acknowledged.
    const bool current = answer->epoch >= route.acked_by;
    const bool gap = first && current && answer->refused == Refusal::kOutOfOrderSequence;
    if (gap || answer->refused == Refusal::kInvalidProducerEpoch)
      model.violation(fmt::format("producer {} may not repeat sequence {}", producer, out.sequence));
  }
  return false;
}

Clients::Window Clients::new_window(std::int64_t producer, std::int32_t& sequence) {
  Window window;
  for (auto batches = 1 + world_.below(5); batches > 0; --batches) {
    Outgoing out{sequence, {}, false};
    for (auto records = 1 + world_.below(4); records > 0; --records) {
      out.records.push_back(fmt::format("{}:{}:{}", producer, sequence, std::string(world_.below(60), 'x')));
      ++sequence;
    }
    window.push_back(std::move(out));
  }
  return window;
}

Task<void> Clients::produce(Model model, std::int64_t producer) {
  std::int32_t sequence = 0;
  Route route;
  while (storming_ && !model->gone) {
    Window window = new_window(producer, sequence);
    while (!model->gone) {
      const bool all = co_await send(*model, route, producer, window);
      if (all) break;
      co_await sleep_for(clock(), Duration(1ms * (20 + world_.below(200))));
    }
    co_await sleep_for(clock(), world_.up_to(400ms));
  }
  producing_.erase(producer);
}

// ---- consumers ----

Task<Clients::ReadOutcome> Clients::read(PartitionModel& model, Route& route, std::int64_t offset, std::size_t bytes) {
  const auto target = co_await find_leader(model.id(), route);
  if (!target) co_return std::nullopt;
  const Promises promised = model.promises();
  const Trip trip = network_.trip(kClients, target->machine);
  auto call = std::make_shared<Call<ReadAnswer>>();
  network_.send(trip, [this, target, trip, id = model.id(), offset, bytes, call] {
    spawn_on(target->place->executor(), at_read(target, network_, trip, id, offset, bytes, call));
  });
  const SteadyTime deadline = clock().now() + kReadTimeout;
  co_await call->done.wait_until(clock(), deadline);
  if (!call->answer || !call->answer->read) {
    route.known = false;
    co_return std::nullopt;
  }
  auto& answer = *call->answer->read;
  if (answer) {
    model.read(offset, call->answer->epoch, promised, *answer);
  } else {
    // Where nobody else has a broker id, nobody is asked for proof: a process with a twin knows no better.
    const bool alone = fleet_.options().brokers == 1;
    const bool replaced = alone && storming_ && answer.error().message().find("no object") != std::string::npos;
    const std::int32_t epoch = alone ? call->answer->epoch : kProved;
    if (!replaced) model.read_failed(offset, epoch, promised, answer.error());
    route.known = false;
  }
  co_return std::move(answer);
}

// The first record at or after the beginning of time: there is one unless all was deleted.
Task<void> Clients::ask_time(PartitionModel& model, Route& route) {
  const auto target = co_await find_leader(model.id(), route);
  if (!target) co_return;
  const Promises promised = model.promises();
  const Trip trip = network_.trip(kClients, target->machine);
  auto call = std::make_shared<Call<TimeAnswer>>();
  network_.send(trip, [this, target, trip, id = model.id(), call] {
    spawn_on(target->place->executor(), at_ask_time(target, network_, trip, id, call));
  });
  const SteadyTime deadline = clock().now() + kReadTimeout;
  co_await call->done.wait_until(clock(), deadline);
  if (!call->answer || !call->answer->found || !*call->answer->found) co_return;
  const auto& found = **call->answer->found;
  model.found_first(found ? std::optional(found->offset) : std::nullopt, call->answer->epoch, promised);
}

Task<void> Clients::consume(Model model) {
  std::int64_t at = 0;
  Route route;
  while (storming_ && !model->gone) {
    auto answer = co_await read(*model, route, at, 1 + world_.below(4000));
    if (answer && *answer) {
      at = (*answer)->next_offset;
    } else if (answer && answer->error().code() == Code::kInvalid) {
      at = model->start_maybe();
    }
    if (world_.below(hurry_ ? 2 : 16) == 0) co_await ask_time(*model, route);
    if (world_.below(8) == 0) {
      const auto low = model->start_maybe(), high = std::max(model->high_watermark(), low + 1);
      at = low + static_cast<std::int64_t>(world_.below(static_cast<std::uint64_t>(high - low)));
    }
    co_await sleep_for(clock(), world_.up_to(300ms));
  }
  --tasks_;
}

Task<void> Clients::read_all(Model model) {
  model->begin_last_pass();
  std::int64_t at = 0, start = 0;
  Route route;
  for (;;) {
    auto answer = co_await read(*model, route, at, 1 << 20);
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

Task<void> Clients::read_everything() {
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (!models_[i]->gone) co_await read_all(models_[i]);
  }
}

// ---- administrators ----

Task<void> Clients::delete_records(Model model) {
  Route route;
  while (storming_ && !model->gone) {
    const Duration pause = Duration((hurry_ ? 100ms : 1s) * (1 + world_.below(8)));
    co_await sleep_for(clock(), pause);
    const auto target = co_await find_leader(model->id(), route);
    if (!target || model->high_watermark() == 0) continue;
    const auto most = static_cast<std::uint64_t>(model->high_watermark());
    const auto offset = static_cast<std::int64_t>(world_.below(most + 1));
    model->delete_begins(offset);
    const Trip trip = network_.trip(kClients, target->machine);
    auto call = std::make_shared<Call<bool>>();
    network_.send(trip, [this, target, trip, id = model->id(), offset, call] {
      spawn_on(target->place->executor(), at_delete_records(target, network_, trip, id, offset, call));
    });
    const SteadyTime deadline = clock().now() + kRequestTimeout;
    co_await call->done.wait_until(clock(), deadline);
    route.known = call->answer && *call->answer;
    if (route.known) model->deleted_before(offset);
  }
  --tasks_;
}

Task<std::optional<Uuid>> Clients::create_topic(std::string name, std::int32_t partitions) {
  const auto target = anyone();
  if (!target) co_return std::nullopt;
  const Trip trip = network_.trip(kClients, target->machine);
  auto call = std::make_shared<Call<std::optional<Uuid>>>();
  const bool compacted = world_.below(2) == 0;
  cluster::NewTopicSpec spec{name, partitions, {{"retention.ms", "-1"}}};
  if (compacted) {
    spec.configs["cleanup.policy"] = "compact";
    spec.configs["min.cleanable.dirty.ratio"] = world_.below(2) ? "0" : "0.3";
    spec.configs["delete.retention.ms"] = world_.below(2) ? "0" : "4000";
  }
  network_.send(trip, [this, target, trip, spec, call] {
    spawn_on(target->place->executor(), at_create(target, network_, trip, spec, call));
  });
  const SteadyTime deadline = clock().now() + kRequestTimeout;
  co_await call->done.wait_until(clock(), deadline);
  if (!call->answer || !*call->answer) co_return std::nullopt;
  const Uuid id = **call->answer;
  for (std::int32_t p = 0; p < partitions; ++p) {
    const std::string partition_name = fmt::format("{}-{}", name, p);
    auto model = std::make_shared<PartitionModel>(cluster::PartitionId{id, p}, partition_name, compacted, violations_);
    models_.push_back(model);
    tasks_ += 2;
    producing_[++producers_] = partition_name;
    spawn_on(executor(), produce(model, producers_));
    spawn_on(executor(), consume(model));
    spawn_on(executor(), delete_records(model));
  }
  co_return id;
}

Task<bool> Clients::delete_topic(Uuid id) {
  for (auto& model : models_) model->gone |= model->id().topic_id == id;
  const auto target = anyone();
  if (!target) co_return false;
  const Trip trip = network_.trip(kClients, target->machine);
  auto call = std::make_shared<Call<bool>>();
  network_.send(trip, [this, target, trip, id, call] {
    spawn_on(target->place->executor(), at_delete_topic(target, network_, trip, id, call));
  });
  const SteadyTime deadline = clock().now() + kRequestTimeout;
  co_await call->done.wait_until(clock(), deadline);
  co_return call->answer && *call->answer;
}

Task<void> Clients::topics_come_and_go(int topics_at_once) {
  std::deque<Uuid> topics;
  int names = 0;
  bool again = false;  // a topic with the name of one that was deleted
  while (storming_) {
    const bool few = topics.size() < static_cast<std::size_t>(topics_at_once);
    if (few) {
      if (!again) ++names;
      auto made = co_await create_topic(fmt::format("t{}", names), static_cast<std::int32_t>(1 + world_.below(2)));
      if (made) topics.push_back(*made);
      again = false;
    } else if (world_.below(3) == 0) {
      const Uuid id = world_.below(2) ? topics.back() : topics.front();
      again = id == topics.back();
      std::erase(topics, id);
      co_await delete_topic(id);
    }
    const Duration pause = few ? 200ms : 4s;
    co_await sleep_for(clock(), pause);
  }
  --tasks_;
}

}  // namespace millrace::sim
