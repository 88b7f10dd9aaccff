// The objects of a WAL in the bucket (docs/formats/wal-slot.md): slot 0 opens an incarnation's WAL, data slots carry
// raw Kafka v2 batches grouped by partition with a footer index, one Seal ends it for ever.
//
// Encoding copies no batch: the body is [header | the producers' own buffers | footer]. The checksum covers header and
// footer only, each batch's own CRC is repeated in the footer, so every byte is covered and none is summed twice.
// Cost: about 50 ns per batch. Decoding validates everything it returns (kCorrupt, kUnsupported for a newer format) and
// never allocates by a claimed length.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/result.h"
#include "cluster/records.h"

namespace millrace::storage {

using cluster::Incarnation;
using cluster::PartitionId;
using cluster::SlotNumber;

inline constexpr std::size_t kSlotHeaderBytes = 128;
inline constexpr std::size_t kSlotTrailerBytes = 8;

enum class SlotKind : std::uint8_t { kOpen = 0, kData = 1, kSeal = 2 };

// Which slot of which WAL: what its key says and its header repeats.
struct SlotAddress {
  std::int32_t broker_id = 0;
  Incarnation incarnation;
  SlotNumber slot;
  bool operator==(const SlotAddress&) const = default;
};

// wal/<hh>/<broker>.<incarnation>/<slot, 20 digits>; hh spreads WALs over the bucket's key space.
std::string slot_key(const SlotAddress& address);
std::string wal_prefix(std::int32_t broker_id, Incarnation incarnation);
// kInvalid when `key` is no WAL object's key.
Result<SlotAddress> parse_slot_key(std::string_view key);

struct SlotHeader {
  SlotKind kind = SlotKind::kData;
  SlotAddress address;
  std::uint64_t nonce_high = 0, nonce_low = 0;  // of this PUT's body; tells "mine" from "another's" on 412
  std::uint32_t footer_size = 0;
  std::uint64_t footer_position = 0;
  std::uint32_t footer_crc = 0;
  Incarnation sealed_by;  // of Seals: the recoverer's incarnation
  bool operator==(const SlotHeader&) const = default;
};

// One batch in the footer index.
struct SlotBatch {
  std::int64_t base_offset = 0;
  std::uint32_t last_offset_delta = 0;
  std::uint32_t size = 0;
  std::int64_t max_timestamp_ms = -1;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  bool operator==(const SlotBatch&) const = default;
};
// A run of one partition's batches, adjacent in the slot from `position`.
struct SlotGroup {
  PartitionId partition;
  std::int32_t leader_epoch = 0;
  std::uint32_t position = 0;
  std::vector<SlotBatch> batches;
};
struct DecodedSlot {
  SlotHeader header;
  std::vector<SlotGroup> groups;  // empty unless kData
};

struct SlotGroupInput {
  PartitionId partition;
  std::int32_t leader_epoch = 0;
  std::span<const Slice> batches;  // validated v2 batches with their offsets patched in
};
struct EncodedSlot {
  SliceChain body;
  std::vector<std::uint32_t> positions;  // of each group
};

EncodedSlot encode_data_slot(const SlotAddress& address, std::uint64_t nonce_high, std::uint64_t nonce_low,
                             std::span<const SlotGroupInput> groups);
Slice encode_open_slot(const SlotAddress& address, std::uint64_t nonce_high, std::uint64_t nonce_low);
Slice encode_seal(const SlotAddress& address, Incarnation sealed_by, std::uint64_t nonce_high, std::uint64_t nonce_low);

// A footer's entry of one partition, as it stands there. get_slot_group: kCorrupt when no footer may have it; where
// the group lies is the caller's to judge.
void put_slot_group(ByteWriter& out, const SlotGroup& group);
Result<SlotGroup> get_slot_group(ByteReader& in);

// The first kSlotHeaderBytes of any WAL object.
Result<SlotHeader> decode_slot_header(std::string_view bytes);
// A whole WAL object; refused unless it is the one that `expected` names.
Result<DecodedSlot> decode_slot(std::string_view bytes, const SlotAddress& expected);

}  // namespace millrace::storage
