#include "app/sql_role.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "sql/mysql/client_session.h"
#include "sql/mysql/rows.h"
#include "sql/mysql/server.h"

namespace millrace::app {
namespace {

constexpr std::size_t kJsonRowsMax = 1000;  // the page shows no more

// Where the SQL engine keeps its file; empty: in memory.
Result<std::string> cache_file(const Config& config) {
  const std::string directory = config.cache_directory();
  if (directory.empty()) return directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(Code::kDenied, "cannot create the cache directory '" + directory + "': " + error.message());
  return directory + "/sql.duckdb";
}

Result<std::uint64_t> parse_bytes(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
  const std::string unit = text.substr(digits);
  const int shift = unit.empty() ? 0 : unit == "KB" ? 10 : unit == "MB" ? 20 : unit == "GB" ? 30 : -1;
  if (digits == 0 || digits > 9 || shift < 0) {
    return fail(Code::kInvalid, "sql.memory must be a number of bytes, or one with KB, MB or GB; not '" + text + "'");
  }
  return std::stoull(text.substr(0, digits)) << shift;
}

void write_text(rapidjson::Writer<rapidjson::StringBuffer>& writer, std::string_view text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

}  // namespace

struct SqlRoleThread::Impl {
  Metrics& metrics;
  LogAccess log;
  std::vector<std::string> auto_tables;
  sql::TableDescriptionSource* descriptions;
  LoopThread thread{"sql"};
  std::unique_ptr<Random> random = make_system_random();
  std::unique_ptr<client::Connector> tcp;
  std::unique_ptr<sql::SqlRole> role;
  std::unique_ptr<sql::mysql::MySqlServer> server;
  std::uint32_t last_page_session = 0;

  Task<Result<void>> start(sql::SqlOptions options, net::Address listen_on) {
    CO_TRY(auto listener, net::listen(thread.executor(), listen_on));
    if (!log.connector) {
      tcp = client::make_tcp_connector(thread.executor());
      log.connector = tcp.get();
    }
    sql::SqlEnvironment environment{thread.executor(), thread.clock(), *random,
                                    metrics,           *log.connector, log.client_options("millrace-sql"),
                                    descriptions};
    role = std::make_unique<sql::SqlRole>(std::move(environment), std::move(options));
    CO_TRY_VOID(co_await role->start());
    server = std::make_unique<sql::mysql::MySqlServer>(thread.executor(), thread.clock(), *random, metrics,
                                                       std::move(listener), role->engine());
    server->start();
    co_return Result<void>();
  }

  Task<bool> stop() {
    if (server) co_await server->stop();
    if (role) co_await role->stop();
    co_return true;
  }

  Task<Result<std::string>> run_json(std::string statement) {
    const auto begun = thread.clock().now();
    sql::mysql::ClientSession session(0x80000000u + ++last_page_session, *server);
    CO_TRY_VOID(co_await session.open(role->engine(), "root", "localhost", ""));
    sql::CancelToken cancel;
    CO_TRY(const auto result, co_await session.run(std::move(statement), cancel));
    rapidjson::StringBuffer buffer;
    rapidjson::Writer writer(buffer);
    writer.StartObject();
    writer.Key("columns");
    writer.StartArray();
    for (const auto& column : result->columns()) write_text(writer, column.name);
    writer.EndArray();
    writer.Key("rows");
    writer.StartArray();
    std::size_t rows = 0;
    while (rows < kJsonRowsMax) {
      CO_TRY(const auto chunk, co_await result->next());
      if (!chunk) break;
      for (std::size_t row = 0; row < chunk->rows() && rows < kJsonRowsMax; ++row, ++rows) {
        write_row(writer, result->columns(), *chunk, row);
      }
    }
    writer.EndArray();
    writer.Key("affected_rows");
    writer.Uint64(result->affected_rows());
    writer.Key("elapsed_ms");
    writer.Double(std::chrono::duration<double, std::milli>(thread.clock().now() - begun).count());
    writer.EndObject();
    co_return std::string(buffer.GetString(), buffer.GetSize());
  }

  static void write_row(rapidjson::Writer<rapidjson::StringBuffer>& writer, const std::vector<sql::ColumnInfo>& columns,
                        const sql::Chunk& chunk, std::size_t row) {
    writer.StartArray();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const sql::Cell cell = chunk.cell(row, i);
      if (cell.is_null) {
        writer.Null();
      } else {
        std::string text;
        sql::mysql::append_cell_text(text, columns[i], cell);
        write_text(writer, text);
      }
    }
    writer.EndArray();
  }
};

SqlRoleThread::SqlRoleThread(Metrics& metrics, LogAccess log, std::vector<std::string> auto_tables,
                             sql::TableDescriptionSource* descriptions)
    : impl_(new Impl{metrics, std::move(log), std::move(auto_tables), descriptions}) {}
SqlRoleThread::~SqlRoleThread() = default;

Task<Result<void>> SqlRoleThread::start(const Config& config) {
  CO_TRY(const auto listen_on, net::Address::parse(config.get("mysql.listen")));
  CO_TRY(const auto threads, config.get_int("sql.threads", 0, 1024));
  sql::SqlOptions options;
  CO_TRY(options.cache_path, cache_file(config));
  CO_TRY(options.memory_limit_bytes, parse_bytes(config.get("sql.memory")));
  options.threads =
      threads > 0 ? static_cast<int>(threads) : std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  options.auto_tables = impl_->auto_tables;
  auto job = [impl = impl_.get(), options, listen_on] { return impl->start(options, listen_on); };
  co_return co_await run_on(impl_->thread.executor(), std::move(job));
}

Task<void> SqlRoleThread::stop() {
  auto job = [impl = impl_.get()] { return impl->stop(); };
  co_await run_on(impl_->thread.executor(), std::move(job));
}

const net::Address& SqlRoleThread::bound() const { return impl_->server->bound(); }
sql::SqlStatus SqlRoleThread::status() const { return impl_->role->status(); }

Task<Result<std::string>> SqlRoleThread::run_json(std::string statement) {
  auto job = [impl = impl_.get(), statement = std::move(statement)] { return impl->run_json(statement); };
  co_return co_await run_on(impl_->thread.executor(), std::move(job));
}

}  // namespace millrace::app
