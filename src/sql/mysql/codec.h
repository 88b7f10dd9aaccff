// MySQL packets and messages: bytes to values and back (MySQL 8.0 internals, "Client/Server Protocol").
//
// Framing: PacketReader takes bytes as they come and gives whole messages (packets of 16 MiB - 1 joined),
// refusing wrong sequence ids and messages over a limit, so that nothing is allocated by a claimed
// length. Decoders answer kCorrupt on malformed input and never throw; encoders append payloads, and
// `append_packets` frames them. No I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/result.h"
#include "sql/mysql/protocol.h"

namespace millrace::sql::mysql {

// Length-encoded integers and strings. 0xfb (NULL) and 0xff make the reader bad.
std::uint64_t read_lenenc(ByteReader& reader);
std::string_view read_lenenc_string(ByteReader& reader);
void write_lenenc(std::string& out, std::uint64_t value);
void write_lenenc_string(std::string& out, std::string_view text);

// Frames `payload` as one or more packets; `sequence` is the next id to use and moves on.
void append_packets(std::string& out, std::string_view payload, std::uint8_t& sequence);

class PacketReader {
 public:
  explicit PacketReader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}
  void set_message_bytes_max(std::size_t bytes) { message_bytes_max_ = bytes; }
  // The id that the next packet must have; a command starts at 0.
  void expect_sequence(std::uint8_t id) { sequence_ = id; }
  // The same, unless the first packets of a long message have been taken already.
  void expect_sequence_if_idle(std::uint8_t id) {
    if (partial_.empty()) sequence_ = id;
  }
  // The id after the last packet read: where the answer starts.
  std::uint8_t sequence() const { return sequence_; }

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message; nothing while bytes are missing. After an error the stream is lost:
  // kCorrupt for a sequence id out of order, kExhausted for a message that is too long.
  Result<std::optional<std::string>> next();
  // Bytes that are waiting to become a message.
  std::size_t buffered() const { return buffer_.size() - at_; }

 private:
  std::size_t message_bytes_max_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::string partial_;
  std::uint8_t sequence_ = 0;
};

struct Handshake {
  std::uint32_t connection_id = 0;
  std::string nonce;  // 20 bytes, none of them zero
  std::string auth_plugin = kCachingSha2;
  std::uint16_t status = status::kAutocommit;
};
std::string encode_handshake(const Handshake& handshake);

struct HandshakeResponse {
  std::uint32_t capabilities = 0;
  std::uint8_t charset = 0;
  std::string user;
  std::string auth_response;
  std::string database;
  std::string auth_plugin;
};
Result<HandshakeResponse> decode_handshake_response(std::string_view payload);
// COM_CHANGE_USER's body (without the command byte); the capabilities are the connection's.
Result<HandshakeResponse> decode_change_user(std::string_view body, std::uint32_t capabilities);

std::string encode_auth_switch(std::string_view plugin, std::string_view nonce);
// AuthMoreData, e.g. caching_sha2_password's 3 (fast path done) and 4 (send the password).
std::string encode_auth_more(std::uint8_t what);

struct Ok {
  std::uint64_t affected_rows = 0;
  std::uint64_t last_insert_id = 0;
  std::uint16_t status = status::kAutocommit;
  std::uint16_t warnings = 0;
  std::string info;
};
// `header` is 0x00, or 0xfe where an OK ends a result set (CLIENT_DEPRECATE_EOF).
std::string encode_ok(const Ok& ok, std::uint8_t header = 0x00);
std::string encode_eof(std::uint16_t status, std::uint16_t warnings);

struct SqlError {
  std::uint16_t code = 1105;
  std::string sqlstate = "HY000";  // five characters
  std::string message;
};
std::string encode_error(const SqlError& error);

struct FieldDefinition {
  std::string schema, table, org_table, name, org_name;
  std::uint16_t charset = kCharsetUtf8mb4;
  std::uint32_t length = 0;
  FieldType type = FieldType::kVarString;
  std::uint16_t flags = 0;
  std::uint8_t decimals = 0;
};
std::string encode_field(const FieldDefinition& field);
// COM_FIELD_LIST's form: with the (NULL) default value at its end.
std::string encode_field_with_default(const FieldDefinition& field);

struct PrepareOk {
  std::uint32_t statement_id = 0;
  std::uint16_t columns = 0;
  std::uint16_t parameters = 0;
  std::uint16_t warnings = 0;
};
std::string encode_prepare_ok(const PrepareOk& ok);

// A parameter's type: the FieldType, and whether it is unsigned.
struct ParameterType {
  FieldType type = FieldType::kNull;
  bool is_unsigned = false;
};

// A parameter as a SQL literal's ingredients.
struct Parameter {
  enum class Kind { kNull, kNumber, kText, kBytes };
  Kind kind = Kind::kNull;
  std::string text;  // a number as digits; dates and times as MySQL writes them
};

struct Execute {
  std::uint32_t statement_id = 0;
  std::uint8_t flags = 0;
  std::vector<Parameter> parameters;
};
// `types` holds the statement's parameter types from an earlier execute and takes new ones. `long_data`
// has the parameters sent by COM_STMT_SEND_LONG_DATA (nothing where none was sent). Body without the
// command byte.
Result<Execute> decode_execute(std::string_view body, std::size_t parameter_count, std::vector<ParameterType>& types,
                               const std::vector<std::optional<std::string>>& long_data);
// Only the statement id, to look the statement up first.
Result<std::uint32_t> decode_statement_id(std::string_view body);

}  // namespace millrace::sql::mysql
