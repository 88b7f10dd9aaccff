#include "sql/mysql/codec.h"

#include <fmt/format.h>

namespace millrace::sql::mysql {

std::uint64_t read_lenenc(ByteReader& reader) {
  const std::uint8_t first = reader.u8();
  switch (first) {
    case 0xfc: return reader.le<std::uint16_t>();
    case 0xfd: {
      const std::uint64_t low = reader.le<std::uint16_t>();
      return low | std::uint64_t{reader.u8()} << 16;
    }
    case 0xfe: return reader.le<std::uint64_t>();
    case 0xfb:
    case 0xff: reader.set_bad(); return 0;
    default: return first;
  }
}

std::string_view read_lenenc_string(ByteReader& reader) {
  const std::uint64_t size = read_lenenc(reader);
  if (size > reader.remaining()) {
    reader.set_bad();
    return {};
  }
  return reader.bytes(size);
}

void write_lenenc(std::string& out, std::uint64_t value) {
  ByteWriter writer(out);
  if (value < 0xfb) {
    writer.u8(static_cast<std::uint8_t>(value));
  } else if (value < 0x10000) {
    writer.u8(0xfc);
    writer.le(static_cast<std::uint16_t>(value));
  } else if (value < 0x1000000) {
    writer.u8(0xfd);
    writer.le(static_cast<std::uint16_t>(value));
    writer.u8(static_cast<std::uint8_t>(value >> 16));
  } else {
    writer.u8(0xfe);
    writer.le(value);
  }
}

void write_lenenc_string(std::string& out, std::string_view text) {
  write_lenenc(out, text.size());
  out.append(text);
}

void append_packets(std::string& out, std::string_view payload, std::uint8_t& sequence) {
  while (true) {
    const std::size_t size = std::min(payload.size(), kPacketBytesMax);
    const char header[4] = {static_cast<char>(size), static_cast<char>(size >> 8), static_cast<char>(size >> 16),
                            static_cast<char>(sequence++)};
    out.append(header, sizeof header);
    out.append(payload.substr(0, size));
    payload.remove_prefix(size);
    if (size < kPacketBytesMax) return;  // a full packet is always followed by another, if only an empty one
  }
}

Result<std::optional<std::string>> PacketReader::next() {
  while (buffered() >= 4) {
    const auto* head = reinterpret_cast<const std::uint8_t*>(buffer_.data() + at_);
    const std::size_t size = head[0] | std::size_t{head[1]} << 8 | std::size_t{head[2]} << 16;
    if (head[3] != sequence_) {
      return fail(Code::kCorrupt, fmt::format("packets out of order: id {} where {} was due", head[3], sequence_));
    }
    if (partial_.size() + size > message_bytes_max_) {
      return fail(Code::kExhausted, fmt::format("a message over {} bytes", message_bytes_max_));
    }
    if (buffered() < 4 + size) return std::optional<std::string>();
    std::string message = std::move(partial_);
    partial_.clear();
    message.append(buffer_, at_ + 4, size);
    at_ += 4 + size;
    ++sequence_;
    if (at_ == buffer_.size() || at_ > (1u << 20)) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    if (size < kPacketBytesMax) return std::optional<std::string>(std::move(message));
    partial_ = std::move(message);
  }
  return std::optional<std::string>();
}

std::string encode_handshake(const Handshake& handshake) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(10);
  writer.bytes(kServerVersion);
  writer.u8(0);
  writer.le(handshake.connection_id);
  writer.bytes(std::string_view(handshake.nonce).substr(0, 8));
  writer.u8(0);
  writer.le(static_cast<std::uint16_t>(capability::kServer));
  writer.u8(static_cast<std::uint8_t>(kCharsetUtf8mb4));
  writer.le(handshake.status);
  writer.le(static_cast<std::uint16_t>(capability::kServer >> 16));
  writer.u8(21);  // nonce with its final zero
  writer.bytes(std::string_view("\0\0\0\0\0\0\0\0\0\0", 10));
  writer.bytes(std::string_view(handshake.nonce).substr(8));
  writer.u8(0);
  writer.bytes(handshake.auth_plugin);
  writer.u8(0);
  return out;
}

Result<HandshakeResponse> decode_handshake_response(std::string_view payload) {
  ByteReader reader(payload);
  HandshakeResponse response;
  response.capabilities = reader.le<std::uint32_t>();
  if (reader.ok() && !(response.capabilities & capability::kProtocol41)) {
    return fail(Code::kUnsupported, "the client speaks a protocol older than MySQL 4.1");
  }
  reader.le<std::uint32_t>();  // the client's own packet limit
  response.charset = reader.u8();
  reader.bytes(23);
  response.user = reader.zero_terminated();
  if (response.capabilities & capability::kPluginAuthLenenc) {
    response.auth_response = read_lenenc_string(reader);
  } else if (response.capabilities & capability::kSecureConnection) {
    response.auth_response = reader.bytes(reader.u8());
  } else {
    response.auth_response = reader.zero_terminated();
  }
  // Some clients leave the database out although they set the flag, when it is the last field.
  if ((response.capabilities & capability::kConnectWithDb) && !reader.at_end()) {
    response.database = reader.zero_terminated();
  }
  if ((response.capabilities & capability::kPluginAuth) && !reader.at_end()) {
    response.auth_plugin = reader.zero_terminated();
  }
  // Connection attributes (the rest) are not used.
  if (!reader.ok()) return fail(Code::kCorrupt, "a truncated handshake response");
  return response;
}

Result<HandshakeResponse> decode_change_user(std::string_view body, std::uint32_t capabilities) {
  ByteReader reader(body);
  HandshakeResponse response;
  response.capabilities = capabilities;
  response.user = reader.zero_terminated();
  response.auth_response = reader.bytes(reader.u8());
  response.database = reader.zero_terminated();
  if (!reader.at_end()) response.charset = static_cast<std::uint8_t>(reader.le<std::uint16_t>());
  if ((capabilities & capability::kPluginAuth) && !reader.at_end()) response.auth_plugin = reader.zero_terminated();
  if (!reader.ok()) return fail(Code::kCorrupt, "a truncated COM_CHANGE_USER");
  return response;
}

std::string encode_auth_switch(std::string_view plugin, std::string_view nonce) {
  std::string out = "\xfe";
  out.append(plugin).push_back('\0');
  out.append(nonce).push_back('\0');
  return out;
}

std::string encode_auth_more(std::uint8_t what) { return {'\x01', static_cast<char>(what)}; }

std::string encode_ok(const Ok& ok, std::uint8_t header) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(header);
  write_lenenc(out, ok.affected_rows);
  write_lenenc(out, ok.last_insert_id);
  writer.le(ok.status);
  writer.le(ok.warnings);
  out.append(ok.info);
  return out;
}

std::string encode_eof(std::uint16_t status, std::uint16_t warnings) {
  std::string out = "\xfe";
  ByteWriter writer(out);
  writer.le(warnings);
  writer.le(status);
  return out;
}

std::string encode_error(const SqlError& error) {
  std::string out = "\xff";
  ByteWriter writer(out);
  writer.le(error.code);
  writer.u8('#');
  std::string state = error.sqlstate;
  state.resize(5, '0');
  out.append(state).append(error.message);
  return out;
}

std::string encode_field(const FieldDefinition& field) {
  std::string out;
  for (const std::string_view text :
       {std::string_view("def"), std::string_view(field.schema), std::string_view(field.table),
        std::string_view(field.org_table), std::string_view(field.name), std::string_view(field.org_name)}) {
    write_lenenc_string(out, text);
  }
  ByteWriter writer(out);
  writer.u8(0x0c);
  writer.le(field.charset);
  writer.le(field.length);
  writer.u8(static_cast<std::uint8_t>(field.type));
  writer.le(field.flags);
  writer.u8(field.decimals);
  writer.le(std::uint16_t{0});
  return out;
}

std::string encode_field_with_default(const FieldDefinition& field) { return encode_field(field) + '\xfb'; }

std::string encode_prepare_ok(const PrepareOk& ok) {
  std::string out(1, '\0');
  ByteWriter writer(out);
  writer.le(ok.statement_id);
  writer.le(ok.columns);
  writer.le(ok.parameters);
  writer.u8(0);
  writer.le(ok.warnings);
  return out;
}

}  // namespace millrace::sql::mysql
