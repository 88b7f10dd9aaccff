#include "sql/ingest/keeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::sql::ingest {

Keeper::Keeper(Executor executor, Clock& clock, Random& random, Metrics& metrics, LogOpener& logs,
               TableDescriptionSource* descriptions, SqlOptions options)
    : executor_(executor),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      logs_(logs),
      descriptions_(descriptions),
      options_(std::move(options)),
      scope_(executor) {}
Keeper::~Keeper() = default;

Task<void> Keeper::lock() {
  while (locked_) co_await unlocked_.wait();
  locked_ = true;
}
void Keeper::unlock() {
  locked_ = false;
  unlocked_.pulse();
}

Task<Result<void>> Keeper::read_catalog() {
  const std::string topic(kCatalogTopic);
  CO_TRY_VOID(co_await log_->create_compacted_topic(topic));
  CO_TRY(const auto records, co_await read_whole(*log_, topic));
  for (const auto& record : records) {
    if (!record.key) continue;
    std::optional<std::string_view> value;
    if (record.value) value = *record.value;
    if (auto applied = catalog_.apply(*record.key, value); !applied) {
      co_return fail(std::move(applied).error().with(fmt::format("{} offset {}", topic, record.offset)));
    }
  }
  if (catalog_.cluster.empty()) {
    const auto record = cluster_record(fmt::format("{:016x}{:016x}", random_.next(), random_.next()));
    CO_TRY_VOID(co_await commit_one(record));
  }
  co_return Result<void>();
}

Task<Result<void>> Keeper::start() {
  CO_TRY(log_, logs_.open(""));
  CO_TRY_VOID(co_await read_catalog());
  std::map<std::string, LoadProgress> progress;
  auto open = [this, &progress]() -> Result<void> {
    engine::DatabaseOptions database{options_.cache_path, options_.threads, options_.memory_limit_bytes};
    TRY(store_, Store::open(database));
    TRY_VOID(store_->reconcile(catalog_));
    TRY(progress, store_->applier().progress());
    return {};
  };
  CO_TRY_VOID(co_await in_store(open));
  PumpOptions pump;
  pump.batch_interval = options_.batch_interval;
  pump.buffered_bytes_max = options_.buffered_bytes_max;
  pump_ = std::make_unique<Pump>(executor_, clock_, metrics_, logs_, *store_, writer_, *this, pump);
  pump_->start();
  for (const auto& [job, load] : catalog_.loads) {
    const auto table = catalog_.tables.find(load.table);
    if (table == catalog_.tables.end()) continue;
    (void)pump_->add(load, table->second.schema, progress[load.id()]);
  }
  if (!options_.auto_tables.empty()) scope_.spawn(auto_loop());
  scope_.spawn(checkpoint_loop());
  scope_.spawn(jobs_loop());
  LOG_INFO("sql.started", {"tables", catalog_.tables.size()}, {"views", catalog_.views.size()},
           {"loads", catalog_.loads.size()});
  co_return Result<void>();
}

Task<void> Keeper::stop() {
  scope_.request_stop();
  wake_.set();
  co_await scope_.stop();
  if (pump_) co_await pump_->stop();
  if (!store_) co_return;
  auto close = [this]() -> Result<void> {
    auto done = store_->checkpoint();
    return done;
  };
  (void)co_await in_store(close);
}

const TableEntry* Keeper::find_table(const TableName& table) {
  const auto found = catalog_.tables.find(table);
  return found == catalog_.tables.end() ? nullptr : &found->second;
}
bool Keeper::is_loaded(const TableName& table) { return catalog_.load_of_table(table) != nullptr; }

Task<Result<void>> Keeper::commit(std::vector<CatalogRecord> records) {
  std::vector<client::Record> batch;
  for (const auto& record : records) batch.push_back({record.key, record.value});
  auto written = co_await log_->append(std::string(kCatalogTopic), std::move(batch));
  if (!written) {
    if (store_) {
      auto back = [this] { return store_->reconcile(catalog_); };
      (void)co_await in_store(back);
    }
    co_return fail(std::move(written).error().with("writing the SQL catalogue to the log"));
  }
  for (const auto& record : records) {
    std::optional<std::string_view> value;
    if (record.value) value = *record.value;
    auto applied = catalog_.apply(record.key, value);
    CHECK(applied);
  }
  co_return Result<void>();
}

Task<Result<void>> Keeper::commit_one(CatalogRecord record) {
  std::vector<CatalogRecord> records;
  records.push_back(std::move(record));
  co_return co_await commit(std::move(records));
}

Task<Result<void>> Keeper::make_table(TableEntry entry, std::optional<std::string> as_select) {
  entry.version = next_version();
  auto job = [this, &entry, &as_select] { return store_->create_table(entry, as_select); };
  CO_TRY_VOID(co_await in_store(job));
  std::vector<CatalogRecord> records;
  if (!catalog_.databases.contains(entry.schema.table.database)) {
    records.push_back(database_record(entry.schema.table.database, entry.version));
  }
  records.push_back(record_of(entry));
  co_return co_await commit(std::move(records));
}

Task<Result<void>> Keeper::make_load(LoadEntry entry) {
  entry.version = entry.born = next_version();
  CO_TRY_VOID(co_await commit_one(record_of(entry)));
  co_return pump_->add(entry, catalog_.tables.at(entry.table).schema, {});
}

Task<Result<void>> Keeper::replace_load(LoadEntry entry) {
  entry.version = next_version();
  CO_TRY_VOID(co_await commit_one(record_of(entry)));
  LoadProgress progress = co_await pump_->remove(entry.job);
  co_return pump_->add(entry, catalog_.tables.at(entry.table).schema, std::move(progress));
}

Task<Result<void>> Keeper::stop_load(TableName job) {
  const auto found = catalog_.loads.find(job);
  if (found == catalog_.loads.end()) co_return Result<void>();
  const std::string id = found->second.id();
  CO_TRY_VOID(co_await commit_one(dropped_load(job)));
  (void)co_await pump_->remove(job);
  auto forget = [this, &id] { return store_->applier().forget(id); };
  co_return co_await in_store(forget);
}

Task<Result<void>> Keeper::drop_table(TableName table) {
  if (const LoadEntry* load = catalog_.load_of_table(table)) {
    const TableName job_name = load->job;
    CO_TRY_VOID(co_await stop_load(job_name));
  }
  auto job = [this, &table] { return store_->drop_table(table); };
  CO_TRY_VOID(co_await in_store(job));
  co_return co_await commit_one(dropped_table(table));
}

// The new form of a table that may have a load: the load lets go, the table changes, the load goes on.
Task<Result<void>> Keeper::change_table(TableName old_name, TableEntry entry, std::vector<std::string> sql) {
  entry.version = next_version();
  std::optional<LoadEntry> load;
  if (const LoadEntry* found = catalog_.load_of_table(old_name)) load = *found;
  LoadProgress progress;
  if (load) {
    const TableName job_name = load->job;
    progress = co_await pump_->remove(job_name);
  }
  auto job = [this, &old_name, &entry, &sql] { return store_->alter_table(old_name, entry, sql); };
  auto changed = co_await in_store(job);
  if (changed) {
    std::vector<CatalogRecord> records;
    if (!(old_name == entry.schema.table)) records.push_back(dropped_table(old_name));
    records.push_back(record_of(entry));
    if (load && !(load->table == entry.schema.table)) {
      load->table = entry.schema.table;
      load->version = entry.version;
      records.push_back(record_of(*load));
    }
    changed = co_await commit(std::move(records));
  }
  auto refresh = [this]() -> Result<void> {
    store_->refresh_views(catalog_);
    return {};
  };
  (void)co_await in_store(refresh);
  if (load) {
    const auto table = catalog_.tables.find(load->table);
    if (table != catalog_.tables.end()) (void)pump_->add(*load, table->second.schema, std::move(progress));
  }
  co_return changed;
}

// --- what the pump tells ---

void Keeper::load_stopped(TableName job, std::string reason) {
  scope_.spawn(pause_load(std::move(job), std::move(reason)));
}
void Keeper::columns_missing(TableName job, std::vector<Column> columns) {
  scope_.spawn(add_columns(std::move(job), std::move(columns)));
}

Task<void> Keeper::pause_load(TableName job, std::string reason) {
  co_await lock();
  const auto found = catalog_.loads.find(job);
  if (found != catalog_.loads.end() && !found->second.paused) {
    LoadEntry entry = found->second;
    entry.paused = true;
    entry.pause_reason = std::move(reason);
    entry.version = next_version();
    // The pump holds it already; a log that is away now finds it at the same record after a restart.
    (void)co_await commit_one(record_of(entry));
  }
  unlock();
}

Task<void> Keeper::add_columns(TableName job, std::vector<Column> columns) {
  co_await lock();
  const auto found = catalog_.loads.find(job);
  if (found == catalog_.loads.end()) {
    unlock();
    co_return;
  }
  const LoadEntry load = found->second;
  TableEntry entry = catalog_.tables.at(load.table);
  std::optional<TableDescription> description;
  if (descriptions_) description = descriptions_->describe(load.topic);
  std::vector<std::string> sql;
  for (Column column : columns) {
    if (entry.schema.find(column.name)) continue;
    if (description) {
      for (const auto& described : description->columns) {
        if (described.name != column.name) continue;
        column = column_of_connect_field(described.name, described.connect_type, described.semantic, described.scale,
                                         described.precision);
      }
    }
    if (column.type.type == ColumnType::kNull) column.type = {ColumnType::kText};
    column.not_null = false;
    sql.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", quote_table(load.table), quote_name(column.name),
                              column.type.to_sql()));
    LOG_INFO("sql.column_added", {"table", load.table.to_string()}, {"column", column.name},
             {"type", column.type.to_sql()});
    entry.schema.columns.push_back(std::move(column));
    entry.mysql_types.emplace_back();
    entry.comments.emplace_back();
  }
  auto changed = co_await change_table(load.table, std::move(entry), std::move(sql));
  if (!changed) {
    LOG_WARN("sql.column_not_added", {"table", load.table.to_string()}, {"reason", changed.error().message()});
    LoadEntry paused = load;
    paused.paused = true;
    paused.pause_reason = "a column could not be added: " + changed.error().message();
    (void)co_await replace_load(std::move(paused));
  }
  unlock();
}

// --- tables for captured topics ---

Task<void> Keeper::auto_loop() {
  while (!scope_.stopping().is_set()) {
    auto topics = co_await log_->list_topics();
    trouble_ = topics ? std::string() : topics.error().to_string();
    if (topics) {
      for (const auto& topic : *topics) {
        for (const auto& prefix : options_.auto_tables) {
          if (topic.size() <= prefix.size() + 1 || !topic.starts_with(prefix) || topic[prefix.size()] != '.') continue;
          if (!scope_.stopping().is_set()) co_await consider_topic(prefix, topic);
          break;
        }
      }
    }
    const auto next = clock_.now() + 1s;
    (void)co_await wake_.wait_until(clock_, next);
  }
}

Task<Result<RecordShape>> Keeper::shape_of_topic(std::string topic) {
  if (descriptions_) {
    if (auto description = descriptions_->describe(topic)) {
      RecordShape shape;
      for (const auto& column : description->columns) {
        shape.columns.push_back(
            column_of_connect_field(column.name, column.connect_type, column.semantic, column.scale, column.precision));
      }
      shape.key = description->key;
      co_return shape;
    }
  }
  CO_TRY(const auto partitions, co_await log_->partition_count(topic));
  std::map<client::TopicPartition, std::int64_t> positions;
  for (std::int32_t index = 0; index < partitions; ++index) {
    const client::TopicPartition partition{topic, index};
    CO_TRY(positions[partition], co_await log_->offset_of(partition, client::OffsetSpec::kEarliest));
  }
  client::FetchOptions options;
  options.max_wait = 50ms;
  options.partition_max_bytes = 64 << 10;
  CO_TRY(const auto fetched, co_await log_->fetch(std::move(positions), options));
  bool any = false;
  for (const auto& part : fetched) {
    for (const auto& record : part.records) {
      if (!record.value) continue;
      any = true;
      RecordView view;
      view.value = *record.value;
      if (record.key) view.key = *record.key;
      if (auto shape = shape_of_record(view)) co_return *shape;
    }
  }
  if (!any) co_return fail(Code::kUnavailable, "no record yet");
  co_return fail(Code::kUnsupported,
                 "its records carry no schema and nobody here captures it: create the table and a routine load");
}

Task<void> Keeper::consider_topic(std::string prefix, std::string topic) {
  const std::string rest = topic.substr(prefix.size() + 1);
  const auto dot = rest.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == rest.size()) co_return;  // transactions, messages
  for (const auto& [job, load] : catalog_.loads) {
    if (load.automatic && load.topic == topic) co_return;
  }
  auto shape = co_await shape_of_topic(topic);
  if (!shape) {
    if (shape.error().code() == Code::kUnsupported) skipped_topics_[topic] = shape.error().message();
    co_return;
  }
  const TableName name = auto_table_name(prefix, rest.substr(0, dot), rest.substr(dot + 1));
  auto made = auto_table(name, topic, shape->columns, shape->key);
  if (!made) {
    skipped_topics_[topic] = made.error().message();
    co_return;
  }
  co_await lock();
  Result<void> done;
  if (catalog_.views.contains(name)) {
    done = fail(Code::kExists, fmt::format("a view {} is in its way", name.to_string()));
  } else if (is_loaded(name)) {
    done = fail(Code::kExists, fmt::format("table {} follows another topic", name.to_string()));
  } else {
    if (!catalog_.tables.contains(name)) done = co_await make_table(made->table, std::nullopt);
    if (done) done = co_await make_load(made->load);
  }
  unlock();
  if (done) {
    skipped_topics_.erase(topic);
    LOG_INFO("sql.table_created", {"table", name.to_string()}, {"topic", topic});
  } else {
    skipped_topics_[topic] = done.error().message();
  }
}

// --- upkeep ---

Task<void> Keeper::checkpoint_loop() {
  std::uint64_t seen = 0;
  while (!scope_.stopping().is_set()) {
    const auto next = clock_.now() + 30s;
    if (co_await wake_.wait_until(clock_, next)) co_return;
    const auto applied = pump_->status().batches_applied;
    if (applied == seen) continue;
    seen = applied;
    auto job = [this] { return store_->checkpoint(); };
    if (auto done = co_await in_store(job); !done)
      LOG_DEBUG("sql.checkpoint_put_off", {"reason", done.error().message()});
  }
}

std::vector<TextRow> Keeper::job_rows() const {
  std::vector<TextRow> rows;
  for (const auto& status : pump_->loads()) {
    const auto entry = catalog_.loads.find({status.database, status.job});
    if (entry != catalog_.loads.end()) rows.push_back(show_load_row(entry->second, status));
  }
  return rows;
}

// information_schema.routine_load_jobs is at most a second old.
Task<void> Keeper::jobs_loop() {
  std::string shown;
  while (!scope_.stopping().is_set()) {
    const auto rows = job_rows();
    std::string now;
    for (const auto& row : rows) {
      for (const auto& cell : row.cells) now += cell + '\n';
    }
    if (now != shown) {
      auto job = [this, &rows] { return store_->write_jobs(rows); };
      if (co_await in_store(job)) shown = std::move(now);
    }
    const auto next = clock_.now() + 1s;
    (void)co_await wake_.wait_until(clock_, next);
  }
}

void Keeper::fill(SqlStatus& status) const {
  status.tables = catalog_.tables.size();
  status.views = catalog_.views.size();
  for (const auto& [topic, why] : skipped_topics_) status.skipped_topics.push_back(topic + ": " + why);
  status.trouble = trouble_;
  if (!pump_) return;
  status.loads = pump_->loads();
  const PumpStatus pump = pump_->status();
  if (!pump.trouble.empty()) status.trouble = pump.trouble;
  status.log_reachable = trouble_.empty();
  status.rows_applied = pump.rows_applied;
  status.rows_applied_per_second = pump.rows_applied_per_second;
  status.batches_applied = pump.batches_applied;
  status.apply_ms = pump.apply_ms;
  status.freshness_ms = pump.freshness_ms;
}

}  // namespace millrace::sql::ingest
