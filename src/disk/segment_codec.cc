#include "disk/segment_codec.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/crc32c.h"

namespace millrace::disk {
namespace {

constexpr std::uint32_t kSegmentMagic = 0x4d525747;  // "MRWG"
constexpr std::uint32_t kFrameMagic = 0x4d525746;    // "MRWF"
constexpr std::uint16_t kFormat = 1;
constexpr std::size_t kSegmentCrcAt = 124;
constexpr std::size_t kFrameCrcAt = 28;

std::unexpected<Error> bad_frame(std::uint64_t position, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("frame at {}: {}", position, what));
}

Uuid read_uuid(ByteReader& r) {
  Uuid id;
  const auto bytes = r.bytes(id.bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

// Of head and table, without the checksum's own four bytes.
std::uint32_t head_crc(std::string_view bytes, std::size_t records) {
  const std::uint32_t head = crc32c(bytes.substr(0, kFrameCrcAt));
  return crc32c(bytes.substr(kFrameHeadBytes, records * kFrameEntryBytes), head);
}

}  // namespace

Slice encode_segment_header(const SegmentHeader& header) {
  std::string out;
  out.reserve(kBlockBytes);
  ByteWriter w(out);
  w.be(kSegmentMagic);
  w.be(kFormat);
  w.be(std::uint16_t{0});
  w.bytes(header.volume.view());
  w.be(header.nonce);
  w.be(header.sequence);
  w.be(header.broker_id);
  w.be(std::uint32_t{0});
  w.be(header.incarnation.value());
  w.be(header.size);
  w.bytes(header.bucket.view());
  out.resize(kSegmentCrcAt, '\0');
  w.be(crc32c(out));
  out.resize(kBlockBytes, '\0');
  return Slice::of(std::move(out));
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kBlockBytes) return fail(Code::kCorrupt, "segment is shorter than its header");
  ByteReader r(bytes);
  if (r.be<std::uint32_t>() != kSegmentMagic) return fail(Code::kCorrupt, "no segment: its magic number is another");
  const auto format = r.be<std::uint16_t>();
  r.be<std::uint16_t>();
  SegmentHeader header;
  header.volume = read_uuid(r);
  header.nonce = r.be<std::uint64_t>();
  header.sequence = r.be<std::uint64_t>();
  header.broker_id = r.be<std::int32_t>();
  r.be<std::uint32_t>();
  header.incarnation = cluster::Incarnation(r.be<std::uint64_t>());
  header.size = r.be<std::uint64_t>();
  header.bucket = read_uuid(r);
  if (load_be<std::uint32_t>(bytes.data() + kSegmentCrcAt) != crc32c(bytes.substr(0, kSegmentCrcAt))) {
    return fail(Code::kCorrupt, "segment header does not match its checksum");
  }
  if (format != kFormat) {
    return fail(Code::kUnsupported, fmt::format("segment of format {}, this program reads {}", format, kFormat));
  }
  return header;
}

std::uint64_t frame_bytes(std::size_t records, std::uint64_t body_bytes) {
  return whole_blocks(kFrameHeadBytes + records * kFrameEntryBytes + body_bytes);
}

EncodedFrame encode_frame(std::uint64_t nonce, std::uint64_t position, std::span<const FrameInput> inputs) {
  static const Slice kZeros = Slice::copy_of(std::string(kBlockBytes, '\0'));
  CHECK(!inputs.empty() && inputs.size() <= kFrameRecordsMax && position % kBlockBytes == 0);
  EncodedFrame frame;
  frame.records.reserve(inputs.size());
  std::uint64_t at = kFrameHeadBytes + inputs.size() * kFrameEntryBytes;
  std::string table;
  ByteWriter t(table);
  for (const auto& input : inputs) {
    std::uint32_t crc = 0;
    for (const auto& piece : input.body.pieces()) crc = crc32c(piece, crc);
    const auto size = static_cast<std::uint32_t>(input.body.size());
    t.be(input.address.broker_id);
    t.be(input.address.incarnation.value());
    t.be(input.address.slot.value());
    t.be(static_cast<std::uint32_t>(at));
    t.be(size);
    t.be(crc);
    frame.records.push_back({input.address, position + at, size, crc});
    at += size;
  }
  const std::uint64_t size = whole_blocks(at);
  CHECK(size <= 0xffffffffu);
  std::string head;
  ByteWriter w(head);
  w.be(kFrameMagic);
  w.be(kFormat);
  w.be(static_cast<std::uint16_t>(inputs.size()));
  w.be(nonce);
  w.be(position);
  w.be(static_cast<std::uint32_t>(size));
  w.be(crc32c(table, crc32c(head)));
  frame.bytes.append(Slice::of(head + table));
  for (const auto& input : inputs) frame.bytes.append(input.body);
  frame.bytes.append(kZeros.sub(0, size - at));
  return frame;
}

std::optional<std::uint64_t> frame_size(std::string_view bytes, std::uint64_t nonce, std::uint64_t position,
                                        std::uint64_t room) {
  if (bytes.size() < kFrameHeadBytes) return std::nullopt;
  ByteReader r(bytes);
  const bool known = r.be<std::uint32_t>() == kFrameMagic && r.be<std::uint16_t>() == kFormat;
  const std::size_t records = r.be<std::uint16_t>();
  const bool of_this_use = r.be<std::uint64_t>() == nonce && r.be<std::uint64_t>() == position;
  const std::uint64_t size = r.be<std::uint32_t>();
  if (!known || !of_this_use || records == 0 || records > kFrameRecordsMax) return std::nullopt;
  if (size % kBlockBytes != 0 || size > room || size < frame_bytes(records, 0)) return std::nullopt;
  return size;
}

Result<std::vector<FrameRecord>> decode_frame(std::string_view bytes, std::uint64_t nonce, std::uint64_t position) {
  // 1. The head and the table.
  if (frame_size(bytes, nonce, position, bytes.size()) != bytes.size()) return bad_frame(position, "is not whole");
  const std::size_t count = load_be<std::uint16_t>(bytes.data() + 6);
  if (load_be<std::uint32_t>(bytes.data() + kFrameCrcAt) != head_crc(bytes, count)) {
    return bad_frame(position, "its table does not match its checksum");
  }
  // 2. The records, which must tile the space up to the padding.
  ByteReader r(bytes.substr(kFrameHeadBytes, count * kFrameEntryBytes));
  std::vector<FrameRecord> records;
  records.reserve(count);
  std::uint64_t at = kFrameHeadBytes + count * kFrameEntryBytes;
  for (std::size_t i = 0; i < count; ++i) {
    FrameRecord record;
    record.address.broker_id = r.be<std::int32_t>();
    record.address.incarnation = cluster::Incarnation(r.be<std::uint64_t>());
    record.address.slot = cluster::SlotNumber(r.be<std::uint64_t>());
    const std::uint64_t begin = r.be<std::uint32_t>();
    record.size = r.be<std::uint32_t>();
    record.crc = r.be<std::uint32_t>();
    if (begin != at || record.size > bytes.size() - at) return bad_frame(position, "its table is impossible");
    if (crc32c(bytes.substr(at, record.size)) != record.crc) {
      return bad_frame(position, fmt::format("slot {} does not match its checksum", record.address.slot.value()));
    }
    record.position = position + at;
    at += record.size;
    records.push_back(record);
  }
  if (whole_blocks(at) != bytes.size()) return bad_frame(position, "its size is impossible");
  return records;
}

}  // namespace millrace::disk
