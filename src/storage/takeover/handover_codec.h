// Bytes of a handover: what the next leader of released partitions asks the last one, and what that one answers
// (docs/formats/peer-protocol.md). Decoding never trusts a length or a number; what breaks the format is kCorrupt. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/records.h"
#include "storage/log/partition_log.h"
#include "storage/wal/past_slots.h"

namespace millrace::storage {

// "Which batches of this partition, released at offset `end`, does no object have that ends by `from`?"
struct HandoverWish {
  PartitionId id;
  std::int64_t from = 0;
  std::int64_t end = 0;
};

// The batches from `from`, or from a little before, up to `end`, in offset order and without a gap; in `entries` `slot`
// counts Handover::slots.
struct HandedPartition {
  PartitionId id;
  std::vector<BatchEntry> entries;
  ProducerTable producers;  // as of the end
};
// Answers the wishes that could be answered.
struct Handover {
  std::vector<SlotPlace> slots;
  std::vector<HandedPartition> partitions;
};

std::string encode_wishes(const std::vector<HandoverWish>& wishes);
Result<std::vector<HandoverWish>> decode_wishes(std::string_view bytes);
std::string encode_handover(const Handover& handover);
Result<Handover> decode_handover(std::string_view bytes);

}  // namespace millrace::storage
