#include "sql/ingest/pump.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::sql::ingest {

// Loads that share one fetch: of one log, no topic twice.
struct Pump::Source {
  std::string brokers;
  std::unique_ptr<Log> log;
  std::vector<LoadPtr> loads;
  std::string trouble;

  LoadPtr load_of(const std::string& topic) const {
    for (const auto& load : loads) {
      if (load->entry().topic == topic) return load;
    }
    return nullptr;
  }
};

struct Pump::Work {
  LoadPtr load;
  Load::Open open;
  Result<void> outcome;
};

struct Pump::Counters {
  explicit Counters(Metrics& metrics)
      : rows(metrics.counter("millrace_sql_rows_applied_total", "Changes of topics applied to tables")),
        batches(metrics.counter("millrace_sql_batches_applied_total", "DuckDB transactions that applied changes")),
        bad_records(metrics.counter("millrace_sql_bad_records_total", "Records that no table could take")),
        apply_seconds(metrics.histogram("millrace_sql_apply_seconds", "Time of one apply transaction",
                                        Metrics::latency_bounds())),
        freshness_seconds(metrics.histogram("millrace_sql_freshness_seconds",
                                            "From the change at its source to visible in SQL, oldest of each batch",
                                            Metrics::latency_bounds())),
        buffered(metrics.gauge("millrace_sql_buffered_bytes", "Fetched records that wait to be decoded")) {}
  Counter &rows, &batches, &bad_records;
  Histogram &apply_seconds, &freshness_seconds;
  Gauge& buffered;
};

Pump::Pump(Executor executor, Clock& clock, Metrics& metrics, LogOpener& logs, Store& store, BlockingPool& writer,
           PumpEvents& events, PumpOptions options)
    : executor_(executor),
      clock_(clock),
      logs_(logs),
      store_(store),
      writer_(writer),
      events_(events),
      options_(options),
      scope_(executor),
      window_began_(clock.now()),
      counters_(std::make_unique<Counters>(metrics)) {}
Pump::~Pump() = default;

void Pump::start() { scope_.spawn(decode_loop()); }

Task<void> Pump::stop() {
  scope_.request_stop();
  changed_.set();
  co_await scope_.stop();
}

Task<void> Pump::wait(Duration longest) {
  const auto deadline = clock_.now() + longest;
  (void)co_await changed_.wait_until(clock_, deadline);
}

Pump::Source& Pump::source_for(const LoadEntry& entry, Result<void>& opened) {
  for (const auto& source : sources_) {
    if (source->brokers == entry.brokers && !source->load_of(entry.topic)) return *source;
  }
  auto source = std::make_shared<Source>();
  source->brokers = entry.brokers;
  auto log = logs_.open(entry.brokers);
  if (!log)
    opened = fail(std::move(log).error());
  else
    source->log = std::move(*log);
  sources_.push_back(source);
  if (source->log) {
    scope_.spawn(fetch_loop(source));
    scope_.spawn(discover(source));
  }
  return *source;
}

Result<void> Pump::add(LoadEntry entry, TableSchema schema, LoadProgress progress) {
  CHECK(!loads_.contains(entry.job));
  auto load = std::make_shared<Load>(entry, std::move(schema), std::move(progress));
  load->state = entry.paused ? LoadState::kPaused : LoadState::kNeedSchedule;
  load->reason = entry.pause_reason;
  loads_[entry.job] = load;
  Result<void> opened;
  Source& source = source_for(entry, opened);
  if (!opened) {
    load->state = LoadState::kPaused;
    load->reason = opened.error().message();
    return opened;
  }
  // A paused load is found too: its lag is worth knowing.
  source.loads.push_back(load);
  changed_.pulse();
  return {};
}

Task<LoadProgress> Pump::remove(TableName job) {
  const auto found = loads_.find(job);
  if (found == loads_.end()) co_return LoadProgress{};
  LoadPtr load = found->second;
  loads_.erase(found);
  for (auto& source : sources_) std::erase(source->loads, load);
  drop_fetched(load);
  while (decoding_ || load->applying) co_await wait(1s);
  co_return load->progress();
}

std::vector<LoadStatus> Pump::loads() const {
  std::vector<LoadStatus> all;
  for (const auto& [job, load] : loads_) all.push_back(load->status());
  return all;
}

std::size_t Pump::open_rows() const {
  std::size_t rows = 0;
  for (const auto& [job, load] : loads_) rows += load->open_rows();
  return rows;
}

// --- fetching ---

Task<void> Pump::discover(std::shared_ptr<Source> source) {
  while (!stopping()) {
    const std::vector<LoadPtr> loads = source->loads;
    for (const auto& load : loads) {
      if (!stopping()) co_await find_partitions(source, load);
    }
    const auto next = clock_.now() + (source->trouble.empty() ? options_.discovery_interval : options_.retry_delay);
    while (!stopping() && clock_.now() < next) {
      const bool is_new = std::ranges::any_of(source->loads, [&](const auto& load) {
        return load->state == LoadState::kNeedSchedule && load->reason.empty();
      });
      co_await wait(is_new ? std::min<Duration>(options_.discovery_interval, 200ms) : next - clock_.now());
      if (is_new) break;
    }
  }
}

Task<void> Pump::find_partitions(std::shared_ptr<Source> source, LoadPtr load) {
  auto count = co_await source->log->partition_count(load->entry().topic);
  if (!count) {
    if (load->state != LoadState::kPaused) {
      load->state = LoadState::kNeedSchedule;
      load->reason = count.error().code() == Code::kNotFound ? fmt::format("waiting for topic {}", load->entry().topic)
                                                             : count.error().to_string();
    }
    co_return;
  }
  const bool running = load->state == LoadState::kRunning;
  for (std::int32_t index = 0; index < *count; ++index) {
    if (running && load->partitions.contains(index)) continue;
    const client::TopicPartition partition{load->entry().topic, index};
    if (!load->partitions.contains(index)) {
      const auto given = load->entry().start_offsets.find(index);
      std::int64_t start = 0;
      if (given != load->entry().start_offsets.end()) {
        start = given->second;
      } else {
        auto earliest = co_await source->log->offset_of(partition, client::OffsetSpec::kEarliest);
        if (!earliest) co_return;
        start = *earliest;
      }
      load->partitions[index] = {start, start, start};
    }
    auto end = co_await source->log->offset_of(partition, client::OffsetSpec::kLatest);
    if (!end) co_return;
    load->partitions[index].end = *end;
  }
  if (load->state == LoadState::kNeedSchedule) {
    load->state = LoadState::kRunning;
    load->reason.clear();
    changed_.pulse();
  }
}

Task<void> Pump::fetch_loop(std::shared_ptr<Source> source) {
  while (!stopping()) {
    std::map<client::TopicPartition, std::int64_t> positions;
    if (buffered_bytes_ < options_.buffered_bytes_max) {
      for (const auto& load : source->loads) {
        if (load->state != LoadState::kRunning || load->stop) continue;
        for (const auto& [index, partition] : load->partitions) {
          positions[{load->entry().topic, index}] = partition.fetch_next;
        }
      }
    }
    if (positions.empty()) {
      co_await wait(200ms);
      continue;
    }
    client::FetchOptions options;
    options.max_wait = 250ms;
    // Each partition gets its share, so that a long one does not starve the others.
    options.partition_max_bytes =
        std::max<std::int32_t>(256 << 10, options.max_bytes / static_cast<std::int32_t>(positions.size()));
    const auto began = clock_.now();
    const auto asked = positions;
    auto fetched = co_await source->log->fetch(std::move(positions), options);
    if (!fetched) {
      if (source->trouble.empty())
        LOG_WARN("sql.fetch_failed", {"brokers", source->brokers}, {"reason", fetched.error().message()});
      source->trouble = fetched.error().to_string();
      status_.trouble = source->trouble;
      co_await sleep_for(clock_, options_.retry_delay);
      continue;
    }
    if (!source->trouble.empty()) {
      source->trouble.clear();
      status_.trouble.clear();
    }
    const auto before = buffered_bytes_;
    take_fetched(*source, std::move(*fetched), asked);
    // A trickle is collected into fewer fetches; a flood is not held up.
    if (buffered_bytes_ - before < (256 << 10)) {
      const auto next = began + options_.batch_interval / 2;
      if (clock_.now() < next) co_await sleep_until(clock_, next);
    }
  }
}

void Pump::take_fetched(Source& source, std::vector<client::FetchedPartition> fetched,
                        const std::map<client::TopicPartition, std::int64_t>& asked) {
  for (auto& part : fetched) {
    const LoadPtr load = source.load_of(part.partition.topic);
    if (!load) continue;
    const auto found = load->partitions.find(part.partition.partition);
    const auto at = asked.find(part.partition);
    if (found == load->partitions.end() || at == asked.end() || found->second.fetch_next != at->second) continue;
    LoadPartition& partition = found->second;
    if (part.error) {
      out_of_range(load, partition, part);
      continue;
    }
    partition.end = part.high_watermark;
    if (part.next_offset <= at->second) continue;
    partition.fetch_next = part.next_offset;
    Load::Piece piece{part.partition.partition, at->second, part.next_offset, std::move(part.records)};
    for (const auto& record : piece.records) {
      piece.bytes += 64 + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    }
    buffered_bytes_ += piece.bytes;
    fetched_.emplace_back(load, std::move(piece));
  }
  counters_->buffered.Set(static_cast<double>(buffered_bytes_));
  if (!fetched_.empty()) changed_.pulse();
}

void Pump::out_of_range(const LoadPtr& load, LoadPartition& partition, const client::FetchedPartition& part) {
  const std::int64_t asked = partition.fetch_next;
  if (part.error->code() == Code::kInvalid && asked < part.log_start_offset) {
    LOG_WARN("sql.records_gone", {"topic", part.partition.topic}, {"partition", part.partition.partition},
             {"from", asked}, {"to", part.log_start_offset});
    // The gap goes the way of a piece without records.
    partition.fetch_next = part.log_start_offset;
    Load::Piece gap{part.partition.partition, asked, part.log_start_offset, {}};
    fetched_.emplace_back(load, std::move(gap));
  } else if (part.error->code() == Code::kInvalid) {
    load->state = LoadState::kPaused;
    load->reason = fmt::format(
        "{}-{} ends before offset {}, up to which it was read: the topic was made anew. Stop the load, drop the table, "
        "and "
        "create both again",
        part.partition.topic, part.partition.partition, asked);
    events_.load_stopped(load->entry().job, load->reason);
  } else if (part.error->code() == Code::kNotFound) {
    load->state = LoadState::kNeedSchedule;
    load->reason = fmt::format("waiting for topic {}", part.partition.topic);
  }
}

// --- decoding and applying ---

bool Pump::apply_is_due() const {
  if (applying_) return false;
  const bool any = std::ranges::any_of(loads_, [](const auto& item) { return item.second->has_open(); });
  if (!any) return false;
  return open_rows() >= options_.batch_rows_min || clock_.now() - last_apply_ >= options_.batch_interval;
}

Task<void> Pump::decode_loop() {
  while (!stopping()) {
    if (!fetched_.empty() && open_rows() < options_.batch_rows_max) {
      std::vector<std::pair<LoadPtr, Load::Piece>> pieces;
      std::size_t records = open_rows();
      while (!fetched_.empty() && records < options_.batch_rows_max &&
             pieces.size() < fetched_.size() + pieces.size()) {
        records += fetched_.front().second.records.size();
        pieces.push_back(std::move(fetched_.front()));
        fetched_.erase(fetched_.begin());
      }
      decoding_ = true;
      auto job = [&pieces] {
        for (auto& [load, piece] : pieces) load->decode(std::move(piece));
      };
      co_await decoder_.run(job);
      decoding_ = false;
      for (auto& [load, piece] : pieces) {
        buffered_bytes_ -= piece.bytes;
        after_decode(load);
      }
      changed_.pulse();
    }
    for (const auto& [name, load] : loads_) {
      if (!load->rewind_wanted) continue;
      drop_fetched(load);
      load->rewind();
    }
    if (apply_is_due()) {
      applying_ = true;
      last_apply_ = clock_.now();
      // Taken here, between two decodes: the apply itself begins later, beside the next decode.
      scope_.spawn(apply(take_work()));
    }
    if (!fetched_.empty() && open_rows() < options_.batch_rows_max) continue;
    const bool waiting_for_time =
        !applying_ && std::ranges::any_of(loads_, [](const auto& item) { return item.second->has_open(); });
    const auto due = last_apply_ + options_.batch_interval;
    const auto now = clock_.now();
    co_await wait(waiting_for_time ? (due > now ? due - now : Duration(1ms)) : Duration(1s));
  }
  while (applying_) co_await sleep_for(clock_, 1ms);
}

void Pump::after_decode(const LoadPtr& load) {
  load->settle();
  const auto found = loads_.find(load->entry().job);
  if (!load->stop || load->state != LoadState::kRunning || found == loads_.end() || found->second != load) return;
  counters_->bad_records.Increment();
  if (!load->stop->missing.empty()) {
    load->state = LoadState::kNeedSchedule;
    load->reason = "adding columns: " + load->stop->reason;
    events_.columns_missing(load->entry().job, load->stop->missing);
    return;
  }
  load->state = LoadState::kPaused;
  load->reason = load->stop->reason;
  LOG_WARN("sql.load_paused", {"job", load->entry().job.to_string()}, {"reason", load->reason});
  events_.load_stopped(load->entry().job, load->reason);
}

void Pump::drop_fetched(const LoadPtr& load) {
  std::erase_if(fetched_, [&](const auto& piece) {
    if (piece.first != load) return false;
    buffered_bytes_ -= piece.second.bytes;
    return true;
  });
}

std::vector<Pump::Work> Pump::take_work() {
  std::vector<Work> work;
  for (auto& [job, load] : loads_) {
    if (auto open = load->take()) {
      load->applying = true;
      work.push_back({load, std::move(*open), {}});
    }
  }
  return work;
}

Task<void> Pump::apply(std::vector<Work> work) {
  const auto began = clock_.now();
  Applied applied;
  auto job = [this, &work, &applied]() -> Result<void> {
    const auto delta_of = [](Work& item) {
      return LoadDelta{item.load->entry().id(), &item.load->schema(), item.open.batch.get(), item.open.next_offsets,
                       item.open.errors};
    };
    std::vector<LoadDelta> deltas;
    for (auto& item : work) deltas.push_back(delta_of(item));
    auto all = store_.applier().apply(std::move(deltas));
    if (all) {
      applied = *all;
      return {};
    }
    if (work.size() == 1 || all.error().code() == Code::kCorrupt) {
      for (auto& item : work) item.outcome = fail(Error(all.error()));
      return fail(std::move(all).error());
    }
    // One of them is to blame: the others go on.
    for (auto& item : work) {
      auto one = store_.applier().apply({delta_of(item)});
      if (!one) {
        item.outcome = fail(std::move(one).error());
        continue;
      }
      applied.changes += one->changes;
      applied.rows_inserted += one->rows_inserted;
    }
    return {};
  };
  (void)co_await writer_.run(job);
  note_applied(work, applied, began);
  bool failed = false;
  for (auto& item : work) failed |= !item.outcome;
  work.clear();
  if (failed) co_await sleep_for(clock_, options_.retry_delay);
  applying_ = false;
  changed_.pulse();
}

void Pump::note_applied(const std::vector<Work>& work, const Applied& applied, SteadyTime began) {
  const auto now = clock_.now();
  const std::int64_t wall = clock_.wall_ms();
  std::string trouble;
  status_.freshness_ms = -1;
  for (const Work& item : work) {
    item.load->applying = false;
    if (!item.outcome) {
      const Error& error = item.outcome.error();
      trouble = fmt::format("{}: {}", item.load->entry().job.to_string(), error.to_string());
      LOG_WARN("sql.apply_failed", {"job", item.load->entry().job.to_string()}, {"reason", error.message()});
      item.load->rewind_wanted = true;
      if (!error.retriable() && error.code() != Code::kCorrupt && item.load->state == LoadState::kRunning) {
        item.load->state = LoadState::kPaused;
        item.load->reason = "the table refused a batch: " + error.message();
        events_.load_stopped(item.load->entry().job, item.load->reason);
      }
      continue;
    }
    item.load->applied(item.open);
    if (item.open.batch && item.open.batch->oldest_source_ms > 0) {
      item.load->freshness_ms = std::max<std::int64_t>(0, wall - item.open.batch->oldest_source_ms);
      status_.freshness_ms = std::max(status_.freshness_ms, item.load->freshness_ms);
      counters_->freshness_seconds.Observe(static_cast<double>(item.load->freshness_ms) / 1000);
    }
  }
  status_.trouble = trouble;
  const double seconds = std::chrono::duration<double>(now - began).count();
  status_.apply_ms = seconds * 1000;
  status_.rows_applied += applied.changes;
  ++status_.batches_applied;
  counters_->rows.Increment(static_cast<double>(applied.changes));
  counters_->batches.Increment();
  counters_->apply_seconds.Observe(seconds);
  window_rows_ += applied.changes;
  if (const double span = std::chrono::duration<double>(now - window_began_).count(); span >= 1) {
    status_.rows_applied_per_second = static_cast<double>(window_rows_) / span;
    window_rows_ = 0;
    window_began_ = now;
  }
}

}  // namespace millrace::sql::ingest
