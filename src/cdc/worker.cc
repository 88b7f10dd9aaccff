#include "cdc/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::cdc {
namespace {

constexpr Duration kStatusEvery = 5s;
constexpr Duration kAdvanceEvery = 10s;
constexpr std::uint64_t kAdvanceBytes = 16 << 20;
constexpr std::size_t kStreamUnitBytes = 1 << 20;
constexpr Duration kLinger = 5ms;
constexpr Duration kStopWait = 2s;

}  // namespace

Worker::Worker(const ConnectorConfig& config, Shared& shared, Clock& clock, CdcMetrics& metrics, std::string run_id,
               MakeLog make_log, std::function<void(std::unique_ptr<LogPort>)> drop_log)
    : config_(config),
      shared_(shared),
      clock_(clock),
      metrics_(metrics),
      make_log_(std::move(make_log)),
      drop_log_(std::move(drop_log)),
      selector_(config) {
  headers_ = {{"__debezium.context.connectorLogicalName", config.topic_prefix},
              {"__debezium.context.taskId", "0"},
              {"__debezium.context.connectorName", "postgresql"},
              {"__debezium.context.runId", std::move(run_id)}};
}

Worker::~Worker() = default;

void Worker::run() {
  Duration back_off = 200ms;
  while (!stopping()) {
    const SteadyTime begun = clock_.now();
    auto done = attempt();
    replication_.reset();
    sql_.reset();
    if (log_) drop_log_(std::move(log_));
    if (done || stopping()) break;
    const Error& error = done.error();
    metrics_.errors.Increment();
    const bool again = error.retriable() || error.code() == Code::kCancelled;
    LOG_WARN("cdc.attempt_failed", {"connector", config_.name}, {"error", error.to_string()}, {"again", again});
    shared_.update([&](Status& status) {
      status.error = error.message();
      status.state = again ? State::kRetrying : State::kFailed;
    });
    if (!again) return;
    if (clock_.now() - begun > 30s) back_off = 200ms;
    const SteadyTime until = clock_.now() + back_off;
    back_off = std::min<Duration>(back_off * 2, 15s);
    while (!stopping() && clock_.now() < until) {
      shared_.wakeup.clear();
      wait_readable(shared_.wakeup.fd(), until - clock_.now());
    }
  }
  shared_.update([](Status& status) { status.state = State::kStopped; });
}

Result<void> Worker::attempt() {
  const Interrupt interrupt{&shared_.stopping, &shared_.wakeup};
  TRY(sql_, PgConnection::connect(config_, ConnectionKind::kSql, interrupt));
  TRY_VOID(check_server(*sql_));
  TRY(replication_, PgConnection::connect(config_, ConnectionKind::kReplication, interrupt));
  log_ = make_log_();
  TRY(types_, read_types(*sql_));
  TRY_VOID(describe_tables());
  TRY(auto position, recover());
  if (stopping()) return {};
  return stream(std::move(position));
}

Result<void> Worker::describe_tables() {
  TRY(const auto tables, read_tables(*sql_, selector_));
  for (const auto& info : tables) TRY_VOID(make_table(info));
  return {};
}

Result<Position> Worker::recover() {
  TRY(const auto server, identify_system(*replication_));
  TRY(auto stored, log_->load_position());
  TRY(auto slot, read_slot(*sql_, config_.slot_name));
  if (!stored) return start_anew(server, std::move(slot));
  Position position = std::move(*stored);
  const std::string where = fmt::format("slot \"{}\" of topic.prefix \"{}\"", config_.slot_name, config_.topic_prefix);
  if (position.system_id != server.system_id) {
    return fail(
        Code::kFenced,
        fmt::format("{}: the stored position is of another Postgres (system {} then, {} now): give the connector a new "
                    "slot.name to start over with a snapshot",
                    where, position.system_id, server.system_id));
  }
  if (!slot) {
    return fail(Code::kFenced,
                fmt::format("{}: the slot was dropped, and changes since {} are gone with it: give the connector a new "
                            "slot.name to start over with a snapshot",
                            where, lsn_text(position.lsn)));
  }
  TRY_VOID(check_slot(config_, *slot));
  if (slot->confirmed > position.lsn) {
    return fail(
        Code::kFenced,
        fmt::format(
            "{}: the slot stands at {}, ahead of the stored position {}: somebody else read from it, and what it "
            "read is missing here; give the connector a new slot.name to start over with a snapshot",
            where, lsn_text(slot->confirmed), lsn_text(position.lsn)));
  }
  if (server.wal_end < position.lsn) {
    return fail(
        Code::kFenced,
        fmt::format("{}: the server ends at {}, before the stored position {}: it was restored or failed over and lost "
                    "its newest changes; give the connector a new slot.name to start over with a snapshot",
                    where, lsn_text(server.wal_end), lsn_text(position.lsn)));
  }
  log_->begin(position.offsets);
  if (position.phase == Position::Phase::kSnapshot) TRY_VOID(snapshot(position, ""));
  return position;
}

Result<Position> Worker::start_anew(const ServerFacts& server, std::optional<SlotFacts> slot) {
  TRY(const auto tables, read_tables(*sql_, selector_));
  TRY_VOID(check_tables(config_, tables));
  TRY_VOID(check_readable(*sql_, config_, tables));
  TRY_VOID(ensure_publication(*sql_, config_, tables));
  Position position;
  position.system_id = server.system_id;
  position.timeline = server.timeline;
  std::string exported;
  if (slot) {
    TRY_VOID(check_slot(config_, *slot));
    position.lsn = slot->confirmed;
  } else {
    TRY(const auto rows, replication_->query(fmt::format("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput EXPORT_SNAPSHOT",
                                                         replication_->quote(config_.slot_name))));
    if (rows.empty() || rows[0].size() < 3 || !rows[0][1]) return fail(Code::kInternal, "the new slot has no position");
    TRY(position.lsn, parse_lsn(*rows[0][1]));
    exported = rows[0][2].value_or("");
    LOG_INFO("cdc.slot_made", {"connector", config_.name}, {"slot", config_.slot_name},
             {"lsn", lsn_text(position.lsn)});
  }
  TRY(const auto offsets, log_->end_offsets());
  log_->begin(offsets);
  position.offsets = offsets;
  if (config_.snapshot_mode == SnapshotMode::kInitial) {
    position.phase = Position::Phase::kSnapshot;
    TRY_VOID(snapshot(position, exported));
  } else {
    Unit unit;
    unit.position = position;
    TRY_VOID(push(std::move(unit)));
    TRY_VOID(flush(60s));
  }
  return position;
}

Result<std::shared_ptr<const EventTable>> Worker::make_table(const TableInfo& info) {
  for (const auto& column : info.columns) {
    if (types_.contains(column.type_oid)) continue;
    TRY(types_, read_types(*sql_));
    break;
  }
  for (const auto& column : info.columns) {
    if (types_.contains(column.type_oid)) continue;
    return fail(Code::kUnsupported, fmt::format("column {} of {}.{} has type {} that pg_type does not know",
                                                column.name, info.schema, info.name, column.type_oid));
  }
  TRY(auto table, EventTable::make(config_, types_, info, headers_));
  for (const auto& column : table->left_out()) {
    LOG_WARN("cdc.column_left_out", {"connector", config_.name}, {"table", info.schema + "." + info.name},
             {"column", column}, {"reason", "Debezium writes no values of this type"});
  }
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.shapes[table->topic()] = table->shape();
  }
  return std::shared_ptr<const EventTable>(std::move(table));
}

Result<std::shared_ptr<const EventTable>> Worker::table_of(const PgMessage& relation) {
  if (!selector_.wants(relation.schema, relation.name)) return nullptr;
  TRY(auto info, read_table(*sql_, relation.oid));
  TableInfo now{relation.oid, std::string(relation.schema), std::string(relation.name), {}, {}};
  const bool refresh_enums = true;
  if (refresh_enums) {
    TRY(types_, read_types(*sql_));
  }
  for (const auto& column : relation.columns) {
    ColumnInfo out{column.name, column.type_oid, column.typmod, false, ""};
    if (info) {
      const auto known = std::find_if(info->columns.begin(), info->columns.end(),
                                      [&](const auto& c) { return c.name == column.name; });
      if (known != info->columns.end()) {
        out.not_null = known->not_null;
        out.default_expression = known->default_expression;
      }
    } else if (column.in_identity && relation.identity != 'f') {
      now.key.push_back(column.name);  // dropped meanwhile: its identity is the best that is known
    }
    now.columns.push_back(std::move(out));
  }
  if (info) now.key = info->key;
  return make_table(now);
}

Result<std::int32_t> Worker::partitions_of(const std::string& topic) { return log_->partitions_of(topic); }

Result<void> Worker::push(Unit unit) {
  for (;;) {
    if (stopping() && !unit.batches.empty()) return fail(Code::kCancelled, "stopped");
    TRY(const bool taken, log_->submit(unit, 500ms));
    if (taken) return {};
    if (streaming_) TRY_VOID(tell_position(true));  // the log is slow: keep the server from giving us up
  }
}

// Like the log's own, but a stop ends it.
Result<void> Worker::flush(Duration at_most) {
  const SteadyTime until = clock_.now() + at_most;
  for (;;) {
    auto done = log_->flush(200ms);
    if (done || done.error().code() != Code::kTimeout) return done;
    if (stopping()) return fail(Code::kCancelled, "stopped");
    if (clock_.now() >= until) return done;
  }
}

Result<void> Worker::tell_position(bool now) {
  TRY(const Lsn stored, log_->stored());
  const Lsn flushed = std::max(stored, told_);
  if (!now && flushed == told_ && clock_.now() < last_status_ + kStatusEvery) return {};
  told_ = flushed;
  last_status_ = clock_.now();
  shared_.update([&](Status& status) {
    status.position = flushed;
    status.lag_bytes = status.server_lsn > flushed ? status.server_lsn - flushed : 0;
    metrics_.lag_bytes.Set(static_cast<double>(status.lag_bytes));
  });
  return replication_->send(encode_status(std::max(received_, flushed), flushed, clock_.wall_us(), false));
}

Result<void> Worker::expect_replay(StreamCore& core, const Position& position) {
  TRY(const auto ends, log_->end_offsets());
  // The next position is one behind all that landed, also in topics that get no change until then.
  log_->begin(ends);
  std::map<client::TopicPartition, LandedTail> tails;
  for (const auto& [partition, end] : ends) {
    const auto known = position.offsets.find(partition);
    const std::int64_t from = known == position.offsets.end() ? 0 : known->second;
    if (from >= end) continue;
    TRY(auto tail, log_->read_tail(partition, from));
    if (tail && tail->snapshot == "false") tails[partition] = std::move(*tail);
  }
  if (tails.empty()) return {};
  TRY(const auto rows,
      sql_->query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"));
  TRY(const Lsn now, parse_lsn(rows[0][0].value_or("")));
  LOG_INFO("cdc.replay_expected", {"connector", config_.name}, {"partitions", tails.size()}, {"until", lsn_text(now)});
  core.replay().expect(std::move(tails), now);
  return {};
}

Result<void> Worker::stream(Position position) {
  StreamCore core(*this, position);
  const Lsn from = position.lsn;
  std::string publication = config_.publication_name;
  for (std::size_t i = 0; (i = publication.find_first_of("\"'", i)) != std::string::npos; i += 2) {
    publication.insert(i, 1, publication[i]);
  }
  TRY(const bool published, publication_exists(*sql_, config_.publication_name));
  if (!published) {
    TRY(const auto tables, read_tables(*sql_, selector_));
    TRY_VOID(ensure_publication(*sql_, config_, tables));
  }
  TRY_VOID(replication_->start_replication(
      fmt::format("START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names '\"{}\"')",
                  replication_->quote(config_.slot_name), lsn_text(from), publication)));
  // The slot is ours now: nobody else can write what we are about to look for.
  TRY_VOID(expect_replay(core, position));
  streaming_ = true;
  received_ = told_ = from;
  last_status_ = last_advance_ = clock_.now();
  shared_.update([&](Status& status) {
    status.state = State::kStreaming;
    status.position = from;
    status.error.clear();
  });
  LOG_INFO("cdc.streaming", {"connector", config_.name}, {"slot", config_.slot_name}, {"from", lsn_text(from)});
  SteadyTime first_pending{};
  while (!stopping()) {
    bool moved = false;
    if (auto fed = feed(core, moved); !fed) {
      streaming_ = false;
      return fed;
    }
    const bool news = core.has_news();
    if (news && first_pending == SteadyTime{}) first_pending = clock_.now();
    // Group commit: at once when the log is idle, else when it catches up, the unit is full or the linger is over.
    const bool idle = !moved && !core.in_transaction() && log_->units_in_flight() < 2;
    if (news && (core.pending_bytes() >= kStreamUnitBytes || idle ||
                 (!core.in_transaction() && clock_.now() >= first_pending + kLinger))) {
      Unit unit = core.take();
      if (unit.position || !unit.batches.empty()) TRY_VOID(push(std::move(unit)));
      first_pending = SteadyTime{};
    }
    TRY_VOID(tell_position(false));
    if (!moved) {
      replication_->wait(shared_.wakeup.fd(), news && first_pending != SteadyTime{} ? Duration(kLinger) : Duration(1s));
      shared_.wakeup.clear();
    }
    shared_.update([&](Status& status) {
      metrics_.transactions.Increment(static_cast<double>(core.transactions - status.transactions_of_attempt));
      metrics_.replayed.Increment(static_cast<double>(core.replayed - status.replayed_of_attempt));
      status.rows += core.rows - status.rows_of_attempt;
      status.transactions += core.transactions - status.transactions_of_attempt;
      status.replayed += core.replayed - status.replayed_of_attempt;
      status.rows_of_attempt = core.rows;
      status.transactions_of_attempt = core.transactions;
      status.replayed_of_attempt = core.replayed;
    });
  }
  streaming_ = false;
  // A clean stop: what is whole is written and stored.
  if (!core.in_transaction() && core.has_news()) {
    Unit unit = core.take();
    TRY([[maybe_unused]] const bool taken, log_->submit(unit, kStopWait));
  }
  if (log_->flush(kStopWait)) TRY_VOID(tell_position(true));
  return {};
}

// Reads frames until none is there, the unit is full or a while has passed.
Result<void> Worker::feed(StreamCore& core, bool& moved) {
  const SteadyTime until = clock_.now() + 20ms;
  for (int i = 0; core.pending_bytes() < kStreamUnitBytes; ++i) {
    if (i % 64 == 63 && clock_.now() > until) return {};
    TRY(const auto bytes, replication_->receive());
    if (!bytes) return {};
    moved = true;
    TRY(const auto frame, decode_frame(*bytes));
    Lsn wal_end = frame.wal_end;
    if (frame.kind == 'w') {
      TRY_VOID(decode_pgoutput(frame.payload, message_));
      TRY_VOID(core.handle(frame.start, message_, clock_.wall_us()));
      received_ = std::max(received_, frame.start);
    } else {
      received_ = std::max(received_, frame.wal_end);
      const bool due = clock_.now() > last_advance_ + kAdvanceEvery || wal_end > core.position().lsn + kAdvanceBytes;
      if (due && !core.in_transaction() && core.pending_bytes() == 0) {
        core.advance(wal_end);
        last_advance_ = clock_.now();
      }
      if (frame.reply_now) TRY_VOID(tell_position(true));
    }
    if (i % 256 == 0 || frame.kind == 'k') {
      shared_.update([&](Status& status) { status.server_lsn = std::max(status.server_lsn, wal_end); });
    }
  }
  return {};
}

}  // namespace millrace::cdc
