#include "sql/ingest/planner.h"

#include <cstring>
#include <string_view>
#include <unordered_map>

namespace millrace::sql::ingest {
namespace {

// What the batch says about one key so far.
struct KeyState {
  std::uint32_t key_row = 0;      // a row that holds the key's cells
  std::int64_t last_values = -1;  // the newest full row, also after a delete (for a row that moved away)
  bool alive = false;
  bool fill = false;
  std::uint32_t fill_key = 0;
};

std::string_view encode_key(const TableSchema& schema, const Value* row, Arena& arena) {
  std::size_t size = 0;
  for (std::size_t column : schema.key) size += row[column].tag == Value::Tag::kText ? row[column].size + 5 : 17;
  char* out = arena.allocate(size);
  char* at = out;
  for (std::size_t column : schema.key) {
    const Value& value = row[column];
    *at++ = static_cast<char>(value.tag);
    if (value.tag == Value::Tag::kText) {
      std::memcpy(at, &value.size, 4);
      std::memcpy(at + 4, value.text, value.size);
      at += 4 + value.size;
    } else if (value.tag == Value::Tag::kDecimal) {
      std::memcpy(at, &value.decimal, 16);
      at += 16;
    } else {
      // Integers, and reals by their bits.
      std::memcpy(at, &value.integer, 8);
      at += 8;
    }
  }
  return {out, static_cast<std::size_t>(at - out)};
}

class Planner {
 public:
  Planner(const TableSchema& schema, ChangeBatch& batch) : schema_(schema), batch_(batch) {
    states_.reserve(batch.changes.size());
    index_.reserve(batch.changes.size());
  }

  void apply(const Change& change) {
    if (change.op == Change::Op::kTruncate) {
      index_.clear();
      states_.clear();
      truncate_ = true;
      return;
    }
    KeyState& state = state_of(change.row);
    if (change.op == Change::Op::kDelete) {
      state.alive = false;
      return;
    }
    // By index: looking up the old key may add a state and move all of them.
    const std::size_t self = static_cast<std::size_t>(&state - states_.data());
    bool fill = false;
    std::uint32_t fill_key = change.row;
    if (change.has_unchanged) {
      const bool moved = change.moved_from >= 0;
      fill_key = moved ? static_cast<std::uint32_t>(change.moved_from) : change.row;
      const KeyState source = moved ? state_of(fill_key) : states_[self];
      if (source.last_values >= 0) {
        complete(change.row, static_cast<std::uint32_t>(source.last_values));
        fill = source.fill;
        fill_key = source.fill_key;
      } else {
        fill = !truncate_;
      }
    }
    states_[self].alive = true;
    states_[self].last_values = change.row;
    states_[self].fill = fill;
    states_[self].fill_key = fill_key;
  }

  Plan finish() {
    Plan plan;
    plan.truncate = truncate_;
    plan.removed_keys.reserve(states_.size());
    plan.inserts.reserve(states_.size());
    for (const KeyState& state : states_) {
      plan.removed_keys.push_back(state.key_row);
      if (state.alive)
        plan.inserts.push_back({static_cast<std::uint32_t>(state.last_values), state.fill, state.fill_key});
    }
    return plan;
  }

 private:
  KeyState& state_of(std::uint32_t row) {
    const auto key = encode_key(schema_, batch_.row(row), batch_.arena());
    auto [entry, is_new] = index_.try_emplace(key, states_.size());
    if (is_new) states_.push_back({row});
    return states_[entry->second];
  }

  void complete(std::uint32_t row, std::uint32_t from) {
    Value* to = batch_.row(row);
    const Value* source = batch_.row(from);
    for (std::size_t i = 0; i < batch_.width(); ++i) {
      if (to[i].tag == Value::Tag::kUnchanged) to[i] = source[i];
    }
  }

  const TableSchema& schema_;
  ChangeBatch& batch_;
  bool truncate_ = false;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<KeyState> states_;
};

}  // namespace

Plan plan_changes(const TableSchema& schema, ChangeBatch& batch) {
  Plan plan;
  if (schema.key.empty()) {
    for (const Change& change : batch.changes) {
      if (change.op == Change::Op::kTruncate) {
        plan.inserts.clear();
        plan.truncate = true;
      } else if (change.op == Change::Op::kUpsert) {
        plan.inserts.push_back({change.row});
      }
    }
  } else {
    Planner planner(schema, batch);
    for (const Change& change : batch.changes) planner.apply(change);
    plan = planner.finish();
  }
  plan.changes = batch.changes.size();
  return plan;
}

}  // namespace millrace::sql::ingest
