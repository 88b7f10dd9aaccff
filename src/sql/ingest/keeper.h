// The keeper: holds the catalogue, brings its log, the cache and the pump in line, and runs the statements that
// change it. A driver; belongs to one executor.
//
// A change is first made in the cache (where DuckDB may refuse it), then appended to `__millrace_sql_catalog`;
// only then is it answered. A cache that is ahead of the log after a crash is put right by Store::reconcile.
// Changes are made one at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "sql/api.h"
#include "sql/engine/sessions.h"
#include "sql/ingest/connect_schema.h"
#include "sql/ingest/load_statement.h"
#include "sql/ingest/pump.h"

namespace millrace::sql::ingest {

inline constexpr std::string_view kCatalogTopic = "__millrace_sql_catalog";

class Keeper final : public engine::StatementRunner, public PumpEvents {
 public:
  Keeper(Executor executor, Clock& clock, Random& random, Metrics& metrics, LogOpener& logs,
         TableDescriptionSource* descriptions, SqlOptions options);
  ~Keeper() override;

  Task<Result<void>> start();
  Task<void> stop();

  Task<Result<std::unique_ptr<ResultSet>>> run(dialect::EngineStatement statement) override;
  const TableEntry* find_table(const TableName& table) override;
  bool is_loaded(const TableName& table) override;
  Store& store() { return *store_; }

  void load_stopped(TableName job, std::string reason) override;
  void columns_missing(TableName job, std::vector<Column> columns) override;

  // On the executor.
  void fill(SqlStatus& status) const;

 private:
  using Answer = Result<std::unique_ptr<ResultSet>>;
  Task<Answer> run_one(dialect::CreateDatabase statement);
  Task<Answer> run_one(dialect::DropDatabase statement);
  Task<Answer> run_one(dialect::CreateTable statement);
  Task<Answer> run_one(dialect::DropTable statement);
  Task<Answer> run_one(dialect::TruncateTable statement);
  Task<Answer> run_one(dialect::AlterTable statement);
  Task<Answer> run_one(dialect::CreateView statement);
  Task<Answer> run_one(dialect::DropView statement);
  Task<Answer> run_one(dialect::CreateRoutineLoad statement);
  Task<Answer> run_one(dialect::AlterRoutineLoad statement);
  Task<Answer> run_one(dialect::ControlRoutineLoad statement);
  Task<Answer> run_one(dialect::ShowRoutineLoad statement);
  Task<Answer> run_one(dialect::ShowCreateRoutineLoad statement);
  Task<Answer> run_one(dialect::ModifyRows statement);
  Task<Answer> run_one(dialect::Transaction statement);

  Task<void> lock();
  void unlock();
  // Appends to the catalogue's topic and applies here; on failure the cache goes back to the catalogue.
  Task<Result<void>> commit(std::vector<CatalogRecord> records);
  Task<Result<void>> commit_one(CatalogRecord record);
  template <class F>
  Task<Result<void>> in_store(F job) {
    co_return co_await writer_.run(std::move(job));
  }
  std::uint64_t next_version() const { return catalog_.version + 1; }
  Result<TableEntry> table_entry(const dialect::CreateTable& statement);
  Result<void> alter_entry(const dialect::AlterTable& statement, TableEntry& entry, std::vector<std::string>& sql);
  Task<Result<void>> change_table(TableName old_name, TableEntry entry, std::vector<std::string> sql);
  Task<Result<void>> make_table(TableEntry entry, std::optional<std::string> as_select);
  Task<Result<void>> make_load(LoadEntry entry);
  Task<Result<void>> replace_load(LoadEntry entry);
  Task<Result<void>> stop_load(TableName job);
  Task<Result<void>> drop_table(TableName table);
  Task<Result<void>> read_catalog();
  Task<void> auto_loop();
  Task<void> consider_topic(std::string prefix, std::string topic);
  Task<Result<RecordShape>> shape_of_topic(std::string topic);
  Task<void> pause_load(TableName job, std::string reason);
  Task<void> add_columns(TableName job, std::vector<Column> columns);
  Task<void> checkpoint_loop();
  Task<void> jobs_loop();
  std::vector<TextRow> job_rows() const;
  const LoadEntry* find_load(const dialect::ObjectName& job) const;

  Executor executor_;
  Clock& clock_;
  Random& random_;
  Metrics& metrics_;
  LogOpener& logs_;
  TableDescriptionSource* descriptions_;
  SqlOptions options_;
  BlockingPool writer_{1};  // the only thread that writes to the cache
  TaskScope scope_;
  Event wake_;
  Event unlocked_;
  bool locked_ = false;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Pump> pump_;
  Catalog catalog_;
  std::map<std::string, std::string> skipped_topics_;
  std::string trouble_;
};

}  // namespace millrace::sql::ingest
