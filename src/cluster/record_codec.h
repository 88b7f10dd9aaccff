// Bytes of metadata records and of log entries, and back: docs/formats/metadata-log.md is the contract.
//
// Decoding never trusts a length, never allocates by a claimed count, and refuses what it does not know: a record type
// or version newer than this program is kUnsupported ("upgrade"), anything that breaks the format is kCorrupt.
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/records.h"
#include "object/digest.h"

namespace millrace::cluster {

struct LogEntry {
  LogSeq seq;
  std::uint64_t controller_epoch = 0;
  std::int32_t writer_broker = -1;
  Incarnation writer_incarnation;  // 0 in a Claim, whose writer has none yet
  std::uint64_t nonce_high = 0;    // of the writing process
  std::uint64_t nonce_low = 0;     // of this entry
  object::Digest prev_hash{};      // SHA-256 of the last valid entry's bytes; zero in entry 1
  std::vector<Record> records;
};

std::string encode_entry(const LogEntry& entry);
Result<LogEntry> decode_entry(std::string_view bytes);

// One record with its type, version and length; as entries hold them one after the other.
void append_record(std::string& out, const Record& record);

// Entries larger than this are neither written nor read.
inline constexpr std::size_t kEntryBytesMax = 64 << 20;

}  // namespace millrace::cluster
