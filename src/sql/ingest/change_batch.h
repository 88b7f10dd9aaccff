// Decoded changes of one table, in the order of the log: what the decoder fills and the planner reads.
//
// Cells lie row by row in one vector, `width` to a row, with their text in one arena. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sql/ingest/value.h"

namespace millrace::sql::ingest {

struct Change {
  enum class Op : std::uint8_t { kUpsert, kDelete, kTruncate };
  Op op = Op::kUpsert;
  bool has_unchanged = false;    // some cell is Value::Tag::kUnchanged
  std::uint32_t row = 0;         // kDelete: only the key's cells are set
  std::int32_t moved_from = -1;  // kUpsert after a change of key: the row that holds the old key
};

class ChangeBatch {
 public:
  explicit ChangeBatch(std::size_t width) : width_(width) {}

  std::size_t width() const { return width_; }
  std::uint32_t add_row() {
    cells_.resize(cells_.size() + width_);
    return static_cast<std::uint32_t>(cells_.size() / width_ - 1);
  }
  Value* row(std::uint32_t index) { return cells_.data() + std::size_t{index} * width_; }
  const Value* row(std::uint32_t index) const { return cells_.data() + std::size_t{index} * width_; }
  Arena& arena() { return arena_; }

  std::vector<Change> changes;
  std::int64_t newest_source_ms = 0;  // when the newest change was made at its source; 0 unknown
  std::int64_t oldest_source_ms = 0;

  void note_source_time(std::int64_t ms) {
    if (ms > newest_source_ms) newest_source_ms = ms;
    if (oldest_source_ms == 0 || ms < oldest_source_ms) oldest_source_ms = ms;
  }

  // What a bad record must not leave behind.
  struct Mark {
    std::size_t cells, changes;
  };
  Mark mark() const { return {cells_.size(), changes.size()}; }
  void rewind(Mark mark) {
    cells_.resize(mark.cells);
    changes.resize(mark.changes);
  }

 private:
  std::size_t width_;
  std::vector<Value> cells_;
  Arena arena_;
};

}  // namespace millrace::sql::ingest
