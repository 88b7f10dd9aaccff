#include "sql/engine/sessions.h"

#include <fmt/format.h>

#include <deque>

namespace millrace::sql::engine {
namespace {

// Fetched in one go while a slot is held: most results are complete then.
constexpr std::size_t kChunksPerRound = 16;

ingest::TableName name_of(const dialect::ObjectName& name) { return {name.database, name.name}; }

// A chunk that keeps the result alive that its vectors belong to.
class OwnedChunk final : public Chunk {
 public:
  OwnedChunk(std::shared_ptr<Rows> owner, std::unique_ptr<RowChunk> chunk)
      : owner_(std::move(owner)), chunk_(std::move(chunk)) {}
  std::size_t rows() const override { return chunk_->rows(); }
  Cell cell(std::size_t row, std::size_t column) const override { return chunk_->cell(row, column); }

 private:
  std::shared_ptr<Rows> owner_;
  std::unique_ptr<RowChunk> chunk_;
};

// What one round of a pool job brings back.
struct Round {
  std::shared_ptr<Rows> rows;
  std::deque<std::unique_ptr<RowChunk>> chunks;
  bool ended = false;
};

Result<void> fetch_round(Round& round) {
  while (!round.ended && round.chunks.size() < kChunksPerRound) {
    TRY(auto chunk, round.rows->next());
    if (!chunk)
      round.ended = true;
    else
      round.chunks.push_back(std::move(chunk));
  }
  return {};
}

std::unexpected<Error> cancelled() { return fail(Code::kCancelled, "Query execution was interrupted"); }

}  // namespace

struct Sessions::Shared {
  Shared(Connect connect_in, StatementRunner& runner_in, int slots, Metrics& metrics)
      : connect(std::move(connect_in)),
        runner(runner_in),
        pool(static_cast<std::size_t>(slots)),
        queries(metrics.counter("millrace_sql_queries_total", "Statements that the engine ran")),
        query_seconds(metrics.histogram("millrace_sql_query_seconds",
                                        "Waiting for a slot and running to the first rows", Metrics::latency_bounds())),
        waiting(metrics.gauge("millrace_sql_queries_waiting", "Statements that wait for a slot")) {}
  Connect connect;
  StatementRunner& runner;
  BlockingPool pool;
  QueryCounts counts;
  Counter& queries;
  Histogram& query_seconds;
  Gauge& waiting;

  // Runs `job` in a slot.
  template <class F>
  Task<std::invoke_result_t<F&>> in_slot(F job) {
    ++counts.total;
    ++counts.waiting;
    queries.Increment();
    waiting.Set(static_cast<double>(counts.waiting.load()));
    auto counted = [this, &job] {
      --counts.waiting;
      ++counts.running;
      auto result = job();
      --counts.running;
      return result;
    };
    co_return co_await pool.run(counted);
  }
};

namespace {

class StreamResult final : public ResultSet {
 public:
  StreamResult(std::shared_ptr<Sessions::Shared> shared, std::shared_ptr<Connection> connection, Round round,
               CancelToken cancel)
      : shared_(std::move(shared)),
        connection_(std::move(connection)),
        round_(std::move(round)),
        cancel_(std::move(cancel)) {}

  const std::vector<ColumnInfo>& columns() const override { return round_.rows->columns(); }
  std::uint64_t affected_rows() const override { return 0; }
  const std::vector<std::string>& warnings() const override { return warnings_; }

  Task<Result<std::unique_ptr<Chunk>>> next() override {
    if (cancel_.cancelled()) co_return cancelled();
    if (round_.chunks.empty() && !round_.ended) {
      Round* round = &round_;
      Connection* connection = connection_.get();
      CancelToken token = cancel_;
      auto job = [round, connection, token]() mutable -> Result<void> {
        if (token.cancelled()) return cancelled();
        const auto registration = token.on_cancel([connection] { connection->interrupt(); });
        return fetch_round(*round);
      };
      CO_TRY_VOID(co_await shared_->in_slot(job));
    }
    if (round_.chunks.empty()) co_return std::unique_ptr<Chunk>();
    auto chunk = std::make_unique<OwnedChunk>(round_.rows, std::move(round_.chunks.front()));
    round_.chunks.pop_front();
    co_return std::unique_ptr<Chunk>(std::move(chunk));
  }

 private:
  std::shared_ptr<Sessions::Shared> shared_;
  std::shared_ptr<Connection> connection_;
  Round round_;
  CancelToken cancel_;
  std::vector<std::string> warnings_;
};

class Session final : public EngineSession {
 public:
  Session(std::shared_ptr<Sessions::Shared> shared, std::shared_ptr<Connection> connection)
      : shared_(std::move(shared)), connection_(std::move(connection)) {}

  Task<Result<void>> use_database(std::string database) override {
    auto job = [this, &database]() -> Result<void> {
      const auto name = ingest::quote_text(database);
      TRY(const auto found, query_text(*connection_, "SELECT 1 FROM duckdb_schemas() WHERE schema_name = " + name +
                                                         " AND database_name = current_database()"));
      if (found.empty()) return fail(Code::kNotFound, fmt::format("Unknown database '{}'", database));
      return connection_->execute("SET schema = " + name);
    };
    co_return co_await shared_->in_slot(job);
  }

  Task<Result<std::unique_ptr<ResultSet>>> query(std::string duckdb_sql, CancelToken cancel) override {
    Round round;
    auto job = [this, &round, &duckdb_sql, &cancel]() -> Result<void> {
      if (cancel.cancelled()) return cancelled();
      const auto registration = cancel.on_cancel([this] { connection_->interrupt(); });
      TRY(auto rows, connection_->stream(duckdb_sql));
      round.rows = std::move(rows);
      if (round.rows->gives_rows()) return fetch_round(round);
      return {};
    };
    auto ran = co_await shared_->in_slot(job);
    if (!ran) co_return fail(std::move(ran).error());
    if (!round.rows->gives_rows()) co_return make_done_result(round.rows->changed());
    co_return std::make_unique<StreamResult>(shared_, connection_, std::move(round), cancel);
  }

  Task<Result<std::vector<ColumnInfo>>> describe(std::string duckdb_sql) override {
    auto job = [this, &duckdb_sql] { return connection_->describe(duckdb_sql); };
    co_return co_await shared_->in_slot(job);
  }

  Task<Result<std::unique_ptr<ResultSet>>> run(dialect::EngineStatement statement, CancelToken cancel) override {
    if (const auto* transaction = std::get_if<dialect::Transaction>(&statement)) {
      co_return co_await run_transaction(transaction->kind);
    }
    if (const auto* modify = std::get_if<dialect::ModifyRows>(&statement)) {
      co_return co_await run_modify(*modify, cancel);
    }
    // A change of the catalogue ends the transaction, as in MySQL.
    if (in_transaction_) CO_TRY_VOID(co_await run_transaction(dialect::Transaction::Kind::kCommit));
    co_return co_await shared_->runner.run(std::move(statement));
  }

 private:
  Task<Result<std::unique_ptr<ResultSet>>> run_transaction(dialect::Transaction::Kind kind) {
    using Kind = dialect::Transaction::Kind;
    auto job = [this, kind]() -> Result<void> {
      if (in_transaction_) {
        // BEGIN inside a transaction commits it first.
        TRY_VOID(connection_->execute(kind == Kind::kRollback ? "ROLLBACK" : "COMMIT"));
        in_transaction_ = false;
      }
      if (kind != Kind::kBegin) return {};
      TRY_VOID(connection_->execute("BEGIN TRANSACTION"));
      in_transaction_ = true;
      return {};
    };
    auto ran = co_await shared_->in_slot(job);
    if (!ran) {
      in_transaction_ = false;
      co_return fail(std::move(ran).error());
    }
    co_return make_done_result(0);
  }

  Task<Result<std::unique_ptr<ResultSet>>> run_modify(dialect::ModifyRows modify, CancelToken cancel) {
    const ingest::TableName name = name_of(modify.table);
    if (shared_->runner.is_loaded(name)) {
      co_return fail(
          Code::kDenied,
          fmt::format("table {} is filled by a routine load and cannot be changed by statements", name.to_string()));
    }
    ModifyPlan plan = plan_modify(modify, shared_->runner.find_table(name));
    std::uint64_t changed = 0;
    auto job = [this, &plan, &changed, &cancel]() -> Result<void> {
      if (cancel.cancelled()) return cancelled();
      const auto registration = cancel.on_cancel([this] { connection_->interrupt(); });
      return run_all(plan, changed);
    };
    auto ran = co_await shared_->in_slot(job);
    if (!ran) co_return fail(std::move(ran).error());
    co_return make_done_result(changed);
  }

  Result<void> run_all(const ModifyPlan& plan, std::uint64_t& changed) {
    const bool own = plan.statements.size() > 1 && !in_transaction_;
    if (own) TRY_VOID(connection_->execute("BEGIN TRANSACTION"));
    for (std::size_t i = 0; i < plan.statements.size(); ++i) {
      auto rows = connection_->query(plan.statements[i]);
      if (!rows) {
        if (own) (void)connection_->execute("ROLLBACK");
        return fail(std::move(rows).error());
      }
      if (i == plan.counted) changed = (*rows)->changed();
    }
    if (own) TRY_VOID(connection_->execute("COMMIT"));
    return {};
  }

  std::shared_ptr<Sessions::Shared> shared_;
  std::shared_ptr<Connection> connection_;
  bool in_transaction_ = false;
};

}  // namespace

Sessions::Sessions(Connect connect, StatementRunner& runner, int slots, Metrics& metrics)
    : shared_(std::make_shared<Shared>(std::move(connect), runner, slots, metrics)) {}
Sessions::~Sessions() = default;

const QueryCounts& Sessions::counts() const { return shared_->counts; }

Task<Result<std::unique_ptr<EngineSession>>> Sessions::open_session(SessionInfo) {
  auto shared = shared_;
  auto job = [shared] { return shared->connect(); };
  auto connection = co_await shared->pool.run(job);
  if (!connection) co_return fail(std::move(connection).error());
  co_return std::make_unique<Session>(shared, std::shared_ptr<Connection>(std::move(*connection)));
}

ModifyPlan plan_modify(const dialect::ModifyRows& modify, const ingest::TableEntry* table) {
  using Kind = dialect::ModifyRows::Kind;
  const bool inserts = modify.kind != Kind::kUpdate && modify.kind != Kind::kDelete;
  if (!inserts || !table || table->schema.key.empty()) return {{modify.duckdb_sql}, 0};
  const ingest::TableSchema& schema = table->schema;
  const std::string target = ingest::quote_table(schema.table);
  std::string definitions, columns, key, join;
  for (const auto& column : schema.columns) {
    definitions +=
        fmt::format("{}{} {}{}", definitions.empty() ? "" : ", ", ingest::quote_name(column.name), column.type.to_sql(),
                    column.default_sql ? " DEFAULT (" + *column.default_sql + ")" : "");
  }
  for (const auto& name : modify.columns) columns += (columns.empty() ? " (" : ", ") + ingest::quote_name(name);
  if (!columns.empty()) columns += ")";
  for (std::size_t i : schema.key) {
    const auto name = ingest::quote_name(schema.columns[i].name);
    key += (key.empty() ? "" : ", ") + name;
    join += fmt::format("{}t.{} = x.{}", join.empty() ? "" : " AND ", name, name);
  }
  const auto newest =
      fmt::format("SELECT * FROM mr_rows AS x QUALIFY row_number() OVER (PARTITION BY {} ORDER BY rowid {}) = 1", key,
                  modify.kind == Kind::kInsertIgnore ? "ASC" : "DESC");
  ModifyPlan plan;
  plan.statements = {fmt::format("CREATE OR REPLACE TEMP TABLE mr_rows({})", definitions),
                     fmt::format("INSERT INTO mr_rows{} {}", columns, modify.source)};
  if (modify.kind == Kind::kInsertIgnore) {
    plan.statements.push_back(fmt::format("DELETE FROM mr_rows AS x USING {} AS t WHERE {}", target, join));
  } else {
    plan.statements.push_back(fmt::format("DELETE FROM {} AS t USING mr_rows AS x WHERE {}", target, join));
  }
  plan.counted = plan.statements.size();
  plan.statements.push_back(fmt::format("INSERT INTO {} {}", target, newest));
  plan.statements.push_back("DROP TABLE mr_rows");
  return plan;
}

}  // namespace millrace::sql::engine
