#include "storage/wal/slot_codec.h"

#include <fmt/format.h>

#include <charconv>

#include "base/crc32c.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {
namespace {

constexpr std::uint32_t kSlotMagic = 0x4d525753;  // "MRWS"
constexpr std::uint16_t kSlotFormat = 1;
constexpr std::size_t kHeaderCrcAt = kSlotHeaderBytes - 4;
constexpr std::size_t kGroupBytes = 16 + 4 + 4 + 4 + 4;
constexpr std::size_t kBatchBytes = 8 + 4 + 4 + 8 + 8 + 2 + 4 + 4 + 2;

std::string encode_header(const SlotHeader& header) {
  std::string out;
  out.reserve(kSlotHeaderBytes);
  ByteWriter w(out);
  w.be(kSlotMagic);
  w.be(kSlotFormat);
  w.u8(static_cast<std::uint8_t>(header.kind));
  w.u8(0);
  w.be(header.address.incarnation.value());
  w.be(header.address.slot.value());
  w.be(header.nonce_high);
  w.be(header.nonce_low);
  w.be(header.address.broker_id);
  w.be(header.footer_size);
  w.be(header.footer_position);
  w.be(header.footer_crc);
  w.be(header.sealed_by.value());
  out.resize(kHeaderCrcAt, '\0');
  w.be(crc32c(out));
  return out;
}

// FNV-1a folded to a byte: where a WAL lies must not depend on who asks.
unsigned spread(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (unsigned char c : text) hash = (hash ^ c) * 16777619u;
  return (hash ^ (hash >> 8) ^ (hash >> 16) ^ (hash >> 24)) & 0xff;
}

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

void put_group_head(ByteWriter& out, const PartitionId& partition, std::int32_t leader_epoch, std::uint32_t position,
                    std::size_t batches) {
  out.bytes(partition.topic_id.view());
  out.be(partition.partition);
  out.be(leader_epoch);
  out.be(position);
  out.be(static_cast<std::uint32_t>(batches));
}

void put_batch(ByteWriter& out, const SlotBatch& batch) {
  out.be(batch.base_offset);
  out.be(batch.last_offset_delta);
  out.be(batch.size);
  out.be(batch.max_timestamp_ms);
  out.be(batch.producer_id);
  out.be(batch.producer_epoch);
  out.be(batch.base_sequence);
  out.be(batch.crc);
  out.be(batch.attributes);
}

std::unexpected<Error> corrupt(const SlotAddress& address, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("WAL object {}: {}", slot_key(address), what));
}

}  // namespace

std::string wal_prefix(std::int32_t broker_id, Incarnation incarnation) {
  const std::string name = fmt::format("{}.{}", broker_id, incarnation.value());
  return fmt::format("wal/{:02x}/{}/", spread(name), name);
}

std::string slot_key(const SlotAddress& address) {
  return fmt::format("{}{:020}", wal_prefix(address.broker_id, address.incarnation), address.slot.value());
}

Result<SlotAddress> parse_slot_key(std::string_view key) {
  const auto bad = [&] { return fail(Code::kInvalid, fmt::format("'{}' is no key of a WAL object", key)); };
  if (!key.starts_with("wal/") || key.size() < 8) return bad();
  const auto name_end = key.find('/', 7);
  if (name_end == std::string_view::npos) return bad();
  const std::string_view name = key.substr(7, name_end - 7);
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return bad();
  SlotAddress address;
  std::uint64_t incarnation = 0, slot = 0;
  if (!parse_number(name.substr(0, dot), address.broker_id) || !parse_number(name.substr(dot + 1), incarnation) ||
      !parse_number(key.substr(name_end + 1), slot)) {
    return bad();
  }
  address.incarnation = Incarnation(incarnation);
  address.slot = SlotNumber(slot);
  if (slot_key(address) != key) return bad();
  return address;
}

EncodedSlot encode_data_slot(const SlotAddress& address, std::uint64_t nonce_high, std::uint64_t nonce_low,
                             std::span<const SlotGroupInput> groups) {
  EncodedSlot out;
  out.positions.reserve(groups.size());
  std::string footer;
  ByteWriter w(footer);
  w.be(static_cast<std::uint32_t>(groups.size()));
  std::size_t position = kSlotHeaderBytes;
  for (const auto& group : groups) {
    out.positions.push_back(static_cast<std::uint32_t>(position));
    put_group_head(w, group.partition, group.leader_epoch, static_cast<std::uint32_t>(position), group.batches.size());
    for (const auto& batch : group.batches) {
      const auto head = read_batch_header(batch);
      CHECK(head && head->size == batch.size());
      put_batch(
          w, {head->base_offset, static_cast<std::uint32_t>(head->last_offset_delta), head->size, head->max_timestamp,
              head->producer_id, head->producer_epoch, head->base_sequence, head->crc, head->attributes});
      position += batch.size();
    }
  }
  SlotHeader header{SlotKind::kData, address, nonce_high, nonce_low};
  header.footer_position = position;
  header.footer_size = static_cast<std::uint32_t>(footer.size());
  header.footer_crc = crc32c(footer);
  std::string head = encode_header(header);
  w.be(header.footer_size);
  w.be(crc32c(std::string_view(footer).substr(0, header.footer_size), crc32c(head)));

  out.body.append(Slice::of(std::move(head)));
  for (const auto& group : groups) {
    for (const auto& batch : group.batches) out.body.append(batch);
  }
  out.body.append(Slice::of(std::move(footer)));
  return out;
}

Slice encode_open_slot(const SlotAddress& address, std::uint64_t nonce_high, std::uint64_t nonce_low) {
  return Slice::of(encode_header(SlotHeader{SlotKind::kOpen, address, nonce_high, nonce_low}));
}

Slice encode_seal(const SlotAddress& address, Incarnation sealed_by, std::uint64_t nonce_high,
                  std::uint64_t nonce_low) {
  SlotHeader header{SlotKind::kSeal, address, nonce_high, nonce_low};
  header.sealed_by = sealed_by;
  return Slice::of(encode_header(header));
}

Result<SlotHeader> decode_slot_header(std::string_view bytes) {
  if (bytes.size() < kSlotHeaderBytes) return fail(Code::kCorrupt, "WAL object is shorter than its header");
  const std::string_view head = bytes.substr(0, kSlotHeaderBytes);
  ByteReader r(head);
  if (r.be<std::uint32_t>() != kSlotMagic)
    return fail(Code::kCorrupt, "WAL object does not begin with its magic number");
  const auto format = r.be<std::uint16_t>();
  const auto kind = r.u8();
  r.u8();
  SlotHeader header;
  header.address.incarnation = Incarnation(r.be<std::uint64_t>());
  header.address.slot = SlotNumber(r.be<std::uint64_t>());
  header.nonce_high = r.be<std::uint64_t>();
  header.nonce_low = r.be<std::uint64_t>();
  header.address.broker_id = r.be<std::int32_t>();
  header.footer_size = r.be<std::uint32_t>();
  header.footer_position = r.be<std::uint64_t>();
  header.footer_crc = r.be<std::uint32_t>();
  header.sealed_by = Incarnation(r.be<std::uint64_t>());
  if (load_be<std::uint32_t>(head.data() + kHeaderCrcAt) != crc32c(head.substr(0, kHeaderCrcAt))) {
    return fail(Code::kCorrupt, "WAL object's header does not match its checksum");
  }
  if (format != kSlotFormat) {
    return fail(Code::kUnsupported, fmt::format("WAL object of format {}, this program reads {}", format, kSlotFormat));
  }
  if (kind > static_cast<std::uint8_t>(SlotKind::kSeal)) return fail(Code::kCorrupt, "WAL object of unknown kind");
  header.kind = static_cast<SlotKind>(kind);
  return header;
}

void put_slot_group(ByteWriter& out, const SlotGroup& group) {
  put_group_head(out, group.partition, group.leader_epoch, group.position, group.batches.size());
  for (const auto& batch : group.batches) put_batch(out, batch);
}

Result<SlotGroup> get_slot_group(ByteReader& r) {
  SlotGroup group;
  const auto topic = r.bytes(16);
  if (r.ok()) std::copy(topic.begin(), topic.end(), group.partition.topic_id.bytes.begin());
  group.partition.partition = r.be<std::int32_t>();
  group.leader_epoch = r.be<std::int32_t>();
  group.position = r.be<std::uint32_t>();
  const auto count = r.be<std::uint32_t>();
  if (!r.ok() || count > r.remaining() / kBatchBytes) return fail(Code::kCorrupt, "a partition's entry is cut short");
  group.batches.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    SlotBatch batch;
    batch.base_offset = r.be<std::int64_t>();
    batch.last_offset_delta = r.be<std::uint32_t>();
    batch.size = r.be<std::uint32_t>();
    batch.max_timestamp_ms = r.be<std::int64_t>();
    batch.producer_id = r.be<std::int64_t>();
    batch.producer_epoch = r.be<std::int16_t>();
    batch.base_sequence = r.be<std::int32_t>();
    batch.crc = r.be<std::uint32_t>();
    batch.attributes = r.be<std::int16_t>();
    if (batch.size < kBatchHeadBytes || batch.base_offset < 0 || batch.last_offset_delta > 0x7fffffffu) {
      return fail(Code::kCorrupt, "a batch's entry is impossible");
    }
    group.batches.push_back(batch);
  }
  return group;
}

Result<DecodedSlot> decode_slot(std::string_view bytes, const SlotAddress& expected) {
  auto header = decode_slot_header(bytes);
  if (!header) return fail(std::move(header).error().with(slot_key(expected)));
  if (header->address != expected) return corrupt(expected, "holds another slot's bytes");
  DecodedSlot slot{*header, {}};
  if (header->kind != SlotKind::kData) {
    if (bytes.size() != kSlotHeaderBytes) return corrupt(expected, "has bytes after its header");
    return slot;
  }
  // 1. Where the footer is, by the header and by the trailer.
  if (bytes.size() < kSlotHeaderBytes + kSlotTrailerBytes || header->footer_position < kSlotHeaderBytes ||
      header->footer_position > bytes.size() ||
      bytes.size() - header->footer_position != header->footer_size + kSlotTrailerBytes) {
    return corrupt(expected, "is cut short");
  }
  const auto footer = bytes.substr(header->footer_position, header->footer_size);
  const char* trailer = bytes.data() + bytes.size() - kSlotTrailerBytes;
  // 2. Checksums.
  if (load_be<std::uint32_t>(trailer) != header->footer_size || header->footer_crc != crc32c(footer) ||
      load_be<std::uint32_t>(trailer + 4) != crc32c(footer, crc32c(bytes.substr(0, kSlotHeaderBytes)))) {
    return corrupt(expected, "does not match its checksum");
  }
  // 3. Entries, which must tile the space between header and footer.
  ByteReader r(footer);
  const auto groups = r.be<std::uint32_t>();
  if (groups > r.remaining() / kGroupBytes) return corrupt(expected, "footer claims too many partitions");
  slot.groups.reserve(groups);
  std::uint64_t position = kSlotHeaderBytes;
  for (std::uint32_t i = 0; i < groups; ++i) {
    auto group = get_slot_group(r);
    if (!group) return corrupt(expected, "footer: " + group.error().message());
    if (group->position != position) return corrupt(expected, "footer's partition entry is impossible");
    for (const auto& batch : group->batches) position += batch.size;
    slot.groups.push_back(std::move(*group));
  }
  if (!r.ok() || !r.at_end() || position != header->footer_position) {
    return corrupt(expected, "footer does not describe its batches");
  }
  return slot;
}

}  // namespace millrace::storage
