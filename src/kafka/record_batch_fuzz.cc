// Splits, checks, inflates and reads whatever bytes come as a Produce request's records.
#include <cstdint>

#include "kafka/produce_check.h"
#include "kafka/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const Slice bytes = Slice::copy_of({reinterpret_cast<const char*>(data), size});
  kafka::BatchSplitter splitter(bytes);
  while (true) {
    const auto batch = splitter.next();
    if (!batch || !*batch) break;
    (void)kafka::for_each_record(
        **batch,
        [](const kafka::RecordView& record) {
          (void)kafka::headers_of(record);
          (void)kafka::parse_control_record(record);
        },
        1 << 20);
  }
  // The checksum stops nearly all mutations, so a batch with a right one is checked too.
  if (size >= kafka::kBatchHeaderSize) {
    Slice mended = Slice::copy_of(bytes);
    char* head = mended.mutable_data();
    store_be(head, std::int64_t{0});
    store_be(head + 8, static_cast<std::int32_t>(size - kafka::kBatchLengthEnd));
    head[16] = kafka::kMagicV2;
    kafka::set_max_timestamp(head, size, kafka::TimestampType::kCreateTime, 5);
    const auto checked = kafka::check_produced(mended, {.keys_required = true, .read_compressed = true});
    if (checked && !kafka::BatchView::at_start_of(checked->batch)->crc_matches()) __builtin_trap();
  }
  return 0;
}
