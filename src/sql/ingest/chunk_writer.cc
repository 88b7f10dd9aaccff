#include "sql/ingest/chunk_writer.h"

namespace millrace::sql::ingest {
namespace {

duckdb_logical_type logical_type(TypeSpec spec) {
  switch (spec.type) {
    case ColumnType::kBool: return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    case ColumnType::kInt8: return duckdb_create_logical_type(DUCKDB_TYPE_TINYINT);
    case ColumnType::kInt16: return duckdb_create_logical_type(DUCKDB_TYPE_SMALLINT);
    case ColumnType::kInt32: return duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    case ColumnType::kInt64: return duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    case ColumnType::kUInt8: return duckdb_create_logical_type(DUCKDB_TYPE_UTINYINT);
    case ColumnType::kUInt16: return duckdb_create_logical_type(DUCKDB_TYPE_USMALLINT);
    case ColumnType::kUInt32: return duckdb_create_logical_type(DUCKDB_TYPE_UINTEGER);
    case ColumnType::kUInt64: return duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT);
    case ColumnType::kFloat: return duckdb_create_logical_type(DUCKDB_TYPE_FLOAT);
    case ColumnType::kDouble: return duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
    case ColumnType::kDecimal: return duckdb_create_decimal_type(spec.precision, spec.scale);
    case ColumnType::kDate: return duckdb_create_logical_type(DUCKDB_TYPE_DATE);
    case ColumnType::kTime: return duckdb_create_logical_type(DUCKDB_TYPE_TIME);
    case ColumnType::kTimestamp: return duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP);
    case ColumnType::kBlob: return duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    case ColumnType::kText:
    case ColumnType::kJson:
    case ColumnType::kNull: return duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  }
  return nullptr;
}

template <class T>
void put(void* data, idx_t row, T value) {
  static_cast<T*>(data)[row] = value;
}

void put_decimal(void* data, idx_t row, int precision, Int128 value) {
  // DuckDB's widths: 4, 9, 18 and 38 digits.
  if (precision <= 4) return put(data, row, static_cast<std::int16_t>(value));
  if (precision <= 9) return put(data, row, static_cast<std::int32_t>(value));
  if (precision <= 18) return put(data, row, static_cast<std::int64_t>(value));
  put(data, row, duckdb_hugeint{static_cast<std::uint64_t>(value), static_cast<std::int64_t>(value >> 64)});
}

}  // namespace

ChunkWriter::ChunkWriter(std::span<const Column> columns) {
  for (const Column& column : columns) {
    specs_.push_back(column.type);
    types_.push_back(logical_type(column.type));
  }
  chunk_ = duckdb_create_data_chunk(types_.data(), types_.size());
  for (idx_t i = 0; i < types_.size(); ++i) {
    vectors_.push_back(duckdb_data_chunk_get_vector(chunk_, i));
    data_.push_back(duckdb_vector_get_data(vectors_.back()));
  }
}

ChunkWriter::~ChunkWriter() {
  if (chunk_) duckdb_destroy_data_chunk(&chunk_);
  if (appender_) duckdb_appender_destroy(&appender_);
  for (auto& type : types_) duckdb_destroy_logical_type(&type);
}

Error ChunkWriter::appender_error() {
  duckdb_error_data data = duckdb_appender_error_data(appender_);
  Error error = engine::duck_error(duckdb_error_data_error_type(data), duckdb_error_data_message(data));
  duckdb_destroy_error_data(&data);
  return error;
}

Result<std::unique_ptr<ChunkWriter>> ChunkWriter::into_table(engine::Connection& connection, const TableName& table,
                                                             std::span<const Column> columns) {
  std::unique_ptr<ChunkWriter> writer(new ChunkWriter(columns));
  if (duckdb_appender_create(connection.handle(), table.database.c_str(), table.name.c_str(), &writer->appender_) !=
      DuckDBSuccess) {
    return fail(writer->appender_error());
  }
  for (const Column& column : columns) {
    if (duckdb_appender_add_column(writer->appender_, column.name.c_str()) != DuckDBSuccess) {
      return fail(writer->appender_error());
    }
  }
  return writer;
}

Result<std::unique_ptr<ChunkWriter>> ChunkWriter::through_query(engine::Connection& connection, const std::string& sql,
                                                                std::span<const Column> columns) {
  std::unique_ptr<ChunkWriter> writer(new ChunkWriter(columns));
  std::vector<const char*> names;
  for (const Column& column : columns) names.push_back(column.name.c_str());
  if (duckdb_appender_create_query(connection.handle(), sql.c_str(), writer->types_.size(), writer->types_.data(),
                                   nullptr, names.data(), &writer->appender_) != DuckDBSuccess) {
    return fail(writer->appender_error());
  }
  return writer;
}

void ChunkWriter::set(std::size_t column, const Value& value) {
  void* data = data_[column];
  const TypeSpec spec = specs_[column];
  if (value.tag == Value::Tag::kNull || value.tag == Value::Tag::kUnchanged) {
    duckdb_vector_ensure_validity_writable(vectors_[column]);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vectors_[column]), rows_);
    return;
  }
  switch (spec.type) {
    case ColumnType::kBool: put(data, rows_, value.integer != 0); break;
    case ColumnType::kInt8:
    case ColumnType::kUInt8: put(data, rows_, static_cast<std::int8_t>(value.integer)); break;
    case ColumnType::kInt16:
    case ColumnType::kUInt16: put(data, rows_, static_cast<std::int16_t>(value.integer)); break;
    case ColumnType::kInt32:
    case ColumnType::kUInt32:
    case ColumnType::kDate: put(data, rows_, static_cast<std::int32_t>(value.integer)); break;
    case ColumnType::kInt64:
    case ColumnType::kUInt64:
    case ColumnType::kTime:
    case ColumnType::kTimestamp: put(data, rows_, value.integer); break;
    case ColumnType::kFloat: put(data, rows_, static_cast<float>(value.real)); break;
    case ColumnType::kDouble: put(data, rows_, value.real); break;
    case ColumnType::kDecimal: put_decimal(data, rows_, spec.precision, value.decimal); break;
    case ColumnType::kText:
    case ColumnType::kJson:
    case ColumnType::kBlob:
    case ColumnType::kNull:
      duckdb_vector_assign_string_element_len(vectors_[column], rows_, value.text, value.size);
      break;
  }
}

Result<void> ChunkWriter::end_row() {
  if (++rows_ < duckdb_vector_size()) return {};
  return flush();
}

Result<void> ChunkWriter::flush() {
  if (rows_ == 0) return {};
  duckdb_data_chunk_set_size(chunk_, rows_);
  rows_ = 0;
  if (duckdb_append_data_chunk(appender_, chunk_) != DuckDBSuccess) return fail(appender_error());
  duckdb_data_chunk_reset(chunk_);
  for (idx_t i = 0; i < types_.size(); ++i) {
    vectors_[i] = duckdb_data_chunk_get_vector(chunk_, i);
    data_[i] = duckdb_vector_get_data(vectors_[i]);
  }
  return {};
}

Result<void> ChunkWriter::finish() {
  TRY_VOID(flush());
  if (duckdb_appender_close(appender_) != DuckDBSuccess) return fail(appender_error());
  return {};
}

}  // namespace millrace::sql::ingest
