// Any bytes as a batch: what is left of it is a batch again, of the same offsets, and nothing of it goes twice.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "kafka/record_batch.h"
#include "storage/compaction/batch_filter.h"

using namespace millrace;           // NOLINT: a fuzz target is a page
using namespace millrace::storage;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kafka::kBatchHeaderSize || size > (64 << 10)) return 0;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  store_be(bytes.data() + 8, static_cast<std::int32_t>(size - kafka::kBatchLengthEnd));
  store_be(bytes.data(), std::int64_t{7});
  const Slice batch = Slice::of(std::move(bytes));
  const auto view = kafka::BatchView::at_start_of(batch);
  if (!view || !read_batch_header(batch)) return 0;
  KeyMap keys(1 << 20);
  note_keys(batch, keys);
  CleanRules rules{.keys = keys, .map_end = INT64_MAX, .now_ms = 1000, .delete_retention_ms = 1000};
  const FilteredBatch once = filter_batch(batch, rules, true);
  CHECK(!once.bytes.empty());
  const auto left = kafka::BatchView::at_start_of(once.bytes);
  CHECK(left && left->base_offset() == view->base_offset() && left->last_offset() == view->last_offset());
  CHECK(once.unchanged || left->crc_matches());
  if (!once.unchanged && left->record_count() > 0) {
    const FilteredBatch twice = filter_batch(once.bytes, rules, true);
    CHECK(twice.dropped_records == 0 || left->has_delete_horizon());
  }
  return 0;
}
