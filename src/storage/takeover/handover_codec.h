// Bytes of what storages ask each other when partitions change hands (docs/formats/peer-protocol.md): the next leader
// of released partitions the last one, and the next leaders of a WAL's partitions the one that recovered it. Decoding
// never trusts a length or a number; what breaks the format is kCorrupt. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cluster/records.h"
#include "storage/log/partition_log.h"
#include "storage/wal/past_slots.h"
#include "storage/wal/recovery.h"

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

// "What do the slots [from, to) of this WAL, which you recovered, have of these partitions?" Answer: those that have
// any, in order.
struct FootersWish {
  cluster::WalId wal;
  SlotNumber from, to;
  std::vector<PartitionId> partitions;
};

using StorageQuestion = std::variant<std::vector<HandoverWish>, FootersWish>;
std::string encode_question(const StorageQuestion& question);
Result<StorageQuestion> decode_question(std::string_view bytes);

std::string encode_footers(const std::vector<RecoveredSlot>& slots);
Result<std::vector<RecoveredSlot>> decode_footers(std::string_view bytes, const FootersWish& wish);
std::string encode_handover(const Handover& handover);
Result<Handover> decode_handover(std::string_view bytes);

}  // namespace millrace::storage
