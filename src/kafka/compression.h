// The codecs of record batches: gzip, snappy (raw and in xerial's framing), lz4 frames, zstd.
//
// Inflating is bounded: output beyond `bytes_max` answers kExhausted, broken input kCorrupt. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "kafka/record_batch.h"

namespace millrace::kafka {

Result<std::string> inflate(Compression compression, std::string_view bytes, std::size_t bytes_max);
// In the form that Kafka's Java clients write and can read (snappy in xerial's framing).
std::string deflate(Compression compression, std::string_view bytes);

}  // namespace millrace::kafka
