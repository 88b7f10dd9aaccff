// Postgres' logical replication protocol (proto_version 1): the replication stream's frames and the
// messages of the pgoutput plug-in.
//
// Codec: no I/O. Views point into the decoded bytes. Malformed bytes answer kCorrupt, never more. One
// PgMessage is reused for the whole stream, so a row change costs no allocation.
// Source: PostgreSQL 15 documentation, 55.4 and 55.9. Times are microseconds since 1970 here, since 2000 there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::cdc {

using Lsn = std::uint64_t;
std::string lsn_text(Lsn lsn);  // "16/B374D848"
Result<Lsn> parse_lsn(std::string_view text);

// What the server sends inside CopyBoth.
struct ServerFrame {
  char kind = 0;  // 'w' data, 'k' keepalive
  Lsn start = 0;  // w: where the payload's change lies
  Lsn wal_end = 0;
  std::int64_t sent_us = 0;
  bool reply_now = false;    // k
  std::string_view payload;  // w
};
Result<ServerFrame> decode_frame(std::string_view bytes);
// Standby status update: `flushed` lets the server forget everything before it.
std::string encode_status(Lsn received, Lsn flushed, std::int64_t now_us, bool reply_now);

struct TupleColumn {
  char kind = 'n';  // n null, u unchanged TOAST, t text
  std::string_view value;
};

struct RelationColumn {
  bool in_identity = false;
  std::string name;
  std::uint32_t type_oid = 0;
  std::int32_t typmod = -1;
};

struct PgMessage {
  char type = 0;  // B C O R Y I U D T M
  // B and C
  Lsn commit_lsn = 0;  // also of B ("final LSN") and of O (at the origin)
  Lsn end_lsn = 0;     // C
  std::int64_t commit_us = 0;
  std::uint32_t xid = 0;
  // R, Y, O, M
  std::uint32_t oid = 0;  // R: relation, Y: type; I U D: relation
  std::string_view schema, name;
  char identity = 'd';  // d n f i
  std::vector<RelationColumn> columns;
  // I U D
  char old_kind = 0;  // K key, O whole row, 0 none
  std::vector<TupleColumn> old_row, new_row;
  // T
  std::uint8_t truncate_options = 0;
  std::vector<std::uint32_t> truncated;
  // M
  bool transactional = false;
  Lsn message_lsn = 0;
  std::string_view content;
};
Result<void> decode_pgoutput(std::string_view bytes, PgMessage& out);

}  // namespace millrace::cdc
