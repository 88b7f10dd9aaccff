// The snapshot half of Worker: rows of every captured table under one snapshot, resumable by table.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/log.h"
#include "cdc/pg_text.h"
#include "cdc/worker.h"

namespace millrace::cdc {
namespace {

constexpr std::size_t kSnapshotUnitBytes = 1 << 20;

// Splits a line of COPY text into columns. `unescaped` owns what had escapes.
void split_line(std::string_view line, std::vector<TupleColumn>& row, std::deque<std::string>& unescaped) {
  row.clear();
  unescaped.clear();
  const bool plain = line.find('\\') == std::string_view::npos;
  std::size_t from = 0;
  for (;;) {
    const auto tab = std::min(line.find('\t', from), line.size());
    const auto field = line.substr(from, tab - from);
    if (plain || field.find('\\') == std::string_view::npos) {
      row.push_back(TupleColumn{'t', field});
    } else if (field == "\\N") {
      row.push_back(TupleColumn{'n', {}});
    } else {
      unescape_copy(field, unescaped.emplace_back());
      row.push_back(TupleColumn{'t', unescaped.back()});
    }
    if (tab == line.size()) return;
    from = tab + 1;
  }
}

std::string name_of(const TableInfo& table) { return table.schema + "." + table.name; }

}  // namespace

// Steps: 1. a repeatable-read transaction, under the slot's exported snapshot when the slot is new; 2. which
// transactions it holds goes into the position with every table not yet begun: the stream leaves exactly those out;
// 3. each table is copied and, once acknowledged, marked done. A table that was begun before a crash keeps its
// first snapshot as filter and is copied again: what its rows missed comes with the stream, in order.
Result<void> Worker::snapshot(Position& position, const std::string& exported) {
  shared_.update([](Status& status) { status.state = State::kSnapshot; });
  TRY_VOID(sql_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  if (!exported.empty()) TRY_VOID(sql_->execute("SET TRANSACTION SNAPSHOT " + sql_->literal(exported)));
  TRY(const auto facts, sql_->query("SELECT pg_current_snapshot(), pg_current_wal_insert_lsn(), "
                                    "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"));
  TRY(auto held, parse_pg_snapshot(facts[0][0].value_or("")));
  TRY(held.until, parse_lsn(facts[0][1].value_or("")));
  const auto xid = static_cast<std::int64_t>(held.xmax);
  const std::int64_t started_us = std::stoll(facts[0][2].value_or("0"));
  const Lsn lsn = exported.empty() ? held.until : position.lsn;
  TRY(types_, read_types(*sql_));
  TRY(const auto tables, read_tables(*sql_, selector_));
  TRY_VOID(check_readable(*sql_, config_, tables));
  const std::size_t index = position.snapshots.size();
  position.snapshots.push_back(std::move(held));
  std::vector<const TableInfo*> open;
  for (const auto& table : tables) {
    const auto [entry, fresh] = position.tables.try_emplace(name_of(table), Position::Table{index, false});
    if (!fresh && !entry->second.done) {
      TRY(entry->second.done, landed_whole(topic_name(config_.topic_prefix, table.schema, table.name), position));
    }
    if (!entry->second.done) open.push_back(&table);
  }
  const auto mark = [&]() -> Result<void> {
    Unit unit;
    unit.position = position;
    TRY_VOID(push(std::move(unit)));
    return flush(120s);
  };
  TRY_VOID(mark());
  // The last row of all is marked: find the last table that has one.
  std::size_t last = open.size();
  while (last > 0) {
    const auto& table = *open[last - 1];
    TRY(const auto rows, sql_->query(fmt::format("SELECT 1 FROM ONLY {}.{} LIMIT 1", sql_->quote(table.schema),
                                                 sql_->quote(table.name))));
    if (!rows.empty()) break;
    --last;
  }
  shared_.update([&](Status& status) {
    status.snapshot_tables = static_cast<std::uint32_t>(position.tables.size());
    status.snapshot_tables_done = static_cast<std::uint32_t>(position.tables.size() - open.size());
  });
  bool first = true;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const std::uint64_t rows_before = shared_.status.snapshot_rows;
    TRY_VOID(snapshot_table(*open[i], position, lsn, xid, started_us, first, i + 1 == last));
    if (shared_.status.snapshot_rows != rows_before) first = false;
    position.tables[name_of(*open[i])].done = true;
    // Small tables share a mark: a crash repeats few rows, and a thousand empty tables cost no thousand round trips.
    if (shared_.status.snapshot_rows - rows_before > 1000 || i % 50 == 49) TRY_VOID(mark());
    shared_.update([](Status& status) { ++status.snapshot_tables_done; });
  }
  TRY_VOID(flush(120s));
  position.phase = Position::Phase::kStreaming;
  TRY_VOID(mark());
  LOG_INFO("cdc.snapshot_done", {"connector", config_.name}, {"tables", open.size()},
           {"rows", shared_.status.snapshot_rows});
  return sql_->execute("COMMIT");
}

// A crash between a table's last row and its mark: the last row says so itself. With more than one partition it
// says nothing of the others, so that the table is copied again.
Result<bool> Worker::landed_whole(const std::string& topic, const Position& position) {
  constexpr std::int64_t kLook = 16;  // the last event is enough; a few more when somebody else wrote behind it
  TRY(const auto ends, log_->end_offsets());
  std::vector<std::pair<client::TopicPartition, std::int64_t>> found;
  for (const auto& entry : ends) {
    if (entry.first.topic == topic) found.push_back(entry);
  }
  if (found.size() != 1) return false;
  const auto& [partition, end] = found.front();
  const auto known = position.offsets.find(partition);
  const std::int64_t from = std::max(known == position.offsets.end() ? 0 : known->second, end - kLook);
  if (from >= end) return false;
  TRY(const auto tail, log_->read_tail(partition, from));
  return tail && (tail->snapshot == "last" || tail->snapshot == "last_in_data_collection");
}

Result<void> Worker::snapshot_table(const TableInfo& info, Position&, Lsn lsn, std::int64_t xid,
                                    std::int64_t started_us, bool first, bool last) {
  TRY(const auto table, make_table(info));
  TRY(const std::int32_t partitions, log_->partitions_of(table->topic()));
  std::string columns;
  for (const auto& column : info.columns) columns.append(columns.empty() ? "" : ", ").append(sql_->quote(column.name));
  if (columns.empty()) return {};
  TRY_VOID(sql_->copy_out(fmt::format("COPY (SELECT {} FROM ONLY {}.{}) TO STDOUT", columns, sql_->quote(info.schema),
                                      sql_->quote(info.name))));
  UnitBuilder builder;
  std::vector<TupleColumn> row;
  std::deque<std::string> unescaped;
  std::string pending;  // one row back, so that the last one is known as such
  bool have_pending = false;
  std::uint64_t rows = 0, counted = 0;
  Origin origin;
  origin.source_us = started_us;
  origin.lsn = lsn;
  origin.xid = xid;
  const auto emit = [&](std::string_view marker) {
    split_line(pending, row, unescaped);
    origin.snapshot = marker;
    origin.now_us = clock_.wall_us();
    builder.add(table->topic(), partitions, table->read(row, origin));
    ++rows;
  };
  for (;;) {
    TRY(const auto line, sql_->copy_next());
    if (have_pending) {
      if (!line) {
        emit(last ? "last" : first && rows == 0 ? "first" : "last_in_data_collection");
      } else {
        emit(rows > 0 ? "true" : first ? "first" : "first_in_data_collection");
      }
    }
    if (!line) break;
    pending.assign(*line);
    have_pending = true;
    if (builder.bytes() < kSnapshotUnitBytes) continue;
    if (stopping()) return fail(Code::kCancelled, "stopped");
    TRY_VOID(push(builder.take()));
    shared_.update([&](Status& status) {
      status.snapshot_rows += rows - counted;
      status.rows += rows - counted;
    });
    counted = rows;
  }
  if (!builder.empty()) TRY_VOID(push(builder.take()));
  shared_.update([&](Status& status) {
    status.snapshot_rows += rows - counted;
    status.rows += rows - counted;
  });
  return {};
}

}  // namespace millrace::cdc
