#include "cdc/pgoutput.h"

#include <fmt/format.h>

#include <charconv>

#include "base/codec.h"

namespace millrace::cdc {
namespace {

constexpr std::int64_t kEpoch2000Us = 946684800LL * 1'000'000;

std::int64_t from_pg_time(std::int64_t us) {
  std::int64_t out = 0;
  return __builtin_add_overflow(us, kEpoch2000Us, &out) ? us : out;
}

void read_tuple(ByteReader& in, std::vector<TupleColumn>& row) {
  const auto count = in.be<std::uint16_t>();
  row.clear();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    TupleColumn column{static_cast<char>(in.u8()), {}};
    switch (column.kind) {
      case 'n':
      case 'u': break;
      case 't': column.value = in.bytes(in.be<std::uint32_t>()); break;
      default: in.set_bad(); return;  // 'b' comes only when it was asked for
    }
    row.push_back(column);
  }
}

void read_relation(ByteReader& in, PgMessage& out) {
  out.oid = in.be<std::uint32_t>();
  out.schema = in.zero_terminated();
  out.name = in.zero_terminated();
  out.identity = static_cast<char>(in.u8());
  const auto count = in.be<std::uint16_t>();
  out.columns.clear();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    RelationColumn column;
    column.in_identity = (in.u8() & 1) != 0;
    column.name = in.zero_terminated();
    column.type_oid = in.be<std::uint32_t>();
    column.typmod = in.be<std::int32_t>();
    out.columns.push_back(std::move(column));
  }
}

void read_change(ByteReader& in, PgMessage& out) {
  out.oid = in.be<std::uint32_t>();
  out.old_kind = 0;
  out.old_row.clear();
  out.new_row.clear();
  char part = static_cast<char>(in.u8());
  if (part == 'K' || part == 'O') {
    if (out.type == 'I') return in.set_bad();
    out.old_kind = part;
    read_tuple(in, out.old_row);
    if (out.type == 'D') return;
    part = static_cast<char>(in.u8());
  }
  if (part != 'N' || out.type == 'D') return in.set_bad();
  read_tuple(in, out.new_row);
}

void read_truncate(ByteReader& in, PgMessage& out) {
  const auto count = in.be<std::uint32_t>();
  out.truncate_options = in.u8();
  out.truncated.clear();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) out.truncated.push_back(in.be<std::uint32_t>());
}

}  // namespace

std::string lsn_text(Lsn lsn) { return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xffffffffu); }

Result<Lsn> parse_lsn(std::string_view text) {
  std::uint32_t high = 0, low = 0;
  const char* end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, high, 16);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/') {
    auto second = std::from_chars(first.ptr + 1, end, low, 16);
    if (second.ec == std::errc() && second.ptr == end) return (std::uint64_t{high} << 32) | low;
  }
  return fail(Code::kCorrupt, fmt::format("\"{}\" is no WAL position", text.substr(0, 40)));
}

Result<ServerFrame> decode_frame(std::string_view bytes) {
  ByteReader in(bytes);
  ServerFrame frame;
  frame.kind = static_cast<char>(in.u8());
  if (frame.kind == 'w') {
    frame.start = in.be<std::uint64_t>();
    frame.wal_end = in.be<std::uint64_t>();
    frame.sent_us = from_pg_time(in.be<std::int64_t>());
    frame.payload = in.rest();
  } else if (frame.kind == 'k') {
    frame.wal_end = in.be<std::uint64_t>();
    frame.sent_us = from_pg_time(in.be<std::int64_t>());
    frame.reply_now = in.u8() != 0;
  } else {
    return fail(Code::kCorrupt, fmt::format("replication frame of unknown kind {}", static_cast<int>(frame.kind)));
  }
  if (!in.ok()) return fail(Code::kCorrupt, "replication frame is cut short");
  return frame;
}

std::string encode_status(Lsn received, Lsn flushed, std::int64_t now_us, bool reply_now) {
  std::string out;
  out.reserve(34);
  ByteWriter writer(out);
  writer.u8('r');
  writer.be(received);
  writer.be(flushed);
  writer.be(flushed);  // applied
  writer.be(now_us - kEpoch2000Us);
  writer.u8(reply_now ? 1 : 0);
  return out;
}

Result<void> decode_pgoutput(std::string_view bytes, PgMessage& out) {
  ByteReader in(bytes);
  out.type = static_cast<char>(in.u8());
  switch (out.type) {
    case 'B':
      out.commit_lsn = in.be<std::uint64_t>();
      out.commit_us = from_pg_time(in.be<std::int64_t>());
      out.xid = in.be<std::uint32_t>();
      break;
    case 'C':
      in.u8();
      out.commit_lsn = in.be<std::uint64_t>();
      out.end_lsn = in.be<std::uint64_t>();
      out.commit_us = from_pg_time(in.be<std::int64_t>());
      break;
    case 'O':
      out.commit_lsn = in.be<std::uint64_t>();
      out.name = in.zero_terminated();
      break;
    case 'R': read_relation(in, out); break;
    case 'Y':
      out.oid = in.be<std::uint32_t>();
      out.schema = in.zero_terminated();
      out.name = in.zero_terminated();
      break;
    case 'I':
    case 'U':
    case 'D': read_change(in, out); break;
    case 'T': read_truncate(in, out); break;
    case 'M':
      out.transactional = (in.u8() & 1) != 0;
      out.message_lsn = in.be<std::uint64_t>();
      out.name = in.zero_terminated();
      out.content = in.bytes(in.be<std::uint32_t>());
      break;
    default:
      return fail(Code::kCorrupt, fmt::format("pgoutput message of unknown type {}", static_cast<int>(out.type)));
  }
  if (!in.ok() || !in.at_end()) {
    return fail(Code::kCorrupt,
                fmt::format("pgoutput message '{}' of {} bytes breaks its format", out.type, bytes.size()));
  }
  return {};
}

}  // namespace millrace::cdc
