// QueryEngine over DuckDB: one DuckDB connection per session, statements admitted first in, first out.
//
// Slots = threads of the pool: a statement waits for one, is cancelled while it waits or runs by its token, and
// gives it back with its first rows; the rest of a long result takes a slot again for each round of chunks. What
// changes the catalogue goes to the StatementRunner. Belongs to one executor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/task.h"
#include "sql/engine/duck.h"
#include "sql/ingest/catalog.h"
#include "sql/session.h"

namespace millrace::sql::engine {

// Port: whoever keeps the catalogue.
class StatementRunner {
 public:
  virtual ~StatementRunner() = default;
  virtual Task<Result<std::unique_ptr<ResultSet>>> run(dialect::EngineStatement statement) = 0;
  // Null when there is no such table.
  virtual const ingest::TableEntry* find_table(const ingest::TableName& table) = 0;
  virtual bool is_loaded(const ingest::TableName& table) = 0;
};

struct QueryCounts {
  std::atomic<std::uint64_t> total{0}, running{0}, waiting{0};
};

class Sessions final : public QueryEngine {
 public:
  using Connect = std::function<Result<std::unique_ptr<Connection>>()>;
  // `connect` is called on pool threads.
  Sessions(Connect connect, StatementRunner& runner, int slots, Metrics& metrics);
  ~Sessions() override;

  Task<Result<std::unique_ptr<EngineSession>>> open_session(SessionInfo info) override;
  const QueryCounts& counts() const;
  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

// The statements that an INSERT, REPLACE, UPDATE or DELETE is in DuckDB. Into a table with a primary key, rows
// replace those of the same key (StarRocks' semantics); INSERT IGNORE keeps the old ones. The last statement
// whose effect counts is `counted`.
struct ModifyPlan {
  std::vector<std::string> statements;
  std::size_t counted = 0;
};
ModifyPlan plan_modify(const dialect::ModifyRows& modify, const ingest::TableEntry* table);

}  // namespace millrace::sql::engine
