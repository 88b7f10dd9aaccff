#include "sql/engine/duck.h"

#include <fmt/format.h>

#include <cstring>

#include "sql/ingest/column.h"
#include "sql/ingest/convert.h"

namespace millrace::sql::engine {
namespace {

class Prepared {
 public:
  ~Prepared() { duckdb_destroy_prepare(&handle); }
  duckdb_prepared_statement handle = nullptr;
};

struct Logical {
  explicit Logical(duckdb_logical_type type_in) : type(type_in) {}
  Logical(const Logical&) = delete;
  Logical& operator=(const Logical&) = delete;
  ~Logical() { duckdb_destroy_logical_type(&type); }
  duckdb_logical_type type;
};

// The port's type for a DuckDB type, or nothing when DuckDB has to cast it to text.
std::optional<ColumnType> port_type(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN: return ColumnType::kBool;
    case DUCKDB_TYPE_TINYINT: return ColumnType::kInt8;
    case DUCKDB_TYPE_SMALLINT: return ColumnType::kInt16;
    case DUCKDB_TYPE_INTEGER: return ColumnType::kInt32;
    case DUCKDB_TYPE_BIGINT: return ColumnType::kInt64;
    case DUCKDB_TYPE_UTINYINT: return ColumnType::kUInt8;
    case DUCKDB_TYPE_USMALLINT: return ColumnType::kUInt16;
    case DUCKDB_TYPE_UINTEGER: return ColumnType::kUInt32;
    case DUCKDB_TYPE_UBIGINT: return ColumnType::kUInt64;
    case DUCKDB_TYPE_FLOAT: return ColumnType::kFloat;
    case DUCKDB_TYPE_DOUBLE: return ColumnType::kDouble;
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_DECIMAL: return ColumnType::kDecimal;
    case DUCKDB_TYPE_DATE: return ColumnType::kDate;
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIME_NS: return ColumnType::kTime;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return ColumnType::kTimestamp;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_ENUM:
    case DUCKDB_TYPE_UUID: return ColumnType::kText;
    case DUCKDB_TYPE_BLOB: return ColumnType::kBlob;
    case DUCKDB_TYPE_SQLNULL: return ColumnType::kNull;
    default: return std::nullopt;
  }
}

ColumnInfo column_info(const char* name, duckdb_logical_type logical) {
  ColumnInfo info;
  info.name = name ? name : "";
  const duckdb_type type = duckdb_get_type_id(logical);
  info.type = port_type(type).value_or(ColumnType::kText);
  if (type == DUCKDB_TYPE_DECIMAL) {
    info.precision = duckdb_decimal_width(logical);
    info.scale = duckdb_decimal_scale(logical);
  } else if (type == DUCKDB_TYPE_HUGEINT) {
    info.precision = 38;
  } else if (type == DUCKDB_TYPE_VARCHAR) {
    if (char* alias = duckdb_logical_type_get_alias(logical)) {
      if (std::strcmp(alias, "JSON") == 0) info.type = ColumnType::kJson;
      duckdb_free(alias);
    }
  }
  return info;
}

// When a column has a type that the port lacks: the same rows with that column as text. Empty otherwise.
std::string with_text_columns(duckdb_prepared_statement prepared, const std::string& sql) {
  if (duckdb_prepared_statement_type(prepared) != DUCKDB_STATEMENT_TYPE_SELECT) return {};
  const idx_t count = duckdb_prepared_statement_column_count(prepared);
  bool needed = false;
  std::string names, outputs;
  for (idx_t i = 0; i < count; ++i) {
    const Logical logical(duckdb_prepared_statement_column_logical_type(prepared, i));
    if (!logical.type) return {};
    const duckdb_type type = duckdb_get_type_id(logical.type);
    if (type == DUCKDB_TYPE_INVALID || type == DUCKDB_TYPE_ANY) return {};
    const bool cast = !port_type(type);
    needed |= cast;
    const char* name = duckdb_prepared_statement_column_name(prepared, i);
    const auto quoted = ingest::quote_name(name ? name : "");
    if (name) duckdb_free(const_cast<char*>(name));
    names += fmt::format("{}mr{}", i ? "," : "", i);
    outputs +=
        fmt::format("{}{}mr{}{} AS {}", i ? "," : "", cast ? "CAST(" : "", i, cast ? " AS VARCHAR)" : "", quoted);
  }
  if (!needed) return {};
  std::string_view body = sql;
  while (!body.empty() && (body.back() == ';' || body.back() == ' ' || body.back() == '\n')) body.remove_suffix(1);
  return fmt::format("SELECT {} FROM ({}\n) AS mr({})", outputs, body, names);
}

Result<void> prepare(duckdb_connection connection, const std::string& sql, Prepared& prepared) {
  if (duckdb_prepare(connection, sql.c_str(), &prepared.handle) == DuckDBSuccess) return {};
  const char* message = duckdb_prepare_error(prepared.handle);
  return fail(duck_error(DUCKDB_ERROR_INVALID, message));
}

std::string uuid_text(duckdb_hugeint value) {
  // DuckDB flips the top bit so that UUIDs sort as signed integers.
  const auto upper = static_cast<std::uint64_t>(value.upper) ^ (std::uint64_t{1} << 63);
  const auto text = fmt::format("{:016x}{:016x}", upper, value.lower);
  return text.substr(0, 8) + "-" + text.substr(8, 4) + "-" + text.substr(12, 4) + "-" + text.substr(16, 4) + "-" +
         text.substr(20);
}

template <class T>
T at(void* data, std::size_t row) {
  return static_cast<const T*>(data)[row];
}

Int128 wide(duckdb_hugeint value) {
  return static_cast<Int128>(value.upper) * (Int128{1} << 64) + static_cast<Int128>(value.lower);
}

}  // namespace

Error duck_error(duckdb_error_type type, const char* message) {
  std::string text = message ? message : "DuckDB failed without a message";
  const auto starts = [&](std::string_view prefix) { return std::string_view(text).starts_with(prefix); };
  Code code = Code::kInvalid;
  if (type == DUCKDB_ERROR_INTERRUPT || starts("INTERRUPT")) {
    code = Code::kCancelled;
  } else if (type == DUCKDB_ERROR_FATAL || starts("FATAL") || text.find("database has been invalidated") != text.npos) {
    code = Code::kCorrupt;
  } else if (type == DUCKDB_ERROR_OUT_OF_MEMORY || starts("Out of Memory")) {
    code = Code::kExhausted;
  } else if (type == DUCKDB_ERROR_IO || starts("IO Error")) {
    code = Code::kUnavailable;
  } else if (type == DUCKDB_ERROR_INTERNAL || starts("INTERNAL")) {
    code = Code::kInternal;
  } else if (type == DUCKDB_ERROR_CATALOG || starts("Catalog Error")) {
    code = text.find("already exists") != text.npos ? Code::kExists : Code::kNotFound;
  } else if (type == DUCKDB_ERROR_TRANSACTION || starts("TransactionContext Error")) {
    code = Code::kUnavailable;
  }
  return {code, std::move(text)};
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess) return fail(Code::kInternal, "DuckDB made no configuration");
  const auto set = [&](const char* name, const std::string& value) { duckdb_set_config(config, name, value.c_str()); };
  set("threads", std::to_string(options.threads));
  if (options.memory_limit_bytes > 0) set("memory_limit", fmt::format("{}B", options.memory_limit_bytes));
  // Checkpoints are ours to schedule: one inside a commit would hold up readers of fresh rows.
  set("checkpoint_threshold", "1GB");
  set("autoinstall_known_extensions", "false");
  set("autoload_known_extensions", "false");
  set("late_materialization_max_rows", "1000");
  duckdb_database handle = nullptr;
  char* message = nullptr;
  const auto state = duckdb_open_ext(options.path.empty() ? nullptr : options.path.c_str(), &handle, config, &message);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    std::string text = message ? message : "no reason given";
    duckdb_free(message);
    const bool locked = text.find("lock on file") != text.npos;
    return fail(locked ? Code::kExists : Code::kCorrupt, fmt::format("opening {}: {}", options.path, text));
  }
  return std::unique_ptr<Database>(new Database(handle));
}

Result<std::unique_ptr<Connection>> Database::connect() {
  duckdb_connection handle = nullptr;
  if (duckdb_connect(handle_, &handle) != DuckDBSuccess) return fail(Code::kCorrupt, "DuckDB refused a connection");
  return std::make_unique<Connection>(handle);
}

Result<std::unique_ptr<Rows>> Connection::query(const std::string& sql) {
  duckdb_result result;
  if (duckdb_query(handle_, sql.c_str(), &result) != DuckDBSuccess) {
    Error error = duck_error(duckdb_result_error_type(&result), duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return fail(std::move(error));
  }
  return std::make_unique<Rows>(result);
}

Result<void> Connection::execute(const std::string& sql) {
  TRY(auto rows, query(sql));
  (void)rows;
  return {};
}

Result<std::unique_ptr<Rows>> Connection::stream(const std::string& sql) {
  Prepared prepared;
  TRY_VOID(prepare(handle_, sql, prepared));
  if (const std::string as_text = with_text_columns(prepared.handle, sql); !as_text.empty()) {
    Prepared wrapped;
    // A statement that cannot stand in a FROM clause keeps its own types.
    if (prepare(handle_, as_text, wrapped)) std::swap(prepared.handle, wrapped.handle);
  }
  duckdb_pending_result pending = nullptr;
  duckdb_result result;
  const bool started = duckdb_pending_prepared_streaming(prepared.handle, &pending) == DuckDBSuccess;
  if (!started) {
    Error error = duck_error(DUCKDB_ERROR_INVALID, duckdb_pending_error(pending));
    duckdb_destroy_pending(&pending);
    return fail(std::move(error));
  }
  const auto state = duckdb_execute_pending(pending, &result);
  duckdb_destroy_pending(&pending);
  if (state != DuckDBSuccess) {
    Error error = duck_error(duckdb_result_error_type(&result), duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return fail(std::move(error));
  }
  return std::make_unique<Rows>(result);
}

Result<std::vector<ColumnInfo>> Connection::describe(const std::string& sql) {
  Prepared prepared;
  TRY_VOID(prepare(handle_, sql, prepared));
  std::vector<ColumnInfo> columns;
  const auto type = duckdb_prepared_statement_type(prepared.handle);
  if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN) return columns;
  const idx_t count = duckdb_prepared_statement_column_count(prepared.handle);
  for (idx_t i = 0; i < count; ++i) {
    const Logical logical(duckdb_prepared_statement_column_logical_type(prepared.handle, i));
    const duckdb_type id = logical.type ? duckdb_get_type_id(logical.type) : DUCKDB_TYPE_INVALID;
    // Not known before the parameters are.
    if (id == DUCKDB_TYPE_INVALID || id == DUCKDB_TYPE_ANY) return std::vector<ColumnInfo>{};
    const char* name = duckdb_prepared_statement_column_name(prepared.handle, i);
    columns.push_back(column_info(name, logical.type));
    if (name) duckdb_free(const_cast<char*>(name));
  }
  return columns;
}

Rows::Rows(duckdb_result result) : result_(result) {
  gives_rows_ = duckdb_result_return_type(result_) == DUCKDB_RESULT_TYPE_QUERY_RESULT;
  const idx_t count = gives_rows_ ? duckdb_column_count(&result_) : 0;
  for (idx_t i = 0; i < count; ++i) {
    types_.push_back(duckdb_column_logical_type(&result_, i));
    columns_.push_back(column_info(duckdb_column_name(&result_, i), types_.back()));
  }
}

Rows::~Rows() {
  for (auto& type : types_) duckdb_destroy_logical_type(&type);
  duckdb_destroy_result(&result_);
}

Result<std::unique_ptr<RowChunk>> Rows::next() {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(result_);
  if (!chunk) {
    // The end, or an error in the middle of a streamed result.
    const char* message = duckdb_result_error(&result_);
    if (message && *message) return fail(duck_error(duckdb_result_error_type(&result_), message));
    return std::unique_ptr<RowChunk>();
  }
  if (duckdb_data_chunk_get_size(chunk) == 0) {
    duckdb_destroy_data_chunk(&chunk);
    return std::unique_ptr<RowChunk>();
  }
  return std::make_unique<RowChunk>(chunk, &types_);
}

RowChunk::RowChunk(duckdb_data_chunk chunk, std::vector<duckdb_logical_type>* types)
    : chunk_(chunk), rows_(duckdb_data_chunk_get_size(chunk)) {
  for (idx_t i = 0; i < types->size(); ++i) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
    const duckdb_logical_type logical = (*types)[i];
    const duckdb_type type = duckdb_get_type_id(logical);
    duckdb_type internal = type;
    if (type == DUCKDB_TYPE_DECIMAL) internal = duckdb_decimal_internal_type(logical);
    if (type == DUCKDB_TYPE_ENUM) internal = duckdb_enum_internal_type(logical);
    vectors_.push_back({type, internal, duckdb_vector_get_data(vector), duckdb_vector_get_validity(vector), logical});
  }
}

RowChunk::~RowChunk() { duckdb_destroy_data_chunk(&chunk_); }

std::string_view RowChunk::keep(std::string text) const {
  made_.push_back(std::make_unique<std::string>(std::move(text)));
  return *made_.back();
}

Cell RowChunk::cell(std::size_t row, std::size_t column) const {
  const Vector& v = vectors_[column];
  Cell cell;
  if (v.type == DUCKDB_TYPE_SQLNULL || (v.validity && !duckdb_validity_row_is_valid(v.validity, row))) return cell;
  cell.is_null = false;
  switch (v.type) {
    case DUCKDB_TYPE_BOOLEAN: cell.integer = at<bool>(v.data, row); break;
    case DUCKDB_TYPE_TINYINT: cell.integer = at<std::int8_t>(v.data, row); break;
    case DUCKDB_TYPE_SMALLINT: cell.integer = at<std::int16_t>(v.data, row); break;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: cell.integer = at<std::int32_t>(v.data, row); break;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: cell.integer = at<std::int64_t>(v.data, row); break;
    case DUCKDB_TYPE_TIME_NS:
    case DUCKDB_TYPE_TIMESTAMP_NS: cell.integer = at<std::int64_t>(v.data, row) / 1000; break;
    case DUCKDB_TYPE_TIMESTAMP_MS: cell.integer = at<std::int64_t>(v.data, row) * 1000; break;
    case DUCKDB_TYPE_TIMESTAMP_S: cell.integer = at<std::int64_t>(v.data, row) * 1'000'000; break;
    case DUCKDB_TYPE_UTINYINT: cell.unsigned_int = at<std::uint8_t>(v.data, row); break;
    case DUCKDB_TYPE_USMALLINT: cell.unsigned_int = at<std::uint16_t>(v.data, row); break;
    case DUCKDB_TYPE_UINTEGER: cell.unsigned_int = at<std::uint32_t>(v.data, row); break;
    case DUCKDB_TYPE_UBIGINT: cell.unsigned_int = at<std::uint64_t>(v.data, row); break;
    case DUCKDB_TYPE_FLOAT: cell.real = at<float>(v.data, row); break;
    case DUCKDB_TYPE_DOUBLE: cell.real = at<double>(v.data, row); break;
    case DUCKDB_TYPE_HUGEINT: cell.decimal = wide(at<duckdb_hugeint>(v.data, row)); break;
    case DUCKDB_TYPE_DECIMAL:
      switch (v.internal) {
        case DUCKDB_TYPE_SMALLINT: cell.decimal = at<std::int16_t>(v.data, row); break;
        case DUCKDB_TYPE_INTEGER: cell.decimal = at<std::int32_t>(v.data, row); break;
        case DUCKDB_TYPE_BIGINT: cell.decimal = at<std::int64_t>(v.data, row); break;
        default: cell.decimal = wide(at<duckdb_hugeint>(v.data, row)); break;
      }
      break;
    case DUCKDB_TYPE_ENUM: {
      std::uint32_t index = v.internal == DUCKDB_TYPE_UTINYINT    ? at<std::uint8_t>(v.data, row)
                            : v.internal == DUCKDB_TYPE_USMALLINT ? at<std::uint16_t>(v.data, row)
                                                                  : at<std::uint32_t>(v.data, row);
      char* name = duckdb_enum_dictionary_value(v.logical, index);
      cell.text = keep(name ? name : "");
      duckdb_free(name);
      break;
    }
    case DUCKDB_TYPE_UUID: cell.text = keep(uuid_text(at<duckdb_hugeint>(v.data, row))); break;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: {
      auto* text = static_cast<duckdb_string_t*>(v.data) + row;
      cell.text = {duckdb_string_t_data(text), duckdb_string_t_length(*text)};
      break;
    }
    default: cell.is_null = true; break;
  }
  return cell;
}

std::string cell_text(const ColumnInfo& column, const Cell& cell) {
  if (cell.is_null) return "NULL";
  switch (column.type) {
    case ColumnType::kText:
    case ColumnType::kBlob:
    case ColumnType::kJson: return std::string(cell.text);
    case ColumnType::kDecimal: return ingest::decimal_to_string(cell.decimal, column.scale);
    case ColumnType::kFloat:
    case ColumnType::kDouble: return fmt::format("{}", cell.real);
    case ColumnType::kUInt8:
    case ColumnType::kUInt16:
    case ColumnType::kUInt32:
    case ColumnType::kUInt64: return std::to_string(cell.unsigned_int);
    default: return std::to_string(cell.integer);
  }
}

Result<std::vector<std::vector<TextCell>>> query_text(Connection& connection, const std::string& sql) {
  TRY(auto rows, connection.query(sql));
  std::vector<std::vector<TextCell>> table;
  for (;;) {
    TRY(auto chunk, rows->next());
    if (!chunk) return table;
    for (std::size_t row = 0; row < chunk->rows(); ++row) {
      auto& out = table.emplace_back();
      for (std::size_t i = 0; i < rows->columns().size(); ++i) {
        const Cell cell = chunk->cell(row, i);
        out.push_back(cell.is_null ? TextCell() : cell_text(rows->columns()[i], cell));
      }
    }
  }
}

}  // namespace millrace::sql::engine
