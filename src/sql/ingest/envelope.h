// From the records of a topic to changes of a table: Debezium's envelope (with and without Connect schemas)
// and plain JSON rows. Pure; one decoder per table and thread.
//
// A record that cannot become a change is kInvalid with the reason and leaves the batch as it was. Fields that
// the table does not have are kept in `missing_columns` for whoever may add them. Tombstones, heartbeats and
// logical messages are no changes. `docs`: Debezium "Change events"; StarRocks Routine Load `envelope`, `__op`.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/ingest/change_batch.h"
#include "sql/ingest/column.h"

namespace millrace::sql::ingest {

struct RecordView {
  std::optional<std::string_view> key, value;
  std::optional<std::string_view> old_key;  // the header __debezium.oldkey
};

enum class UnknownFields { kRefuse, kIgnore };

struct DecodeOptions {
  Envelope envelope = Envelope::kDebezium;
  UnknownFields unknown_fields = UnknownFields::kRefuse;
};

class EnvelopeDecoder {
 public:
  EnvelopeDecoder(TableSchema schema, DecodeOptions options);
  ~EnvelopeDecoder();
  EnvelopeDecoder(EnvelopeDecoder&&) noexcept;
  EnvelopeDecoder& operator=(EnvelopeDecoder&&) noexcept;

  // Appends what the record changes: nothing, one change, or two (a changed key).
  Result<void> decode(const RecordView& record, ChangeBatch& batch);

  // What the last refused record had and the table has not; typed when the record had a schema.
  const std::vector<Column>& missing_columns() const;
  const TableSchema& schema() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The columns that a record shows: from its schema, if it carries one. Key columns come from the key's.
struct RecordShape {
  std::vector<Column> columns;
  std::vector<std::string> key;
};
std::optional<RecordShape> shape_of_record(const RecordView& record);

}  // namespace millrace::sql::ingest
