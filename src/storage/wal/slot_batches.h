// The header of a batch as a slot's footer repeats it: what replaying a slot needs without the batch's bytes.
#pragma once

#include "storage/log/batch_header.h"
#include "storage/wal/slot_codec.h"

namespace millrace::storage {

inline BatchHeader header_of(const SlotGroup& group, const SlotBatch& batch) {
  BatchHeader head;
  head.base_offset = batch.base_offset;
  head.size = batch.size;
  head.leader_epoch = group.leader_epoch;
  head.crc = batch.crc;
  head.attributes = batch.attributes;
  head.last_offset_delta = static_cast<std::int32_t>(batch.last_offset_delta);
  head.max_timestamp = batch.max_timestamp_ms;
  head.producer_id = batch.producer_id;
  head.producer_epoch = batch.producer_epoch;
  head.base_sequence = batch.base_sequence;
  return head;
}

}  // namespace millrace::storage
