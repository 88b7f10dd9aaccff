// The cache: one DuckDB file with the tables and views of the catalogue, and the one connection that writes it.
//
// Everything in it can be made again from the catalogue and the log, so what does not fit is thrown away: a
// broken file, a file of another log, a table in another form than the catalogue's. Blocks; used by one thread
// at a time (the writer's), except `connect`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/engine/duck.h"
#include "sql/ingest/applier.h"
#include "sql/ingest/catalog.h"

namespace millrace::sql::ingest {

class Store {
 public:
  // A file that cannot be opened is moved to "<path>.broken" and a new one begun. kExists: locked by another process.
  static Result<std::unique_ptr<Store>> open(engine::DatabaseOptions options);

  // Makes the cache hold exactly the catalogue's objects. Tables that were missing or differed are empty
  // afterwards, and the offsets of their loads forgotten.
  Result<void> reconcile(const Catalog& catalog);

  Result<void> create_database(const std::string& name);
  Result<void> drop_database(const std::string& name);
  Result<void> create_table(const TableEntry& entry, const std::optional<std::string>& as_select = {});
  Result<void> drop_table(const TableName& table);
  Result<void> truncate_table(const TableName& table);
  // `statements`: what turns the old form into `entry`, run in one transaction with the bookkeeping.
  Result<void> alter_table(const TableName& old_name, const TableEntry& entry,
                           const std::vector<std::string>& statements);
  Result<void> create_view(const ViewEntry& entry);
  Result<void> drop_view(const TableName& view);
  // Views see new columns of their tables only when made again. Those that no longer fit are left as they are.
  void refresh_views(const Catalog& catalog);

  // Fills information_schema.routine_load_jobs; each row is one of show_load_row.
  Result<void> write_jobs(const std::vector<TextRow>& rows);

  Applier& applier() { return *applier_; }
  engine::Connection& writer() { return *writer_; }
  // A connection for a reader, with the dialect's settings. Any thread.
  Result<std::unique_ptr<engine::Connection>> connect();
  Result<void> checkpoint() { return writer_->execute("CHECKPOINT"); }

 private:
  Store() = default;
  Result<void> set_up();
  Result<void> in_transaction(const std::vector<std::string>& statements);
  Result<void> wipe();
  Result<void> reconcile_tables(const Catalog& catalog);

  engine::DatabaseOptions options_;
  std::unique_ptr<engine::Database> database_;
  std::unique_ptr<engine::Connection> writer_;
  std::unique_ptr<Applier> applier_;
};

}  // namespace millrace::sql::ingest
