// The bytes of a WAL segment (docs/formats/wal-segment.md): a header block, then frames. A frame is what one group
// commit wrote: a table of the slots in it, their bytes, zeros up to the next block.
//
// Segments are used again, so nothing in one may be believed because it is there: a frame counts only if it repeats the
// segment's nonce, which is drawn anew for each use, and its own position (rule 31); its table names broker,
// incarnation and slot of each record and holds the checksum of its bytes. Decoding validates all that it returns and
// never allocates by a claimed length. Fails: kCorrupt; kUnsupported for a newer format; a scan just ends. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "storage/wal/slot_codec.h"

namespace millrace::disk {

using storage::SlotAddress;

// Of positions and sizes of all that is written: no disk sold has larger blocks, and O_DIRECT wants whole ones.
inline constexpr std::size_t kBlockBytes = 4096;
inline constexpr std::size_t kFrameHeadBytes = 32;
inline constexpr std::size_t kFrameEntryBytes = 32;
inline constexpr std::size_t kFrameRecordsMax = 1024;

constexpr std::uint64_t whole_blocks(std::uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

struct SegmentHeader {
  Uuid volume;                 // the directory it was written for
  std::uint64_t nonce = 0;     // of this use of the file
  std::uint64_t sequence = 0;  // uses in the order they began
  std::int32_t broker_id = 0;
  cluster::Incarnation incarnation;  // the only one that writes to it
  std::uint64_t size = 0;            // of the file, this block included
  Uuid bucket;                       // whose WAL it is: a hash of what names the bucket's cluster
  bool operator==(const SegmentHeader&) const = default;
};

// One block.
Slice encode_segment_header(const SegmentHeader& header);
Result<SegmentHeader> decode_segment_header(std::string_view bytes);

// One slot in a frame.
struct FrameRecord {
  SlotAddress address;
  std::uint64_t position = 0;  // in the segment
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
  bool operator==(const FrameRecord&) const = default;
};
struct FrameInput {
  SlotAddress address;
  SliceChain body;
};
struct EncodedFrame {
  SliceChain bytes;  // whole blocks
  std::vector<FrameRecord> records;
};

// What a frame of `records` slots with `body_bytes` in all takes.
std::uint64_t frame_bytes(std::size_t records, std::uint64_t body_bytes);
// Copies no body. At least one record, at most kFrameRecordsMax.
EncodedFrame encode_frame(std::uint64_t nonce, std::uint64_t position, std::span<const FrameInput> inputs);

// The size of the frame that begins with `bytes` (one block is enough), by its unverified head; nothing when this is no
// frame of that use and place, or larger than `room`.
std::optional<std::uint64_t> frame_size(std::string_view bytes, std::uint64_t nonce, std::uint64_t position,
                                        std::uint64_t room);
// A whole frame, all checksums right; kCorrupt otherwise.
Result<std::vector<FrameRecord>> decode_frame(std::string_view bytes, std::uint64_t nonce, std::uint64_t position);

}  // namespace millrace::disk
