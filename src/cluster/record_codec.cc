#include "cluster/record_codec.h"

#include <fmt/format.h>

#include <type_traits>

#include "base/check.h"
#include "base/crc32c.h"
#include "cluster/wire.h"

namespace millrace::cluster {
namespace {

using namespace wire;  // NOLINT: a page of put_ and get_ calls

constexpr std::uint32_t kEntryMagic = 0x4d524d45;  // "MRME"
constexpr std::uint8_t kEntryVersion = 1;
constexpr std::uint8_t kRecordVersion = 1;  // of every type so far

// One pair per record type: put writes the body, get reads it.
void put(ByteWriter& out, const ClaimRecord& r) {
  out.uvarint(r.controller_epoch);
  out.zigzag(r.broker_id);
  put_string(out, r.endpoint);
}
void get(ByteReader& in, ClaimRecord& r) {
  r.controller_epoch = in.uvarint64();
  r.broker_id = in.zigzag32();
  r.endpoint = get_string(in);
}

void put(ByteWriter& out, const RegisterBrokerRecord& r) {
  out.zigzag(r.broker_id);
  put_string(out, r.host);
  out.be(r.port);
  put_string(out, r.rack);
  out.u8(static_cast<std::uint8_t>(r.wal_kind));
  out.be(r.process_nonce);
}
void get(ByteReader& in, RegisterBrokerRecord& r) {
  r.broker_id = in.zigzag32();
  r.host = get_string(in);
  r.port = in.be<std::uint16_t>();
  r.rack = get_string(in);
  const std::uint8_t kind = in.u8();
  if (kind > static_cast<std::uint8_t>(WalKind::kDisk)) in.set_bad();
  r.wal_kind = static_cast<WalKind>(kind);
  r.process_nonce = in.be<std::uint64_t>();
}

void put(ByteWriter& out, const FenceRecord& r) {
  out.zigzag(r.broker_id);
  put_number(out, r.incarnation);
}
void get(ByteReader& in, FenceRecord& r) {
  r.broker_id = in.zigzag32();
  r.incarnation = get_number<Incarnation>(in);
}

void put(ByteWriter& out, const RecoveredRecord& r) {
  out.zigzag(r.broker_id);
  put_number(out, r.incarnation);
  put_number(out, r.from);
  put_number(out, r.seal_slot);
  put_list(out, r.ends, [](ByteWriter& o, const PartitionEnd& end) {
    put_partition(o, end.partition);
    o.zigzag(end.end_offset);
  });
}
void get(ByteReader& in, RecoveredRecord& r) {
  r.broker_id = in.zigzag32();
  r.incarnation = get_number<Incarnation>(in);
  r.from = get_number<SlotNumber>(in);
  r.seal_slot = get_number<SlotNumber>(in);
  r.ends = get_list<PartitionEnd>(in, [](ByteReader& i) {
    PartitionEnd end;
    end.partition = get_partition(i);
    end.end_offset = i.zigzag64();
    return end;
  });
}

void put(ByteWriter& out, const CreateTopicRecord& r) {
  put_uuid(out, r.topic_id);
  put_string(out, r.name);
  out.zigzag(r.partitions);
  put_configs(out, r.configs);
  out.zigzag(r.created_ms);
}
void get(ByteReader& in, CreateTopicRecord& r) {
  r.topic_id = get_uuid(in);
  r.name = get_string(in);
  r.partitions = in.zigzag32();
  r.configs = get_configs(in);
  r.created_ms = in.zigzag64();
}

void put(ByteWriter& out, const DeleteTopicRecord& r) { put_uuid(out, r.topic_id); }
void get(ByteReader& in, DeleteTopicRecord& r) { r.topic_id = get_uuid(in); }

void put(ByteWriter& out, const CreatePartitionsRecord& r) {
  put_uuid(out, r.topic_id);
  out.zigzag(r.total);
}
void get(ByteReader& in, CreatePartitionsRecord& r) {
  r.topic_id = get_uuid(in);
  r.total = in.zigzag32();
}

void put(ByteWriter& out, const AlterConfigRecord& r) {
  put_uuid(out, r.topic_id);
  out.uvarint(r.changes.size());
  for (const auto& [name, value] : r.changes) {
    put_string(out, name);
    out.u8(value ? 1 : 0);
    if (value) put_string(out, *value);
  }
}
void get(ByteReader& in, AlterConfigRecord& r) {
  r.topic_id = get_uuid(in);
  const std::uint64_t count = in.uvarint64();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = get_string(in);
    const std::uint8_t has_value = in.u8();
    if (has_value > 1) in.set_bad();
    auto& value = r.changes[std::move(name)];
    if (has_value == 1) value = get_string(in);
  }
}

void put(ByteWriter& out, const AssignLeaderRecord& r) {
  put_partition(out, r.partition);
  out.zigzag(r.broker_id);
  put_number(out, r.incarnation);
  out.zigzag(r.epoch);
  out.zigzag(r.base_offset);
}
void get(ByteReader& in, AssignLeaderRecord& r) {
  r.partition = get_partition(in);
  r.broker_id = in.zigzag32();
  r.incarnation = get_number<Incarnation>(in);
  r.epoch = in.zigzag32();
  r.base_offset = in.zigzag64();
}

void put(ByteWriter& out, const ReleaseRecord& r) {
  put_partition(out, r.partition);
  put_number(out, r.incarnation);
  out.zigzag(r.epoch);
  out.zigzag(r.end_offset);
  put_number(out, r.last_slot);
}
void get(ByteReader& in, ReleaseRecord& r) {
  r.partition = get_partition(in);
  r.incarnation = get_number<Incarnation>(in);
  r.epoch = in.zigzag32();
  r.end_offset = in.zigzag64();
  r.last_slot = get_number<SlotNumber>(in);
}

void put(ByteWriter& out, const RegisterObjectRecord& r) {
  put_string(out, r.key);
  put_number(out, r.birth);
  out.uvarint(r.size_bytes);
  put_list(out, r.extents, put_extent);
  put_list(out, r.states, put_state_extent);
  put_list(out, r.replaces_slots, [](ByteWriter& o, const SlotRun& run) {
    o.zigzag(run.broker_id);
    put_number(o, run.incarnation);
    put_number(o, run.from);
    put_number(o, run.to);
  });
  out.uvarint(0);  // objects that it replaces, once: RewriteObjects does that
}
void get(ByteReader& in, RegisterObjectRecord& r) {
  r.key = get_string(in);
  r.birth = get_number<LogSeq>(in);
  r.size_bytes = in.uvarint64();
  r.extents = get_list<Extent>(in, get_extent);
  r.states = get_list<StateExtent>(in, get_state_extent);
  r.replaces_slots = get_list<SlotRun>(in, [](ByteReader& i) {
    SlotRun run;
    run.broker_id = i.zigzag32();
    run.incarnation = get_number<Incarnation>(i);
    run.from = get_number<SlotNumber>(i);
    run.to = get_number<SlotNumber>(i);
    return run;
  });
  if (in.uvarint64() != 0) in.set_bad();
}

void put(ByteWriter& out, const UnregisterObjectsRecord& r) { put_list(out, r.keys, put_string); }
void get(ByteReader& in, UnregisterObjectsRecord& r) { r.keys = get_list<std::string>(in, get_string); }

void put(ByteWriter& out, const SetLogStartRecord& r) {
  put_list(out, r.starts, [](ByteWriter& o, const LogStart& start) {
    put_partition(o, start.partition);
    o.zigzag(start.offset);
  });
}
void get(ByteReader& in, SetLogStartRecord& r) {
  r.starts = get_list<LogStart>(in, [](ByteReader& i) {
    LogStart start;
    start.partition = get_partition(i);
    start.offset = i.zigzag64();
    return start;
  });
}

void put(ByteWriter& out, const ProducerIdsRecord& r) { out.zigzag(r.next_id); }
void get(ByteReader& in, ProducerIdsRecord& r) { r.next_id = in.zigzag64(); }

void put(ByteWriter& out, const OrphanFloorRecord& r) { put_number(out, r.floor); }
void get(ByteReader& in, OrphanFloorRecord& r) { r.floor = get_number<LogSeq>(in); }

void put(ByteWriter& out, const MovePartitionRecord& r) {
  put_partition(out, r.partition);
  out.zigzag(r.to_broker);
}
void get(ByteReader& in, MovePartitionRecord& r) {
  r.partition = get_partition(in);
  r.to_broker = in.zigzag32();
}

void put(ByteWriter& out, const DrainBrokerRecord& r) {
  out.zigzag(r.broker_id);
  out.u8(r.draining ? 1 : 0);
}
void get(ByteReader& in, DrainBrokerRecord& r) {
  r.broker_id = in.zigzag32();
  const std::uint8_t draining = in.u8();
  if (draining > 1) in.set_bad();
  r.draining = draining == 1;
}

void put(ByteWriter& out, const UnregisterBrokerRecord& r) { out.zigzag(r.broker_id); }
void get(ByteReader& in, UnregisterBrokerRecord& r) { r.broker_id = in.zigzag32(); }

void put(ByteWriter& out, const RewriteObjectsRecord& r) {
  put_list(out, r.objects, [](ByteWriter& o, const NewObject& object) {
    put_string(o, object.key);
    put_number(o, object.birth);
    o.uvarint(object.size_bytes);
    o.uvarint(object.level);
    put_list(o, object.extents, put_extent);
    put_list(o, object.states, put_state_extent);
  });
  put_list(out, r.replaces_objects, put_string);
  put_list(out, r.replaces_extents, [](ByteWriter& o, const ReplacedExtent& extent) {
    put_partition(o, extent.partition);
    o.zigzag(extent.base_offset);
    put_string(o, extent.key);
  });
  put_list(out, r.cleaned, [](ByteWriter& o, const CleanedPartition& cleaned) {
    put_partition(o, cleaned.partition);
    o.zigzag(cleaned.clean_until);
  });
}
void get(ByteReader& in, RewriteObjectsRecord& r) {
  r.objects = get_list<NewObject>(in, [](ByteReader& i) {
    NewObject object;
    object.key = get_string(i);
    object.birth = get_number<LogSeq>(i);
    object.size_bytes = i.uvarint64();
    object.level = i.uvarint32();
    object.extents = get_list<Extent>(i, get_extent);
    object.states = get_list<StateExtent>(i, get_state_extent);
    return object;
  });
  r.replaces_objects = get_list<std::string>(in, get_string);
  r.replaces_extents = get_list<ReplacedExtent>(in, [](ByteReader& i) {
    ReplacedExtent extent;
    extent.partition = get_partition(i);
    extent.base_offset = i.zigzag64();
    extent.key = get_string(i);
    return extent;
  });
  r.cleaned = get_list<CleanedPartition>(in, [](ByteReader& i) {
    CleanedPartition cleaned;
    cleaned.partition = get_partition(i);
    cleaned.clean_until = i.zigzag64();
    return cleaned;
  });
}

// The variant's alternative number `type`, read from `in`.
template <std::size_t I = 0>
Record get_alternative(std::size_t type, ByteReader& in) {
  if constexpr (I < std::variant_size_v<Record>) {
    if (type != I) return get_alternative<I + 1>(type, in);
    std::variant_alternative_t<I, Record> record;
    get(in, record);
    return record;
  } else {
    in.set_bad();
    return Record();
  }
}

Result<Record> decode_record(ByteReader& in, LogSeq seq) {
  const std::uint8_t type = in.u8();
  const std::uint8_t version = in.u8();
  const auto size = in.be<std::uint32_t>();
  const std::string_view body = in.bytes(size);
  if (!in.ok()) return fail(Code::kCorrupt, fmt::format("metadata entry {} ends inside a record", seq.value()));
  if (type >= std::variant_size_v<Record> || version != kRecordVersion) {
    return fail(Code::kUnsupported,
                fmt::format("metadata entry {} holds a record of type {} version {}, which a newer Millrace wrote; "
                            "upgrade this one",
                            seq.value(), type, version));
  }
  ByteReader reader(body);
  Record record = get_alternative(type, reader);
  if (!reader.ok() || !reader.at_end()) {
    return fail(Code::kCorrupt, fmt::format("metadata entry {}: record of type {} is malformed", seq.value(), type));
  }
  return record;
}

}  // namespace

void append_record(std::string& out, const Record& record) {
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(record.index()));
  writer.u8(kRecordVersion);
  const std::size_t size_at = out.size();
  writer.be<std::uint32_t>(0);
  std::visit([&writer](const auto& r) { put(writer, r); }, record);
  store_be(out.data() + size_at, static_cast<std::uint32_t>(out.size() - size_at - 4));
}

std::string encode_entry(const LogEntry& entry) {
  std::string out;
  ByteWriter writer(out);
  writer.be(kEntryMagic);
  writer.u8(kEntryVersion);
  writer.be(entry.seq.value());
  writer.be(entry.controller_epoch);
  writer.be(entry.writer_broker);
  writer.be(entry.writer_incarnation.value());
  writer.be(entry.nonce_high);
  writer.be(entry.nonce_low);
  writer.bytes(object::view_of(entry.prev_hash));
  writer.be(static_cast<std::uint32_t>(entry.records.size()));
  for (const auto& record : entry.records) append_record(out, record);
  writer.be(crc32c(out));
  return out;
}

Result<LogEntry> decode_entry(std::string_view bytes) {
  const auto corrupt = [](std::string_view why) { return fail(Code::kCorrupt, fmt::format("metadata entry {}", why)); };
  if (bytes.size() > kEntryBytesMax) return corrupt("is larger than an entry may be");
  ByteReader in(bytes);
  if (in.be<std::uint32_t>() != kEntryMagic) return corrupt("does not begin with the magic number");
  const std::uint8_t version = in.u8();
  if (version > kEntryVersion) {
    return fail(Code::kUnsupported,
                fmt::format("metadata entry has format version {}; upgrade this Millrace", version));
  }
  if (!in.ok() || version != kEntryVersion || in.remaining() < 4) return corrupt("is truncated");
  if (crc32c(bytes.substr(0, bytes.size() - 4)) != load_be<std::uint32_t>(bytes.data() + bytes.size() - 4))
    return corrupt("has a wrong checksum");
  in = ByteReader(bytes.substr(0, bytes.size() - 4));
  in.bytes(5);
  LogEntry entry;
  entry.seq = LogSeq(in.be<std::uint64_t>());
  entry.controller_epoch = in.be<std::uint64_t>();
  entry.writer_broker = in.be<std::int32_t>();
  entry.writer_incarnation = Incarnation(in.be<std::uint64_t>());
  entry.nonce_high = in.be<std::uint64_t>();
  entry.nonce_low = in.be<std::uint64_t>();
  const std::string_view hash = in.bytes(entry.prev_hash.size());
  const auto count = in.be<std::uint32_t>();
  if (!in.ok() || count > in.remaining()) return corrupt("is truncated");
  std::memcpy(entry.prev_hash.data(), hash.data(), hash.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    TRY(Record record, decode_record(in, entry.seq));
    entry.records.push_back(std::move(record));
  }
  if (!in.at_end()) return corrupt("has bytes after its last record");
  return entry;
}

}  // namespace millrace::cluster
