// The apply planner: of all changes of one batch, the last word per key. Pure.
//
// A plan says which keys to take out of the table and which rows to put in, so that delete-then-insert gives
// what applying the changes one by one would have given. Rows with unchanged large values are completed from
// earlier changes of the same batch here; what is left must be filled from the table before the delete.
#pragma once

#include <cstdint>
#include <vector>

#include "sql/ingest/change_batch.h"
#include "sql/ingest/column.h"

namespace millrace::sql::ingest {

struct Plan {
  struct Insert {
    std::uint32_t row = 0;
    bool fill = false;           // some cells are kUnchanged: take them from the table's row
    std::uint32_t fill_key = 0;  // the row whose key cells name that table row
  };
  bool truncate = false;                    // empty the table first
  std::vector<std::uint32_t> removed_keys;  // rows whose key cells are to be deleted, each key once
  std::vector<Insert> inserts;              // each key once; all of them in append tables
  std::uint64_t changes = 0;                // how many changes went in

  bool empty() const { return !truncate && removed_keys.empty() && inserts.empty(); }
};

// May copy cells between rows of `batch`.
Plan plan_changes(const TableSchema& schema, ChangeBatch& batch);

}  // namespace millrace::sql::ingest
