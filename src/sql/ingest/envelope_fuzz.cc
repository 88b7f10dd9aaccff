// Whatever bytes a topic holds: the decoder answers, and a plan of what it accepted can be made.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "sql/ingest/envelope.h"
#include "sql/ingest/planner.h"

using namespace millrace::sql;          // NOLINT
using namespace millrace::sql::ingest;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TableSchema schema{{"d", "t"},
                                  {{"id", {ColumnType::kInt64}},
                                   {"note", {ColumnType::kText}},
                                   {"price", {ColumnType::kDecimal, 10, 2}},
                                   {"day", {ColumnType::kDate}},
                                   {"at", {ColumnType::kTimestamp}},
                                   {"raw", {ColumnType::kBlob}},
                                   {"doc", {ColumnType::kJson}}},
                                  {0}};
  if (size == 0) return 0;
  const auto envelope = data[0] & 1 ? Envelope::kPlain : Envelope::kDebezium;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  EnvelopeDecoder decoder(schema, {envelope, data[0] & 2 ? UnknownFields::kIgnore : UnknownFields::kRefuse});
  ChangeBatch batch(schema.columns.size());
  const auto before = batch.changes.size();
  if (!decoder.decode({text, text, text}, batch)) CHECK(batch.changes.size() == before);
  const Plan plan = plan_changes(schema, batch);
  CHECK(plan.inserts.size() <= plan.removed_keys.size());
  (void)shape_of_record({text, text});
  return 0;
}
