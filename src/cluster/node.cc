// The one Cluster there is so far: this process is controller and broker at once. Commits queue up while an entry
// is on its way and share the next one (group commit, one entry in flight, as the model has it).
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "cluster/api.h"
#include "cluster/metadata_log.h"
#include "cluster/metrics.h"

namespace millrace::cluster {
namespace {

constexpr std::int64_t kProducerIdBlock = 1000;
constexpr std::size_t kRecordsPerEntryMax = 50'000;
constexpr int kClaimAttempts = 20;

class SoloCluster final : public Cluster {
 public:
  SoloCluster(Executor executor, Clock& clock, Random& random, object::Store& store, Metrics& metrics,
              ClusterOptions options)
      : clock_(clock),
        random_(random),
        options_(std::move(options)),
        metrics_(metrics),
        log_(executor, clock, random, store, options_.commit_deadline),
        scope_(executor) {}

  Task<Result<void>> open();

  const MetadataState& state() const override { return log_.state(); }
  Event& changed() override { return changed_; }
  const Uuid& cluster_id() const override { return log_.cluster_id(); }
  std::int32_t broker_id() const override { return options_.broker_id; }
  Incarnation incarnation() const override { return writer_.incarnation; }
  bool fenced() const override { return fenced_.has_value(); }

  Task<Result<LogSeq>> commit(std::vector<Record> records) override;
  Task<Result<Uuid>> create_topic(NewTopicSpec topic) override;
  Task<Result<void>> delete_topic(Uuid topic_id) override;
  Task<Result<void>> create_partitions(Uuid topic_id, std::int32_t total) override;
  Task<Result<void>> alter_topic_config(Uuid topic_id, ConfigChanges changes) override;
  Task<Result<std::int64_t>> allocate_producer_id() override;
  Task<void> stop() override;

 private:
  struct Pending {
    std::vector<Record> records;
    Promise<Result<LogSeq>> done;
  };

  Task<Result<void>> claim();
  Task<void> commit_loop();
  Task<void> commit_some();
  Task<void> snapshot_loop();
  void fence(Error error);
  void applied();
  bool snapshot_due() const;
  Task<void> snapshot_now();
  void assign_leaders(const Uuid& topic_id, std::int32_t from, std::int32_t to, std::vector<Record>& out) const;

  Clock& clock_;
  Random& random_;
  ClusterOptions options_;
  ClusterMetrics metrics_;
  MetadataLog log_;
  Writer writer_;
  std::optional<Error> fenced_;
  Event changed_;
  std::deque<Pending> queue_;
  Event work_;
  Event snapshot_wanted_;
  bool stopping_ = false;
  std::int64_t next_producer_id_ = 0, producer_ids_end_ = 0;
  bool allocating_ids_ = false;
  Event ids_allocated_;
  TaskScope scope_;
};

// ---- opening ----

Task<Result<void>> SoloCluster::open() {
  CO_TRY_VOID(co_await log_.open());
  CO_TRY_VOID(co_await claim());
  applied();
  LOG_INFO("cluster.opened", {"cluster", cluster_id().to_string()}, {"broker", options_.broker_id},
           {"incarnation", writer_.incarnation.value()}, {"controller_epoch", writer_.controller_epoch},
           {"topics", state().topic_ids().size()});
  scope_.spawn(commit_loop());
  scope_.spawn(snapshot_loop());
  co_return Result<void>();
}

// Election and registration in one entry: winning its number is the election, the number is the incarnation (rule 14).
Task<Result<void>> SoloCluster::claim() {
  for (int attempt = 0; attempt < kClaimAttempts; ++attempt) {
    const LogSeq seq = log_.next();
    const std::uint64_t epoch = state().controller_epoch() + 1;
    ClaimRecord claim{.controller_epoch = epoch,
                      .broker_id = options_.broker_id,
                      .endpoint = fmt::format("{}:{}", options_.advertised_host, options_.advertised_port)};
    RegisterBrokerRecord registration{.broker_id = options_.broker_id,
                                      .host = options_.advertised_host,
                                      .port = options_.advertised_port,
                                      .rack = options_.rack,
                                      .wal_kind = WalKind::kBucket,
                                      .process_nonce = random_.next()};
    std::vector<Record> records;
    records.emplace_back(std::move(claim));
    records.emplace_back(std::move(registration));
    CO_TRY_VOID(log_.state().check(seq, records));
    const Writer candidate{.broker_id = options_.broker_id, .incarnation = {}, .controller_epoch = epoch};
    CO_TRY(const MetadataLog::Append outcome, co_await log_.append(candidate, std::move(records)));
    if (outcome == MetadataLog::Append::kCommitted) {
      writer_ = candidate;
      writer_.incarnation = state().brokers().at(options_.broker_id).current;
      co_return Result<void>();
    }
    CO_TRY_VOID(co_await log_.catch_up());
  }
  co_return fail(Code::kUnavailable, "other processes keep claiming this bucket; stop them, or use another bucket");
}

// ---- committing ----

Task<Result<LogSeq>> SoloCluster::commit(std::vector<Record> records) {
  if (fenced_) co_return fail(*fenced_);
  if (stopping_) co_return fail(Code::kCancelled, "the cluster is stopping");
  if (records.empty()) co_return fail(Code::kInvalid, "an empty batch");
  Pending pending{std::move(records), {}};
  const Promise<Result<LogSeq>> done = pending.done;
  queue_.push_back(std::move(pending));
  metrics_.queued.Set(static_cast<double>(queue_.size()));
  work_.pulse();
  co_return co_await done.wait();
}

Task<void> SoloCluster::commit_loop() {
  for (;;) {
    while (queue_.empty() && !stopping_) co_await work_.wait();
    if (queue_.empty()) co_return;
    if (fenced_) {
      for (auto& pending : std::exchange(queue_, {})) pending.done.set(fail(*fenced_));
    } else {
      co_await commit_some();
    }
  }
}

// All that waits, in order, as one entry; a batch that the state machine refuses is left out of it. Answers go out
// once the entry is durable, so that no refusal speaks of something that is not.
Task<void> SoloCluster::commit_some() {
  std::vector<Promise<Result<LogSeq>>> promises;
  std::vector<std::vector<Record>> batches;
  std::size_t count = 0;
  while (!queue_.empty() && (batches.empty() || count + queue_.front().records.size() <= kRecordsPerEntryMax)) {
    count += queue_.front().records.size();
    promises.push_back(queue_.front().done);
    batches.push_back(std::move(queue_.front().records));
    queue_.pop_front();
  }
  metrics_.queued.Set(static_cast<double>(queue_.size()));
  const std::vector<Result<void>> verdicts = log_.state().check_batches(log_.next(), batches);
  std::vector<Record> accepted;
  accepted.reserve(count);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (!verdicts[i]) metrics_.refusals.Increment();
    if (verdicts[i]) std::move(batches[i].begin(), batches[i].end(), std::back_inserter(accepted));
  }
  Result<void> written;
  if (!accepted.empty()) {
    const SteadyTime begin = clock_.now();
    Result<MetadataLog::Append> outcome = co_await log_.append(writer_, std::move(accepted));
    if (!outcome) {
      written = fail(outcome.error());
      if (outcome.error().code() == Code::kFenced || outcome.error().code() == Code::kCorrupt) fence(outcome.error());
    } else if (*outcome == MetadataLog::Append::kLost) {
      fence(Error(Code::kFenced, "another controller has taken over the metadata log"));
    } else {
      metrics_.entries.Increment();
      metrics_.entry_bytes.Increment(static_cast<double>(log_.last_entry_bytes()));
      metrics_.commit_seconds.Observe(std::chrono::duration<double>(clock_.now() - begin).count());
      applied();
    }
    if (fenced_) written = fail(*fenced_);
  }
  const LogSeq seq = log_.state().applied();
  for (std::size_t i = 0; i < promises.size(); ++i) {
    if (!written) {
      promises[i].set(fail(written.error()));
    } else if (!verdicts[i]) {
      promises[i].set(fail(verdicts[i].error()));
    } else {
      promises[i].set(seq);
    }
  }
}

void SoloCluster::fence(Error error) {
  LOG_ERROR("cluster.fenced", {"broker", options_.broker_id}, {"incarnation", writer_.incarnation.value()},
            {"reason", error.message()});
  fenced_ = Error(Code::kFenced, error.message());
  changed_.pulse();
}

void SoloCluster::applied() {
  metrics_.applied.Set(static_cast<double>(state().applied().value()));
  metrics_.topics.Set(static_cast<double>(state().topic_ids().size()));
  metrics_.objects.Set(static_cast<double>(state().objects().size()));
  changed_.pulse();
  if (snapshot_due()) snapshot_wanted_.pulse();
}

// ---- snapshots and stopping ----

bool SoloCluster::snapshot_due() const {
  return log_.entries_since_snapshot() >= options_.snapshot_after_entries ||
         log_.bytes_since_snapshot() >= options_.snapshot_after_bytes;
}

Task<void> SoloCluster::snapshot_loop() {
  while (!stopping_) {
    co_await snapshot_wanted_.wait();
    if (stopping_ || !snapshot_due()) continue;
    co_await snapshot_now();
  }
}

Task<void> SoloCluster::snapshot_now() {
  const Result<void> done = co_await log_.publish_snapshot();
  if (done) {
    metrics_.snapshots.Increment();
    co_return;
  }
  // Tried again after the next entry; until then the log is only longer.
  metrics_.snapshot_failures.Increment();
  LOG_WARN("meta.snapshot_failed", {"error", done.error().to_string()});
}

Task<void> SoloCluster::stop() {
  if (stopping_) co_return;
  stopping_ = true;
  work_.pulse();
  snapshot_wanted_.pulse();
  co_await scope_.stop();
  const bool worth_it = log_.entries_since_snapshot() > options_.snapshot_at_stop_after_entries;
  if (worth_it && !fenced_) co_await snapshot_now();
}

// ---- conveniences ----

// Spread over the live brokers, beginning after the partitions that exist.
void SoloCluster::assign_leaders(const Uuid& topic_id, std::int32_t from, std::int32_t to,
                                 std::vector<Record>& out) const {
  std::vector<const BrokerState*> live;
  for (const auto& [id, broker] : state().brokers()) {
    const auto current = broker.incarnations.find(broker.current);
    if (current != broker.incarnations.end() && current->second.phase == IncarnationPhase::kLive)
      live.push_back(&broker);
  }
  if (live.empty()) return;
  const std::size_t first = state().topic_ids().size();
  for (std::int32_t p = from; p < to; ++p) {
    const BrokerState& broker = *live[(first + static_cast<std::size_t>(p)) % live.size()];
    out.emplace_back(AssignLeaderRecord{.partition = {topic_id, p},
                                        .broker_id = broker.id,
                                        .incarnation = broker.current,
                                        .epoch = 0,
                                        .base_offset = 0});
  }
}

Task<Result<Uuid>> SoloCluster::create_topic(NewTopicSpec topic) {
  const Uuid id = Uuid::random(random_);
  const std::int32_t partitions = topic.partitions;
  if (state().topic_ids().contains(topic.name))
    co_return fail(Code::kExists, fmt::format("topic '{}' exists", topic.name));
  std::vector<Record> records;
  records.emplace_back(CreateTopicRecord{.topic_id = id,
                                         .name = std::move(topic.name),
                                         .partitions = partitions,
                                         .configs = std::move(topic.configs),
                                         .created_ms = clock_.wall_ms()});
  assign_leaders(id, 0, std::clamp(partitions, 0, 1'000'000), records);
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return id;
}

Task<Result<void>> SoloCluster::delete_topic(Uuid topic_id) {
  std::vector<Record> records;
  records.emplace_back(DeleteTopicRecord{topic_id});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<void>> SoloCluster::create_partitions(Uuid topic_id, std::int32_t total) {
  const TopicState* topic = state().topic(topic_id);
  if (!topic) co_return fail(Code::kNotFound, fmt::format("no topic with id {}", topic_id.to_string()));
  std::vector<Record> records;
  records.emplace_back(CreatePartitionsRecord{topic_id, total});
  assign_leaders(topic_id, static_cast<std::int32_t>(topic->partitions.size()), std::clamp(total, 0, 1'000'000),
                 records);
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<void>> SoloCluster::alter_topic_config(Uuid topic_id, ConfigChanges changes) {
  std::vector<Record> records;
  records.emplace_back(AlterConfigRecord{topic_id, std::move(changes)});
  CO_TRY_VOID(co_await commit(std::move(records)));
  co_return Result<void>();
}

Task<Result<std::int64_t>> SoloCluster::allocate_producer_id() {
  while (next_producer_id_ == producer_ids_end_) {
    if (allocating_ids_) {
      co_await ids_allocated_.wait();
      continue;
    }
    allocating_ids_ = true;
    const std::int64_t begin = state().next_producer_id();
    std::vector<Record> records;
    records.emplace_back(ProducerIdsRecord{begin + kProducerIdBlock});
    Result<LogSeq> committed = co_await commit(std::move(records));
    allocating_ids_ = false;
    if (committed) {
      next_producer_id_ = begin;
      producer_ids_end_ = begin + kProducerIdBlock;
    }
    ids_allocated_.pulse();
    if (!committed) co_return fail(std::move(committed).error());
  }
  co_return next_producer_id_++;
}

}  // namespace

Task<Result<std::unique_ptr<Cluster>>> open_cluster(Executor executor, Clock& clock, Random& random,
                                                    object::Store& store, Metrics& metrics, ClusterOptions options) {
  auto cluster = std::make_unique<SoloCluster>(std::move(executor), clock, random, store, metrics, std::move(options));
  CO_TRY_VOID(co_await cluster->open());
  co_return std::unique_ptr<Cluster>(std::move(cluster));
}

}  // namespace millrace::cluster
