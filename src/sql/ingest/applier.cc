#include "sql/ingest/applier.h"

#include <fmt/format.h>

#include <charconv>

#include "sql/ingest/chunk_writer.h"
#include "sql/ingest/convert.h"

namespace millrace::sql::ingest {
namespace {

std::vector<Column> key_columns(const TableSchema& schema) {
  std::vector<Column> columns;
  for (std::size_t i : schema.key) columns.push_back(schema.columns[i]);
  return columns;
}

std::string join_on_key(const TableSchema& schema, std::string_view left, std::string_view right) {
  std::string text;
  for (std::size_t i : schema.key) {
    const std::string name = quote_name(schema.columns[i].name);
    text += fmt::format("{}{}.{} = {}.{}", text.empty() ? "" : " AND ", left, name, right, name);
  }
  return text;
}

// What a cell of the table is as a Value again.
Value value_of(const ColumnInfo& column, const Cell& cell, Arena& arena) {
  if (cell.is_null) return Value::null();
  switch (column.type) {
    case ColumnType::kFloat:
    case ColumnType::kDouble: return Value::of_real(cell.real);
    case ColumnType::kDecimal: return Value::of_decimal(cell.decimal);
    case ColumnType::kText:
    case ColumnType::kJson:
    case ColumnType::kBlob: return Value::of_text(arena.keep(cell.text));
    case ColumnType::kUInt8:
    case ColumnType::kUInt16:
    case ColumnType::kUInt32:
    case ColumnType::kUInt64: return Value::of_integer(static_cast<std::int64_t>(cell.unsigned_int));
    default: return Value::of_integer(cell.integer);
  }
}

}  // namespace

Result<void> Applier::prepare() {
  TRY_VOID(connection_.execute("CREATE SCHEMA IF NOT EXISTS __millrace"));
  return connection_.execute(
      "CREATE TABLE IF NOT EXISTS __millrace.load_offsets(load VARCHAR, partition INTEGER, next_offset BIGINT, "
      "errors UBIGINT)");
}

Result<Applied> Applier::apply(std::vector<LoadDelta> deltas) {
  Applied applied;
  TRY_VOID(connection_.execute("BEGIN TRANSACTION"));
  const auto all = [&]() -> Result<void> {
    for (LoadDelta& delta : deltas) {
      if (!delta.batch) continue;
      if (auto done = apply_table(delta, applied); !done) {
        return fail(std::move(done).error().with(fmt::format("applying to {}", delta.schema->table.to_string())));
      }
    }
    TRY_VOID(write_offsets(deltas));
    return connection_.execute("COMMIT");
  };
  auto done = all();
  if (!done) {
    (void)connection_.execute("ROLLBACK");
    return fail(std::move(done).error());
  }
  return applied;
}

Result<void> Applier::apply_table(LoadDelta& delta, Applied& applied) {
  const TableSchema& schema = *delta.schema;
  ChangeBatch& batch = *delta.batch;
  const Plan plan = plan_changes(schema, batch);
  applied.changes += plan.changes;
  if (plan.truncate) TRY_VOID(connection_.execute("DELETE FROM " + quote_table(schema.table)));
  TRY_VOID(fill_unchanged(schema, batch, plan));
  if (!plan.truncate && !plan.removed_keys.empty()) TRY_VOID(remove_keys(schema, batch, plan));
  TRY_VOID(insert_rows(schema, batch, plan));
  applied.rows_deleted += plan.removed_keys.size();
  applied.rows_inserted += plan.inserts.size();
  return {};
}

// Rows whose large values did not travel: those come from the table, before the delete.
Result<void> Applier::fill_unchanged(const TableSchema& schema, ChangeBatch& batch, const Plan& plan) {
  std::vector<const Plan::Insert*> open;
  for (const auto& insert : plan.inserts) {
    if (insert.fill) open.push_back(&insert);
  }
  if (open.empty() || plan.truncate) return {};
  std::vector<Column> columns = key_columns(schema);
  columns.push_back({"mr_index", {ColumnType::kInt64}});
  std::string definition, selected;
  for (const Column& column : columns) {
    definition += fmt::format("{}{} {}", definition.empty() ? "" : ", ", quote_name(column.name), column.type.to_sql());
  }
  TRY_VOID(connection_.execute(fmt::format("CREATE OR REPLACE TEMP TABLE mr_fill({})", definition)));
  TRY(auto writer, ChunkWriter::into_table(connection_, {"main", "mr_fill"}, columns));
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (std::size_t k = 0; k < schema.key.size(); ++k) writer->set(k, batch.row(open[i]->fill_key)[schema.key[k]]);
    writer->set(schema.key.size(), Value::of_integer(static_cast<std::int64_t>(i)));
    TRY_VOID(writer->end_row());
  }
  TRY_VOID(writer->finish());
  for (const Column& column : schema.columns) selected += ", t." + quote_name(column.name);
  TRY(auto rows, connection_.query(fmt::format("SELECT f.mr_index{} FROM mr_fill f JOIN {} t ON {}", selected,
                                               quote_table(schema.table), join_on_key(schema, "f", "t"))));
  for (;;) {
    TRY(auto chunk, rows->next());
    if (!chunk) return {};
    for (std::size_t r = 0; r < chunk->rows(); ++r) {
      Value* row = batch.row(open[static_cast<std::size_t>(chunk->cell(r, 0).integer)]->row);
      for (std::size_t c = 0; c < schema.columns.size(); ++c) {
        if (row[c].tag == Value::Tag::kUnchanged)
          row[c] = value_of(rows->columns()[c + 1], chunk->cell(r, c + 1), batch.arena());
      }
    }
  }
}

Result<void> Applier::remove_keys(const TableSchema& schema, ChangeBatch& batch, const Plan& plan) {
  const auto columns = key_columns(schema);
  const auto sql = fmt::format("DELETE FROM {} AS t USING appended_data AS x WHERE {}", quote_table(schema.table),
                               join_on_key(schema, "t", "x"));
  TRY(auto writer, ChunkWriter::through_query(connection_, sql, columns));
  for (const auto row : plan.removed_keys) {
    const Value* cells = batch.row(row);
    for (std::size_t k = 0; k < schema.key.size(); ++k) writer->set(k, cells[schema.key[k]]);
    TRY_VOID(writer->end_row());
  }
  return writer->finish();
}

Result<void> Applier::insert_rows(const TableSchema& schema, ChangeBatch& batch, const Plan& plan) {
  if (plan.inserts.empty()) return {};
  TRY(auto writer, ChunkWriter::into_table(connection_, schema.table, schema.columns));
  for (const auto& insert : plan.inserts) {
    const Value* cells = batch.row(insert.row);
    for (std::size_t c = 0; c < schema.columns.size(); ++c) writer->set(c, cells[c]);
    TRY_VOID(writer->end_row());
  }
  return writer->finish();
}

Result<void> Applier::write_offsets(const std::vector<LoadDelta>& deltas) {
  std::string gone, now;
  for (const LoadDelta& delta : deltas) {
    for (const auto& [partition, next] : delta.next_offsets) {
      const auto name = quote_text(delta.load);
      gone += fmt::format("{}(load = {} AND partition = {})", gone.empty() ? "" : " OR ", name, partition);
      now += fmt::format("{}({}, {}, {}, {})", now.empty() ? "" : ", ", name, partition, next, delta.errors);
    }
  }
  if (gone.empty()) return {};
  TRY_VOID(connection_.execute("DELETE FROM __millrace.load_offsets WHERE " + gone));
  return connection_.execute("INSERT INTO __millrace.load_offsets VALUES " + now);
}

Result<std::map<std::string, LoadProgress>> Applier::progress() {
  TRY(const auto rows, engine::query_text(connection_,
                                          "SELECT load, partition, next_offset, errors FROM "
                                          "__millrace.load_offsets"));
  std::map<std::string, LoadProgress> all;
  for (const auto& row : rows) {
    auto& load = all[row[0].value_or("")];
    load.next_offsets[static_cast<std::int32_t>(std::stol(row[1].value_or("0")))] = std::stoll(row[2].value_or("0"));
    load.errors = std::max<std::uint64_t>(load.errors, std::stoull(row[3].value_or("0")));
  }
  return all;
}

Result<void> Applier::forget(const std::string& load) {
  return connection_.execute("DELETE FROM __millrace.load_offsets WHERE load = " + quote_text(load));
}

}  // namespace millrace::sql::ingest
