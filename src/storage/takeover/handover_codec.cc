#include "storage/takeover/handover_codec.h"

#include <limits>

#include "base/codec.h"
#include "base/crc32c.h"
#include "cluster/wire.h"

namespace millrace::storage {
namespace {

namespace wire = cluster::wire;

constexpr std::size_t kCrcBytes = 4;

std::unexpected<Error> corrupt(std::string_view what) { return fail(Code::kCorrupt, "handover " + std::string(what)); }

void put_wal(ByteWriter& out, const cluster::WalId& wal) {
  out.zigzag(wal.broker_id);
  wire::put_number(out, wal.incarnation);
}
cluster::WalId get_wal(ByteReader& in) {
  const std::int32_t broker_id = in.zigzag32();
  return {broker_id, wire::get_number<Incarnation>(in)};
}

std::string with_crc(std::string bytes) {
  const std::uint32_t crc = crc32c(bytes);
  ByteWriter out(bytes);
  out.be(crc);
  return bytes;
}
Result<std::string_view> without_crc(std::string_view bytes) {
  if (bytes.size() < kCrcBytes) return corrupt("is truncated");
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  if (load_be<std::uint32_t>(bytes.data() + body.size()) != crc32c(body)) return corrupt("has a wrong checksum");
  return body;
}

// Batches follow each other, so that only the first has an offset, and mostly in the order of the slots.
void put_entries(ByteWriter& out, const std::vector<BatchEntry>& entries) {
  out.uvarint(entries.size());
  if (entries.empty()) return;
  out.zigzag(entries.front().base_offset);
  std::uint64_t slot = 0, timestamp = 0;  // differences wrap around: timestamps are the clients' own
  for (const auto& entry : entries) {
    out.uvarint(entry.last_offset_delta);
    out.uvarint(entry.size);
    out.zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(entry.max_timestamp_ms) - timestamp));
    out.zigzag(static_cast<std::int64_t>(entry.slot - slot));
    out.uvarint(entry.position);
    slot = entry.slot;
    timestamp = static_cast<std::uint64_t>(entry.max_timestamp_ms);
  }
}
std::vector<BatchEntry> get_entries(ByteReader& in, std::size_t slots) {
  const std::uint64_t count = in.uvarint64();
  std::vector<BatchEntry> entries;
  if (count == 0) return entries;
  std::int64_t offset = in.zigzag64();
  std::uint64_t slot = 0, timestamp = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::uint32_t last_offset_delta = in.uvarint32();
    const std::uint32_t size = in.uvarint32();
    timestamp += static_cast<std::uint64_t>(in.zigzag64());
    slot += static_cast<std::uint64_t>(in.zigzag64());
    const std::uint64_t position = in.uvarint64();
    const bool fits = slot < slots && position <= kSlotPositionMax && offset >= 0 &&
                      last_offset_delta < std::numeric_limits<std::int32_t>::max() &&
                      offset < std::numeric_limits<std::int64_t>::max() - last_offset_delta;
    if (!fits) in.set_bad();
    if (!in.ok()) break;
    entries.push_back(
        BatchEntry{offset, static_cast<std::int64_t>(timestamp), slot, position, size, last_offset_delta});
    offset = entries.back().next_offset();
  }
  return entries;
}

}  // namespace

std::string encode_question(const StorageQuestion& question) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(question.index()));
  if (const auto* wishes = std::get_if<std::vector<HandoverWish>>(&question)) {
    wire::put_list(out, *wishes, [](ByteWriter& o, const HandoverWish& wish) {
      wire::put_partition(o, wish.id);
      o.zigzag(wish.from);
      o.zigzag(wish.end);
    });
  } else {
    const auto& footers = std::get<FootersWish>(question);
    put_wal(out, footers.wal);
    wire::put_number(out, footers.from);
    wire::put_number(out, footers.to);
    wire::put_list(out, footers.partitions, wire::put_partition);
  }
  return with_crc(std::move(bytes));
}

Result<StorageQuestion> decode_question(std::string_view bytes) {
  TRY(const std::string_view body, without_crc(bytes));
  ByteReader in(body);
  StorageQuestion question;
  const std::uint8_t kind = in.u8();
  if (kind == 0) {
    question = wire::get_list<HandoverWish>(in, [](ByteReader& i) {
      HandoverWish wish;
      wish.id = wire::get_partition(i);
      wish.from = i.zigzag64();
      wish.end = i.zigzag64();
      return wish;
    });
  } else if (kind == 1) {
    FootersWish wish;
    wish.wal = get_wal(in);
    wish.from = wire::get_number<SlotNumber>(in);
    wish.to = wire::get_number<SlotNumber>(in);
    wish.partitions = wire::get_list<PartitionId>(in, wire::get_partition);
    question = std::move(wish);
  } else {
    return corrupt("question is of an unknown kind");
  }
  if (!in.ok() || !in.at_end()) return corrupt("question has a wrong length");
  return question;
}

std::string encode_footers(const std::vector<RecoveredSlot>& slots) {
  std::string bytes;
  ByteWriter out(bytes);
  out.uvarint(slots.size());
  for (const auto& slot : slots) {
    out.uvarint(slot.address.slot.value());
    out.uvarint(slot.object_size);
    out.uvarint(slot.groups.size());
    for (const auto& group : slot.groups) put_slot_group(out, group);
  }
  return with_crc(std::move(bytes));
}

Result<std::vector<RecoveredSlot>> decode_footers(std::string_view bytes, const FootersWish& wish) {
  TRY(const std::string_view body, without_crc(bytes));
  ByteReader in(body);
  std::vector<RecoveredSlot> slots;
  const std::uint64_t count = in.uvarint64();
  SlotNumber next = wish.from;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    RecoveredSlot slot;
    slot.address = {wish.wal.broker_id, wish.wal.incarnation, SlotNumber(in.uvarint64())};
    slot.object_size = in.uvarint64();
    if (slot.address.slot < next || slot.address.slot >= wish.to) return corrupt("has a slot out of order or range");
    next = slot.address.slot.next();
    const std::uint64_t groups = in.uvarint64();
    for (std::uint64_t k = 0; k < groups && in.ok(); ++k) {
      TRY(SlotGroup group, get_slot_group(in));
      slot.groups.push_back(std::move(group));
    }
    slots.push_back(std::move(slot));
  }
  if (!in.ok() || !in.at_end()) return corrupt("has a wrong length");
  return slots;
}

std::string encode_handover(const Handover& handover) {
  std::string bytes;
  ByteWriter out(bytes);
  wire::put_list(out, handover.slots, [](ByteWriter& o, const SlotPlace& slot) {
    put_wal(o, {slot.address.broker_id, slot.address.incarnation});
    wire::put_number(o, slot.address.slot);
    o.uvarint(slot.object_size);
  });
  wire::put_list(out, handover.partitions, [](ByteWriter& o, const HandedPartition& partition) {
    wire::put_partition(o, partition.id);
    put_entries(o, partition.entries);
    wire::put_string(o, partition.producers.encode());
  });
  return with_crc(std::move(bytes));
}

Result<Handover> decode_handover(std::string_view bytes) {
  TRY(const std::string_view body, without_crc(bytes));
  ByteReader in(body);
  Handover handover;
  handover.slots = wire::get_list<SlotPlace>(in, [](ByteReader& i) {
    SlotPlace place;
    const cluster::WalId wal = get_wal(i);
    place.address = {wal.broker_id, wal.incarnation, wire::get_number<SlotNumber>(i)};
    place.object_size = i.uvarint64();
    return place;
  });
  const std::uint64_t partitions = in.uvarint64();
  for (std::uint64_t i = 0; i < partitions && in.ok(); ++i) {
    HandedPartition partition;
    partition.id = wire::get_partition(in);
    partition.entries = get_entries(in, handover.slots.size());
    const std::string producers = wire::get_string(in);
    if (!in.ok()) break;
    TRY(partition.producers, ProducerTable::decode(producers));
    handover.partitions.push_back(std::move(partition));
  }
  if (!in.ok() || !in.at_end()) return corrupt("has a wrong length or a number out of range");
  return handover;
}

}  // namespace millrace::storage
