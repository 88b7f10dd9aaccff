#include "sql/session.h"

#include <map>
#include <utility>

namespace millrace::sql {

struct CancelToken::State {
  std::recursive_mutex mutex;  // held while actions run, so that a Registration's end waits for them
  bool cancelled = false;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, std::function<void()>> actions;
};

CancelToken::CancelToken() : state_(std::make_shared<State>()) {}

void CancelToken::cancel() {
  const std::lock_guard lock(state_->mutex);
  if (std::exchange(state_->cancelled, true)) return;
  auto actions = std::move(state_->actions);
  state_->actions.clear();
  for (auto& [id, action] : actions) action();
}

bool CancelToken::cancelled() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cancelled;
}

std::unique_ptr<CancelToken::Registration> CancelToken::on_cancel(std::function<void()> action) {
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t id = ++state_->last_id;
  if (state_->cancelled) {
    action();
  } else {
    state_->actions.emplace(id, std::move(action));
  }
  return std::make_unique<Registration>(state_, id);
}

CancelToken::Registration::~Registration() {
  const std::lock_guard lock(state_->mutex);
  state_->actions.erase(id_);
}

namespace {

class TextChunk final : public Chunk {
 public:
  explicit TextChunk(std::vector<TextRow> rows) : rows_(std::move(rows)) {}
  std::size_t rows() const override { return rows_.size(); }
  Cell cell(std::size_t row, std::size_t column) const override {
    const TextRow& source = rows_[row];
    Cell cell;
    cell.is_null = column < source.nulls.size() && source.nulls[column];
    cell.text = source.cells[column];
    return cell;
  }

 private:
  std::vector<TextRow> rows_;
};

class TextResult final : public ResultSet {
 public:
  TextResult(std::vector<ColumnInfo> columns, std::vector<TextRow> rows, std::uint64_t affected,
             std::vector<std::string> warnings)
      : columns_(std::move(columns)), affected_(affected), warnings_(std::move(warnings)) {
    if (!rows.empty()) chunk_ = std::make_unique<TextChunk>(std::move(rows));
  }
  const std::vector<ColumnInfo>& columns() const override { return columns_; }
  std::uint64_t affected_rows() const override { return affected_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }
  Task<Result<std::unique_ptr<Chunk>>> next() override { co_return std::move(chunk_); }

 private:
  std::vector<ColumnInfo> columns_;
  std::unique_ptr<Chunk> chunk_;
  std::uint64_t affected_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::unique_ptr<ResultSet> make_text_result(std::vector<std::string> column_names, std::vector<TextRow> rows) {
  std::vector<ColumnInfo> columns;
  for (auto& name : column_names) columns.push_back({.name = std::move(name)});
  return std::make_unique<TextResult>(std::move(columns), std::move(rows), 0, std::vector<std::string>());
}

std::unique_ptr<ResultSet> make_done_result(std::uint64_t affected_rows, std::vector<std::string> warnings) {
  return std::make_unique<TextResult>(std::vector<ColumnInfo>(), std::vector<TextRow>(), affected_rows,
                                      std::move(warnings));
}

}  // namespace millrace::sql
