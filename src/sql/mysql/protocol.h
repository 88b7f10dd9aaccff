// Numbers of the MySQL client/server protocol that the front uses (MySQL 8.0 internals, "Client/Server
// Protocol"). Integers on the wire are little-endian.
#pragma once

#include <cstdint>

namespace millrace::sql::mysql {

// A packet's payload is at most this long; a longer message goes on in the next packet.
constexpr std::size_t kPacketBytesMax = 0xffffff;
// What a client may send as one command (@@max_allowed_packet).
constexpr std::size_t kMessageBytesMax = 64u << 20;
// Nobody who has not logged in needs more.
constexpr std::size_t kHandshakeBytesMax = 64u << 10;

namespace capability {
constexpr std::uint32_t kLongPassword = 1u << 0;
constexpr std::uint32_t kFoundRows = 1u << 1;
constexpr std::uint32_t kLongFlag = 1u << 2;
constexpr std::uint32_t kConnectWithDb = 1u << 3;
constexpr std::uint32_t kIgnoreSpace = 1u << 8;
constexpr std::uint32_t kProtocol41 = 1u << 9;
constexpr std::uint32_t kInteractive = 1u << 10;
constexpr std::uint32_t kSsl = 1u << 11;
constexpr std::uint32_t kTransactions = 1u << 13;
constexpr std::uint32_t kSecureConnection = 1u << 15;
constexpr std::uint32_t kMultiStatements = 1u << 16;
constexpr std::uint32_t kMultiResults = 1u << 17;
constexpr std::uint32_t kPsMultiResults = 1u << 18;
constexpr std::uint32_t kPluginAuth = 1u << 19;
constexpr std::uint32_t kConnectAttrs = 1u << 20;
constexpr std::uint32_t kPluginAuthLenenc = 1u << 21;
constexpr std::uint32_t kDeprecateEof = 1u << 24;

// No SSL, compression, local files or query attributes.
constexpr std::uint32_t kServer = kLongPassword | kFoundRows | kLongFlag | kConnectWithDb | kIgnoreSpace | kProtocol41 |
                                  kInteractive | kTransactions | kSecureConnection | kMultiStatements | kMultiResults |
                                  kPsMultiResults | kPluginAuth | kConnectAttrs | kPluginAuthLenenc | kDeprecateEof;
}  // namespace capability

namespace status {
constexpr std::uint16_t kInTransaction = 1u << 0;
constexpr std::uint16_t kAutocommit = 1u << 1;
constexpr std::uint16_t kMoreResults = 1u << 3;
constexpr std::uint16_t kCursorExists = 1u << 6;
constexpr std::uint16_t kLastRowSent = 1u << 7;
}  // namespace status

enum class Command : std::uint8_t {
  kQuit = 0x01,
  kInitDb = 0x02,
  kQuery = 0x03,
  kFieldList = 0x04,
  kStatistics = 0x09,
  kProcessKill = 0x0c,
  kPing = 0x0e,
  kChangeUser = 0x11,
  kStmtPrepare = 0x16,
  kStmtExecute = 0x17,
  kStmtSendLongData = 0x18,
  kStmtClose = 0x19,
  kStmtReset = 0x1a,
  kSetOption = 0x1b,
  kStmtFetch = 0x1c,
  kResetConnection = 0x1f,
};

enum class FieldType : std::uint8_t {
  kDecimal = 0,
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kNull = 6,
  kTimestamp = 7,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kTime = 11,
  kDatetime = 12,
  kYear = 13,
  kVarchar = 15,
  kBit = 16,
  kJson = 245,
  kNewDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kTinyBlob = 249,
  kMediumBlob = 250,
  kLongBlob = 251,
  kBlob = 252,
  kVarString = 253,
  kString = 254,
};

namespace field_flag {
constexpr std::uint16_t kNotNull = 1u << 0;
constexpr std::uint16_t kPrimaryKey = 1u << 1;
constexpr std::uint16_t kBlob = 1u << 4;
constexpr std::uint16_t kUnsigned = 1u << 5;
constexpr std::uint16_t kBinary = 1u << 7;
constexpr std::uint16_t kNumeric = 1u << 15;
}  // namespace field_flag

constexpr std::uint16_t kCharsetUtf8mb4 = 255;  // utf8mb4_0900_ai_ci
constexpr std::uint16_t kCharsetBinary = 63;

constexpr const char* kServerVersion = "8.0.33-millrace";
constexpr const char* kNativePassword = "mysql_native_password";
constexpr const char* kCachingSha2 = "caching_sha2_password";

}  // namespace millrace::sql::mysql
